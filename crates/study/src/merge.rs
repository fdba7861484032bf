//! Unites the shards of a study.

use std::path::{Path, PathBuf};

use convstat_runner::{Manifest, RunDir, RunnerError, thread_pool};
use convstat_tensor::blas;

use crate::checks::CheckOutcome;
use crate::row::tabulate;
use crate::run::{summarise, walk};
use crate::study::Study;
use crate::summary::Summary;
use crate::{Result, StudyError};

/// A merged run.
#[derive(Debug)]
pub struct Merged {
    /// The study.
    pub study: Study,
    /// Its summary.
    pub summary: Summary,
    /// Its checks.
    pub checks: Vec<CheckOutcome>,
    /// Parts that could not be read.
    pub damaged: Vec<String>,
}

/// Unites the rows of runs of one study in `out` (which may be the only run), merges small parts, summarises and checks.
///
/// # Errors
/// Runs of different studies, `out` among them, or one that cannot be read or written.
pub fn merge(runs: &[PathBuf], out: &Path, threads: usize) -> Result<Merged> {
    blas::single_thread()?;
    let opened = runs.iter().map(|path| Ok(RunDir::open(path)?)).collect::<Result<Vec<_>>>()?;
    let Some(first) = opened.first() else { return Err(StudyError::bad("run", "none", "give at least one")) };
    let manifest = first.manifest()?;
    let mut study = Study::of_run(first)?;
    for one in &opened {
        let other = one.manifest()?;
        if (&other.study_sha256, other.seed) != (&manifest.study_sha256, manifest.seed) {
            let mend =
                format!("its study differs from that of {}; give runs of one study", first.path().display());
            return Err(StudyError::bad("run", one.path().display(), &mend));
        }
        if other.replicates > study.plan.replicates() {
            study = Study::of_run(one)?;
        }
    }
    if let Some(there) = Manifest::find(out)?
        && (&there.study_sha256, there.seed) != (&manifest.study_sha256, manifest.seed)
    {
        let reason = format!(
            "it is the run of study \"{}\" with another text or seed than that of \"{}\" in {}",
            there.name,
            manifest.name,
            first.path().display()
        );
        return Err(RunnerError::OtherRun { path: out.to_owned(), reason }.into());
    }
    let mut run = RunDir::create(out, &study.description())?;
    let like = tabulate(&study.plan.file, &[]);
    let mut walked = walk(&run)?;
    let mut damaged: Vec<String> = walked.damaged.iter().map(ToString::to_string).collect();
    let same = |a: &Path, b: &Path| matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b);
    for other in opened.iter().filter(|r| !same(r.path(), out)) {
        let unread = run.absorb(other, &mut walked.present, &like)?;
        damaged.extend(unread.iter().map(ToString::to_string));
    }
    let (summary, checks) = thread_pool(threads)?.install(|| summarise(&study, &mut run))?;
    Ok(Merged { study, summary, checks, damaged })
}
