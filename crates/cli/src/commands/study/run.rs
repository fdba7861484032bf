//! `convstat study run`.

use std::path::PathBuf;

use clap::Args;
use convstat::runner::{RunnerError, Shard, interrupt, slurm::quoted};
use convstat::study::{self, RunOptions, StudyError};

use super::input::StudyInput;
use super::resources::threads;
use super::summary::{notes, print_summary};
use crate::failure::Failure;
use crate::output::{Status, print_json};

/// `study run`.
#[derive(Debug, Args)]
pub struct Run {
    #[command(flatten)]
    file: StudyInput,
    /// Run directory (default runs/NAME)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Threads (default: one a processor)
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Run this share of the replicates only; shards may run at the same time in one folder
    #[arg(long, value_name = "I/M")]
    shard: Option<Shard>,
    /// Print the summary and the checks as JSON
    #[arg(long)]
    json: bool,
}

/// The command line as a shell reads it.
fn this_command() -> String {
    std::env::args().map(|a| quoted(&a)).collect::<Vec<_>>().join(" ")
}

impl Run {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        let study = self.file.study()?;
        let out = self.file.out(self.out.as_ref(), &study);
        interrupt::install();
        let cells = study.plan.cells.len();
        let replicates = study.plan.replicates();
        eprintln!(
            "study {}: {cells} cells x {replicates} replicates on {} threads, run directory {}",
            study.plan.file.study.name,
            threads(self.threads),
            out.display()
        );
        let options = RunOptions { threads: self.threads, shard: self.shard };
        let report = match study::run(&study, &out, options) {
            // What is stored stays, and the same command goes on.
            Err(StudyError::Runner(stopped @ RunnerError::Stopped { .. })) => {
                eprintln!("error: {stopped}: {}", this_command());
                return Ok(Status::Partly);
            }
            other => other?,
        };
        for part in &report.damaged {
            eprintln!("warning: {part}; its replicates were run again");
        }
        notes(&study)?;
        if report.present > 0 {
            eprintln!("{} replicates were there already", report.present);
        }
        if report.execution.interrupted {
            eprintln!(
                "stopped after {} replicates, all stored; the same command resumes: {}",
                report.execution.done,
                this_command()
            );
            return Ok(Status::Partly);
        }
        let Some(summary) = &report.summary else {
            eprintln!(
                "{} replicates done; when all shards are: convstat study merge {}",
                report.execution.done,
                quoted(&out.to_string_lossy())
            );
            if self.json {
                print_json(&serde_json::json!({
                    "run": out, "study": study.plan.file.study.name, "done": report.execution.done,
                    "present": report.present,
                }))?;
            }
            return Ok(Status::Done);
        };
        print_summary(&out, &study, summary, &report.checks, self.json)
    }
}
