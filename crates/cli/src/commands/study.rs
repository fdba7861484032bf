//! `convstat study …`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use convstat::prelude::*;
use convstat::report::{check_lines, summary_table, table::align};
use convstat::runner::{RunDir, interrupt};
use convstat::study::{
    self,
    estimate_cost::estimate_cost,
    run::{read_rows, summarise},
};

use super::read_text;
use crate::failure::Failure;
use crate::output::{Status, print, print_json};

/// Subcommands of `study`.
#[derive(Debug, Subcommand)]
pub enum StudyCommand {
    /// Run what is missing of a study, summarise and check it
    #[command(after_help = "Examples:
  convstat study run experiments/cnn-rate.toml
  convstat study run experiments/cnn-rate.toml --replicates 400      adds the missing replicates only
  convstat study run experiments/cnn-rate.toml --set study.seed=7 --out runs/other-seed")]
    Run(Run),
    /// Cells, fits, estimated time, memory and disk, expected MCSE
    Plan(PlanCommand),
    /// What a run has and what is missing
    Status(OfRun),
    /// Run the checks of a study again on what its run has
    Check(Check),
    /// Repeat one replicate of a run and compare it with the stored row
    #[command(after_help = "Example:
  convstat study rerun runs/cnn-rate --cell 3 --replicate 17")]
    Rerun(Rerun),
}

/// A study file with what the command line changes.
#[derive(Debug, Args)]
struct StudyInput {
    /// Study file (TOML)
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
        let text = read_text(&self.file)?;
        let overrides = Overrides { replicates: self.replicates, set: self.set.clone() };
        Study::new(&text, &overrides).map_err(|e| Failure::in_file(e, &self.file, &text))
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
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A run directory.
#[derive(Debug, Args)]
pub struct OfRun {
    /// Run directory
    run: PathBuf,
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
    /// Cell: its number in the plan, or the beginning of its identity
    #[arg(long)]
    cell: String,
    /// Replicate, from 0
    #[arg(long)]
    replicate: u64,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl StudyCommand {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        match self {
            Self::Run(c) => c.run(),
            Self::Plan(c) => c.run(),
            Self::Status(c) => c.status(),
            Self::Check(c) => c.run(),
            Self::Rerun(c) => c.run(),
        }
    }
}

/// What there is to say about identification, on standard error.
fn notes(study: &Study) -> Result<(), Failure> {
    for setting in &study.plan.settings {
        if let Some(warning) = setting.identification()?.warning() {
            eprintln!("note: setting {}: {warning}", setting.name);
        }
    }
    Ok(())
}

/// An argument as a shell reads it.
fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        return argument.to_owned();
    }
    format!("'{}'", argument.replace('\'', "'\\''"))
}

fn threads(asked: usize) -> usize {
    if asked > 0 { asked } else { std::thread::available_parallelism().map_or(1, usize::from) }
}

