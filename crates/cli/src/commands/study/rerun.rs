//! `convstat study rerun`.

use std::path::PathBuf;

use clap::Args;
use convstat::prelude::*;
use convstat::runner::{RunDir, RunnerError};
use convstat::study::{self, row::tabulate, verify::first_difference};

use crate::failure::Failure;
use crate::output::{Status, print, print_json};
use crate::trace::trace_table;

/// `study rerun`.
#[derive(Debug, Args)]
pub struct Rerun {
    /// Run directory
    run: PathBuf,
    /// Cell: its number, from 0 (study plan --cells lists them), or the beginning of its identity
    #[arg(long)]
    cell: String,
    /// Replicate, from 0
    #[arg(long)]
    replicate: u64,
    /// Show every step of the solver, from every start
    #[arg(long)]
    trace: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Rerun {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        let run = RunDir::open(&self.run)?;
        let study = Study::of_run(&run)?;
        let (row, steps) = study::rerun(&study, &self.cell, self.replicate)?;
        if self.replicate >= study.plan.replicates() {
            eprintln!(
                "note: the study has {0} replicates a cell, from 0; this is none of them",
                study.plan.replicates()
            );
        }
        let found = tabulate(&study.plan.file, std::slice::from_ref(&row));
        let mut verdict = "not stored yet".to_owned();
        run.walk(&tabulate(&study.plan.file, &[]), |rows, _| {
            let (cells, replicates) = (rows.texts("cell")?, rows.ints("replicate")?);
            let is_it = |&i: &usize| cells[i] == row.cell && replicates[i] as u64 == self.replicate;
            if let Some(i) = (0..rows.rows()).find(is_it) {
                verdict = match first_difference((rows, i), (&found, 0)) {
                    None => "identical to the stored row".to_owned(),
                    Some(d) => {
                        format!(
                            "DIFFERENT from the stored row: {} {} there, {} now",
                            d.column, d.stored, d.found
                        )
                    }
                };
            }
            Ok::<_, RunnerError>(())
        })?;
        if self.json {
            let mut value = serde_json::json!({
                "cell": row.cell, "setting": row.setting, "design": row.design, "structure": row.structure, "solver": row.solver, "n": row.n,
                "replicate": row.replicate, "df": row.df, "err_frob": row.err_frob, "err_pred": row.err_pred,
                "objective": row.objective, "oracle_gap": row.oracle_gap, "start": row.start,
                "iterations": row.iterations, "termination": row.termination(), "seconds": row.seconds,
                "compared": verdict,
            });
            if self.trace {
                value["trace"] = serde_json::to_value(&steps).map_err(Failure::from_error)?;
            }
            print_json(&value)?;
        } else {
            if self.trace {
                print(&trace_table(&steps))?;
            }
            print(&format!(
                "cell {} ({}, {}, {}, n = {}), replicate {}\nerr_frob {:.17e}\nerr_pred {:.17e}\nobjective {:.17e}\n\
                 oracle gap {:.3e}, start {}, {} iterations, {}, {:.4} s\n{verdict}\n",
                row.cell,
                row.setting,
                row.design,
                row.solver,
                row.n,
                row.replicate,
                row.err_frob,
                row.err_pred,
                row.objective,
                row.oracle_gap,
                row.start,
                row.iterations,
                row.termination(),
                row.seconds
            ))?;
        }
        Ok(if verdict.starts_with("DIFF") { Status::CheckFailed } else { Status::Done })
    }
}
