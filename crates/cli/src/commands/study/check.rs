//! `convstat study check`.

use std::path::PathBuf;

use clap::Args;
use convstat::prelude::*;
use convstat::report::check_lines;
use convstat::runner::{RunDir, slurm::quoted};
use convstat::study::run::summarise;

use crate::colour::verdicts;
use crate::commands::inputs::read_text;
use crate::failure::Failure;
use crate::output::{Status, print, print_json, wrap_lines};

/// `study check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Run directory
    run: PathBuf,
    /// Take the checks from this study file instead of the run's own
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        let mut run = RunDir::open(&self.run)?;
        let mut study = Study::of_run(&run)?;
        if let Some(path) = &self.file {
            let text = read_text(path)?;
            let other = StudyFile::parse(&text).map_err(|e| Failure::in_file(e, path, &text))?;
            study.plan.file.check = other.check;
        }
        let (summary, checks) = summarise(&study, &mut run)?;
        if self.json {
            print_json(&checks)?;
        } else {
            print(&verdicts(&wrap_lines(&check_lines(&checks, true))))?;
            if checks.is_empty() {
                print("the study has no [[check]]\n")?;
            }
        }
        if summary.missing_replicates > 0 {
            eprintln!(
                "{} replicates are missing; this completes them: convstat study run {}",
                summary.missing_replicates,
                quoted(&self.run.to_string_lossy())
            );
        }
        if checks.iter().any(|c| !c.passed) {
            return Ok(Status::CheckFailed);
        }
        Ok(if summary.missing_replicates > 0 { Status::Partly } else { Status::Done })
    }
}
