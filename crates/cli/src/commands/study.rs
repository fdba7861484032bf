//! `convstat study …`

mod merge;
mod new;
mod slurm_status;
mod status;
mod submit;
mod verify;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use convstat::prelude::*;
use convstat::report::{check_lines, figures, summary_table, table::align};
use convstat::runner::{RunDir, RunnerError, Shard, interrupt, slurm::quoted};
use convstat::study::{
    self, CheckOutcome, RunOptions, StudyError,
    estimate_cost::{Cost, estimate_cost},
    in_text,
    row::tabulate,
    run::summarise,
    verify::first_difference,
};

use super::read_text;
use crate::colour::verdicts;
use crate::failure::Failure;
use crate::output::{Status, print, print_json, width, wrap_lines};
use crate::trace::trace_table;

/// Subcommands of `study`.
#[derive(Debug, Subcommand)]
pub enum StudyCommand {
    /// Write a commented study file from a template
    #[command(after_help = "Examples:
  convstat study new --list
  convstat study new my-rate                          writes my-rate.toml
  convstat study new choice --template selection --out experiments/choice.toml")]
    New(new::New),
    /// Run what is missing of a study, summarise and check it
    #[command(after_help = "Examples:
  convstat study run experiments/cnn-rate.toml
  convstat study run experiments/cnn-rate.toml --replicates 400     only what is missing
  convstat study run experiments/cnn-rate.toml --set study.seed=7 --out runs/other-seed
  convstat study run experiments/cnn-rate.toml --shard 3/8          a share of it
  convstat study run runs/cnn-rate                                  goes on with a run")]
    Run(Run),
    /// Cells, fits, estimated time, memory and disk, expected MCSE
    #[command(
        after_help = "Cells are numbered from 0, as study rerun takes them: setting by setting, in it by design, estimator and n.

Examples:
  convstat study plan experiments/cnn-rate.toml
  convstat study plan experiments/cnn-rate.toml --cells             every cell with its number
  convstat study plan experiments/cnn-rate.toml --replicates 1000 --threads 8 --json"
    )]
    Plan(PlanCommand),
    /// Run a study on a cluster: a job array of shards, and a job that merges them
    #[command(after_help = "\
The study text is fixed at submission, overrides included: later edits of FILE change no task. Tasks that reach their time \
limit or are preempted stop, keep what is done and go back to the queue. The same command again submits only the shards that \
miss replicates and are neither queued nor running.

Examples:
  convstat study submit experiments/cnn-rate.toml --engine slurm --shards 100
  convstat study submit experiments/cnn-rate.toml --engine slurm --shards 20 \\
      --partition long --time 12:00:00 --threads 8
  convstat study submit experiments/cnn-rate.toml --engine slurm --shards 20 --sbatch=--qos=low --dry-run
  convstat study status runs/cnn-rate")]
    Submit(submit::Submit),
    /// What a run has and what is missing; of a submitted one also the state of its tasks
    #[command(after_help = "Examples:
  convstat study status runs/cnn-rate
  convstat study status runs/cnn-rate --watch --interval 5    from another terminal, while it runs
  convstat study status runs/cnn-rate --json")]
    Status(status::Status),
    /// Run the checks of a study again on what its run has
    #[command(after_help = "Examples:
  convstat study check runs/cnn-rate
  convstat study check runs/cnn-rate --file other-checks.toml --json")]
    Check(Check),
    /// Unite the shards of a study, summarise and check it
    #[command(after_help = "Examples:
  convstat study merge runs/cnn-rate                       shards that wrote in one folder
  convstat study merge node1/cnn-rate node2/cnn-rate --out runs/cnn-rate")]
    Merge(merge::Merge),
    /// Repeat a random share of a run's replicates and compare them with what is stored
    #[command(after_help = "Example:
  convstat study verify runs/cnn-rate --share 0.05")]
    Verify(verify::Verify),
    /// Repeat one replicate of a run and compare it with the stored row
    #[command(after_help = "Example:
  convstat study rerun runs/cnn-rate --cell 3 --replicate 17 --trace")]
    Rerun(Rerun),
}

