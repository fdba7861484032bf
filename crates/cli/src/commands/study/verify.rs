//! `convstat study verify`.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use convstat::prelude::Study;
use convstat::runner::RunDir;
use convstat::study::{self, VerifyOptions, verify::ROUNDING};

use crate::colour::verdicts;
use crate::failure::Failure;
use crate::output::{Status, print, print_json};

/// `study verify`.
#[derive(Debug, Args)]
pub struct Verify {
    /// Run directory
    run: PathBuf,
    /// Share of the replicates to repeat; at least 20 are
    #[arg(long, value_name = "SHARE", default_value_t = 0.01)]
    share: f64,
    /// Which replicates are drawn (default: others every time)
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Threads (default: one a processor)
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Differences that are printed.
const SHOWN: usize = 10;

impl Verify {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        let run = RunDir::open(&self.run)?;
        let study = Study::of_run(&run)?;
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::from(d.subsec_nanos()));
        let seed = self.seed.unwrap_or_else(now);
        let found =
            study::verify(&study, &run, VerifyOptions { share: self.share, seed, threads: self.threads })?;
        if self.json {
            print_json(&serde_json::json!({ "seed": seed, "tolerance": ROUNDING, "verification": found }))?;
        } else {
            print(&format!(
                "{} of {} stored replicates repeated (--seed {seed}): {} identical in every bit, {} of another program, \
                 BLAS kernel or processor equal up to rounding (largest relative difference {:.1e}, at most {ROUNDING:.0e} \
                 is allowed), {} of those at another local optimum, {} different\n",
                found.repeated,
                found.stored,
                found.identical,
                found.rounding,
                found.largest,
                found.other_optimum,
                found.different.len()
            ))?;
            for part in &found.damaged {
                print(&verdicts(&format!(
                    "DAMAGED: {part}; the command that ran the study runs its replicates again\n"
                )))?;
            }
            for d in found.different.iter().take(SHOWN) {
                print(&format!(
                    "DIFFERENT: cell {}, replicate {}: {} {} stored, {} now\n",
                    d.cell, d.replicate, d.column, d.stored, d.found
                ))?;
            }
        }
        Ok(if found.holds() { Status::Done } else { Status::CheckFailed })
    }
}
