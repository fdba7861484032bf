//! `convstat study merge`.

use std::path::PathBuf;

use clap::Args;
use convstat::runner::interrupt;
use convstat::study;

use super::summary::print_summary;
use crate::failure::Failure;
use crate::output::Status;

/// `study merge`.
#[derive(Debug, Args)]
pub struct Merge {
    /// Run directories of one study
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Run directory of the union (default: the only one given)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Threads (default: one a processor)
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Print the summary and the checks as JSON
    #[arg(long)]
    json: bool,
}

impl Merge {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        let out = match (&self.out, self.runs.as_slice()) {
            (Some(out), _) => out,
            (None, [only]) => only,
            (None, _) => {
                return Err(Failure::new(format!(
                    "{} runs without a place for their union",
                    self.runs.len()
                ))
                .help("name it: --out DIR"));
            }
        };
        // Nothing is lost by a signal here: what is stored stays, and the command can be repeated.
        interrupt::install();
        interrupt::all_stored();
        let merged = study::merge(&self.runs, out, self.threads)?;
        for part in &merged.damaged {
            eprintln!("warning: {part}; its replicates have to run again");
        }
        let status = print_summary(out, &merged.study, &merged.summary, &merged.checks, self.json)?;
        let missing = merged.summary.missing_replicates;
        if missing > 0 {
            eprintln!("{missing} replicates are missing; the command that ran the study completes them");
        }
        Ok(status)
    }
}