/// A study file with what the command line changes.
#[derive(Debug, Args)]
struct StudyInput {
    /// Study file (TOML); or a run directory, to go on with the study that it holds
    file: PathBuf,
    /// Replicates a cell, instead of the file's
    #[arg(long, value_name = "N")]
    replicates: Option<u64>,
    /// Set a key of the file, for instance noise.sigma=0.5
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl StudyInput {
    fn study(&self) -> Result<Study, Failure> {
        let (text, replicates) = if self.file.is_dir() {
            let manifest = RunDir::open(&self.file)?.manifest()?;
            (manifest.study, self.replicates.or(Some(manifest.replicates)))
        } else {
            (read_text(&self.file)?, self.replicates)
        };
        let overrides = Overrides { replicates, set: self.set.clone() };
        let study = Study::new(&text, &overrides).map_err(|e| Failure::in_file(e, &self.file, &text))?;
        figures::check(&study.plan.file)
            .map_err(|e| Failure::in_file(in_text(e, &study.text), &self.file, &study.text))?;
        Ok(study)
    }

    /// The run directory: the one asked for, the one gone on with, or `runs/NAME`.
    fn out(&self, asked: Option<&PathBuf>, study: &Study) -> PathBuf {
        let default = || {
            if self.file.is_dir() {
                self.file.clone()
            } else {
                Path::new("runs").join(&study.plan.file.study.name)
            }
        };
        asked.cloned().unwrap_or_else(default)
    }
}

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

/// `study plan`.
#[derive(Debug, Args)]
pub struct PlanCommand {
    #[command(flatten)]
    file: StudyInput,
    /// Threads to plan for (default: one a processor)
    #[arg(long, value_name = "N", default_value_t = 0)]
    threads: usize,
    /// List the cells with their numbers and identities, and estimate nothing
    #[arg(long)]
    cells: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

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

impl StudyCommand {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        match self {
            Self::New(c) => c.run(),
            Self::Run(c) => c.run(),
            Self::Plan(c) => c.run(),
            Self::Submit(c) => c.run(),
            Self::Status(c) => c.run(),
            Self::Check(c) => c.run(),
            Self::Merge(c) => c.run(),
            Self::Verify(c) => c.run(),
            Self::Rerun(c) => c.run(),
        }
    }
}

/// What there is to say about identification, on standard error.
fn notes(study: &Study) -> Result<(), Failure> {
    for setting in study.plan.settings.iter().filter(|s| s.activated.is_none()) {
        if let Some(warning) = setting.identification()?.warning() {
            eprintln!("note: setting {}: {warning}", setting.name);
        }
    }
    Ok(())
}

/// Memory that a cell takes in plan, summary and table, measured on a study of a million.
const BYTES_A_CELL: f64 = 1500.0;

/// Bytes of memory that a study takes on `threads` threads.
fn memory(cost: &Cost, threads: usize) -> f64 {
    30e6 + threads as f64 * cost.memory_a_thread + cost.cells as f64 * BYTES_A_CELL
}

/// The command line as a shell reads it.
fn this_command() -> String {
    std::env::args().map(|a| quoted(&a)).collect::<Vec<_>>().join(" ")
}

fn threads(asked: usize) -> usize {
    if asked > 0 { asked } else { std::thread::available_parallelism().map_or(1, usize::from) }
}

impl Run {
    fn run(&self) -> Result<Status, Failure> {
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

/// Prints a summary and its checks.
fn print_summary(
    run: &Path,
    study: &Study,
    summary: &Summary,
    checks: &[CheckOutcome],
    json: bool,
) -> Result<Status, Failure> {
    if json {
        print_json(&serde_json::json!({
            "run": run, "study": study.plan.file.study.name, "summary": rows(summary, study), "checks": checks,
            "missing_replicates": summary.missing_replicates,
        }))?;
    } else {
        print(&summary_table(summary, width()))?;
        print(&wrap_lines(
            "\npred: root mean squared prediction error; frob: the same of the estimation error; MCSE: Monte Carlo standard error of the column before it; \
             risk: exact to first order, in full for linear regression; fail: errors + not converged + missed optima (another start, the truth among them, ended lower)\n\n",
        ))?;
        print(&verdicts(&wrap_lines(&check_lines(checks, false))))?;
        eprintln!("one page of it all: convstat report {}", quoted(&run.to_string_lossy()));
    }
    if summary.missing_replicates > 0 {
        return Ok(Status::Partly);
    }
    Ok(if checks.iter().all(|c| c.passed) { Status::Done } else { Status::CheckFailed })
}

/// The summary's table as JSON objects.
fn rows(summary: &Summary, study: &Study) -> serde_json::Value {
    use convstat::runner::Column;
    let table = summary.to_table(&study.plan);
    let row = |i: usize| {
        let values = table.columns().iter().map(|(name, column)| {
            let value = match column {
                Column::Int(v) => v[i].into(),
                Column::Float(v) => v[i].into(),
                Column::Text(v) => v[i].clone().into(),
            };
            (name.clone(), value)
        });
        serde_json::Value::Object(values.collect())
    };
    (0..table.rows()).map(row).collect()
}

/// Smallest and largest of some numbers.
fn range<T: Ord + Copy + Default>(numbers: impl Iterator<Item = T> + Clone) -> (T, T) {
    (numbers.clone().min().unwrap_or_default(), numbers.max().unwrap_or_default())
}

impl PlanCommand {
    /// The cells with their numbers.
    fn list(&self, plan: &study::Plan) -> Result<Status, Failure> {
        let file = &plan.file;
        let cells = plan.cells.iter().enumerate().map(|(number, c)| {
            let (design, estimator) = (file.design[c.design].label(), file.estimator[c.estimator].label());
            (number, &c.id, &plan.settings[c.setting].name, design, estimator, c.n)
        });
        if self.json {
            let json = |(number, id, setting, design, estimator, n)| {
                serde_json::json!({
                    "number": number, "cell": id, "setting": setting, "design": design, "solver": estimator, "n": n,
                })
            };
            print_json(&cells.map(json).collect::<Vec<_>>())?;
            return Ok(Status::Done);
        }
        let head = ["number", "cell", "setting", "design", "solver", "n"].map(str::to_owned).to_vec();
        let row =
            |(number, id, setting, design, estimator, n): (usize, &String, &String, String, &str, u64)| {
                vec![
                    number.to_string(),
                    id.clone(),
                    setting.clone(),
                    design,
                    estimator.to_owned(),
                    n.to_string(),
                ]
            };
        print(&align(&std::iter::once(head).chain(cells.map(row)).collect::<Vec<_>>()))?;
        Ok(Status::Done)
    }

    fn run(&self) -> Result<Status, Failure> {
        let study = self.file.study()?;
        if self.cells {
            return self.list(&study.plan);
        }
        let numbers = |s: usize| {
            let cells = study.plan.cells.iter().enumerate();
            cells.filter(move |(_, c)| c.setting == s)
        };
        let cost = estimate_cost(&study.plan)?;
        if self.json {
            let mut json = serde_json::to_value(cost).map_err(Failure::from_error)?;
            let settings = study.plan.settings.iter().enumerate().map(|(s, setting)| {
                let (first, last) = range(numbers(s).map(|(i, _)| i));
                serde_json::json!({ "setting": setting.name, "first_cell": first, "last_cell": last })
            });
            json["settings"] = settings.collect();
            print_json(&json)?;
            return Ok(Status::Done);
        }
        let head = ["setting", "structure", "d_M", "df", "naive", "features", "n", "cells"];
        let mut table = vec![head.map(str::to_owned).to_vec()];
        for (s, setting) in study.plan.settings.iter().enumerate() {
            let (low, high) = range(numbers(s).map(|(_, c)| c.n));
            let (first, last) = range(numbers(s).map(|(i, _)| i));
            table.push(vec![
                setting.name.clone(),
                setting.structure.name().to_owned(),
                setting.structure.d_m().to_string(),
                setting.dimension.to_string(),
                setting.structure.naive_parameters().to_string(),
                setting.structure.features().to_string(),
                format!("{low}..{high}"),
                format!("{first}..{last}"),
            ]);
        }
        let t = threads(self.threads);
        print(&align(&table))?;
        print(&format!(
            "\ncells               {}\nreplicates          {}\nfits                {}\ntime                about {:.0} s \
             on {t} threads\nmemory              about {:.0} MB\ndisk                about {:.1} MB\nexpected MCSE       \
             {:.2} % to {:.2} % of the error\n",
            cost.cells,
            cost.replicates,
            cost.fits,
            cost.cpu_seconds / t as f64,
            memory(&cost, t) / 1e6,
            cost.disk / 1e6,
            100.0 * cost.relative_mcse.0,
            100.0 * cost.relative_mcse.1,
        ))?;
        notes(&study)?;
        Ok(Status::Done)
    }
}

impl Check {
    fn run(&self) -> Result<Status, Failure> {
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

impl Rerun {
    fn run(&self) -> Result<Status, Failure> {
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