impl Run {
    fn run(&self) -> Result<Status, Failure> {
        let study = self.file.study()?;
        let out = self.out.clone().unwrap_or_else(|| Path::new("runs").join(&study.plan.file.study.name));
        interrupt::install();
        let cells = study.plan.cells.len();
        let replicates = study.plan.replicates();
        eprintln!(
            "study {}: {cells} cells x {replicates} replicates on {} threads, run directory {}",
            study.plan.file.study.name,
            threads(self.threads),
            out.display()
        );
        let report = study::run(&study, &out, self.threads)?;
        for part in &report.damaged {
            eprintln!("warning: {part}; its replicates were run again");
        }
        notes(&study)?;
        if report.present > 0 {
            eprintln!("{} replicates were there already", report.present);
        }
        let Some(summary) = &report.summary else {
            let command: Vec<String> = std::env::args().map(|a| quoted(&a)).collect();
            eprintln!(
                "stopped after {} replicates, all stored; the same command resumes: {}",
                report.execution.done,
                command.join(" ")
            );
            return Ok(Status::Partly);
        };
        let passed = report.checks.iter().all(|c| c.passed);
        if self.json {
            print_json(&serde_json::json!({
                "run": out, "study": study.plan.file.study.name, "summary": rows(summary, &study), "checks": report.checks,
            }))?;
        } else {
            print(&summary_table(summary))?;
            print(&format!(
                "\npred: root mean squared prediction error; frob: the same of the estimation error; risk: exact; \
                 fail: errors + not converged + missed optima\n\n{}",
                check_lines(&report.checks, false)
            ))?;
        }
        Ok(if passed { Status::Done } else { Status::CheckFailed })
    }
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

impl PlanCommand {
    fn run(&self) -> Result<Status, Failure> {
        let study = self.file.study()?;
        let cost = estimate_cost(&study.plan)?;
        if self.json {
            print_json(&cost)?;
            return Ok(Status::Done);
        }
        let mut table =
            vec![["setting", "structure", "d_M", "df", "naive", "features", "n"].map(str::to_owned).to_vec()];
        for (s, setting) in study.plan.settings.iter().enumerate() {
            let sizes: Vec<u64> = study.plan.cells.iter().filter(|c| c.setting == s).map(|c| c.n).collect();
            let (low, high) =
                (sizes.iter().min().copied().unwrap_or(0), sizes.iter().max().copied().unwrap_or(0));
            table.push(vec![
                setting.name.clone(),
                setting.structure.name().to_owned(),
                setting.structure.d_m().to_string(),
                setting.structure.df()?.to_string(),
                setting.structure.naive_parameters().to_string(),
                setting.structure.features().to_string(),
                format!("{low}..{high}"),
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
            30.0 + t as f64 * cost.memory_a_thread / 1e6,
            cost.disk / 1e6,
            100.0 * cost.relative_mcse.0,
            100.0 * cost.relative_mcse.1,
        ))?;
        notes(&study)?;
        Ok(Status::Done)
    }
}

impl OfRun {
    fn status(&self) -> Result<Status, Failure> {
        let run = RunDir::open(&self.run)?;
        let study = Study::of_run(&run)?;
        let (rows, damaged) = read_rows(&run)?;
        let present = RunDir::present(&rows)?;
        let planned = study.plan.replicates();
        let done: Vec<u64> = study
            .plan
            .cells
            .iter()
            .map(|c| (0..planned).filter(|&r| present.contains(&(c.id.clone(), r as i64))).count() as u64)
            .collect();
        let total: u64 = done.iter().sum();
        let wanted = planned * study.plan.cells.len() as u64;
        let manifest = run.manifest()?;
        if self.json {
            print_json(&serde_json::json!({
                "study": manifest.name, "done": total, "planned": wanted, "damaged_parts": damaged.len(),
                "provenance": manifest.provenance,
            }))?;
        } else {
            let p = &manifest.provenance;
            print(&format!(
                "study {}: {total} of {wanted} replicates done\nstarted {} by convstat {} (commit {}), {}, {}\n",
                manifest.name, p.started, p.version, p.commit, p.processor, p.blas
            ))?;
            for e in &damaged {
                print(&format!("warning: {e}; its replicates will run again\n"))?;
            }
        }
        Ok(if total == wanted { Status::Done } else { Status::Partly })
    }
}

impl Check {
    fn run(&self) -> Result<Status, Failure> {
        let run = RunDir::open(&self.run)?;
        let mut study = Study::of_run(&run)?;
        if let Some(path) = &self.file {
            let text = read_text(path)?;
            let other = StudyFile::parse(&text).map_err(|e| Failure::in_file(e, path, &text))?;
            study.plan.file.check = other.check;
        }
        let (summary, checks) = summarise(&study, &run)?;
        if self.json {
            print_json(&checks)?;
        } else {
            print(&check_lines(&checks, true))?;
            if checks.is_empty() {
                print("the study has no [[check]]\n")?;
            }
        }
        if summary.missing_replicates > 0 {
            eprintln!(
                "{} replicates are missing; convstat study run completes them",
                summary.missing_replicates
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
        let row = study::rerun(&study, &self.cell, self.replicate)?;
        let (rows, _) = read_rows(&run)?;
        let stored = (0..rows.rows())
            .find(|&i| {
                let same = |name: &str, value: &str| rows.texts(name).is_ok_and(|c| c[i] == value);
                same("cell", &row.cell) && rows.ints("replicate").is_ok_and(|c| c[i] as u64 == self.replicate)
            })
            .map(|i| (rows.floats("err_frob").map(|c| c[i]), rows.floats("objective").map(|c| c[i])));
        let verdict = match stored {
            Some((Ok(e), Ok(o)))
                if e.to_bits() == row.err_frob.to_bits() && o.to_bits() == row.objective.to_bits() =>
            {
                "identical to the stored row"
            }
            Some(_) => "DIFFERENT from the stored row",
            None => "not stored yet",
        };
        if self.json {
            print_json(&serde_json::json!({
                "cell": row.cell, "setting": row.setting, "design": row.design, "solver": row.solver, "n": row.n,
                "replicate": row.replicate, "df": row.df, "err_frob": row.err_frob, "err_pred": row.err_pred,
                "objective": row.objective, "oracle_gap": row.oracle_gap, "start": row.start,
                "iterations": row.iterations, "termination": row.termination, "seconds": row.seconds,
                "compared": verdict,
            }))?;
        } else {
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
                row.termination,
                row.seconds
            ))?;
        }
        Ok(if verdict.starts_with("DIFF") { Status::CheckFailed } else { Status::Done })
    }
}
