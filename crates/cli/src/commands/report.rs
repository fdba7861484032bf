//! `convstat report RUN`

use std::path::{Path, PathBuf};

use clap::Args;
use convstat::prelude::*;
use convstat::report::html::{PageData, page};
use convstat::runner::RunDir;
use convstat::study::{Record, run::summarise};

use crate::failure::Failure;
use crate::output::{Status, print, print_json};

/// Name of the page in its run directory.
const PAGE: &str = "report.html";

/// `report`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  convstat report runs/cnn-rate                        writes runs/cnn-rate/report.html
  convstat report runs/cnn-rate --out cnn-rate.html")]
pub struct Report {
    /// Run directory; of an unfinished run the page says what is missing
    run: PathBuf,
    /// Where the page goes (default RUN/report.html)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Report {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        if let Some(out) = &self.out {
            check_place(out)?;
        }
        let mut run = RunDir::open(&self.run)?;
        let study = Study::of_run(&run)?;
        let manifest = run.manifest()?;
        let (summary, checks) = summarise(&study, &mut run)?;
        let record = Record::new(&study, &run)?;
        let html = page(&PageData {
            study: &study,
            summary: &summary,
            checks: &checks,
            manifest: &manifest,
            record: &record,
            run: &self.run.to_string_lossy(),
        })?;
        let path = if let Some(out) = &self.out {
            std::fs::write(out, html)
                .map_err(|e| Failure::new(format!("cannot write {}: {e}", out.display())))?;
            out.clone()
        } else {
            run.write_file(PAGE, html.as_bytes())
                .map_err(|e| Failure::from_error(e).help("--out FILE writes the page to another place"))?;
            self.run.join(PAGE)
        };
        if self.json {
            print_json(&serde_json::json!({
                "report": path, "missing_replicates": summary.missing_replicates,
            }))?;
        } else {
            print(&format!("{}\n", path.display()))?;
        }
        if summary.missing_replicates > 0 {
            eprintln!(
                "{}: {} replicates are missing; the page says which",
                self.run.display(),
                summary.missing_replicates
            );
            return Ok(Status::Partly);
        }
        Ok(Status::Done)
    }
}

/// Fails before the work on a path that cannot be a file.
fn check_place(out: &Path) -> Result<(), Failure> {
    if out.is_dir() {
        return Err(Failure::new(format!("--out {}: it is a folder", out.display()))
            .help(format!("give a file, for instance {}", out.join(PAGE).display())));
    }
    let folder = out.parent().filter(|p| !p.as_os_str().is_empty());
    match folder.filter(|p| !p.is_dir()) {
        None => Ok(()),
        Some(folder) => {
            Err(Failure::new(format!("--out {}: there is no folder {}", out.display(), folder.display()))
                .help("make it first"))
        }
    }
}
