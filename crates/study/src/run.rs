//! Runs, resumes and reruns studies.

use std::collections::HashSet;
use std::path::Path;

use convstat_runner::{
    Execution, Outcome, RunDir, RunnerError, Table, Task, execute, interrupt, thread_pool,
};
use convstat_tensor::blas;

use crate::checks::{CheckOutcome, run_checks};
use crate::plan::Plan;
use crate::replicate::run_replicate;
use crate::row::{Row, tabulate};
use crate::summary::Summary;
use crate::{Result, StudyError, StudyFile};

/// What the command line changes in a study file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Replicates a cell.
    pub replicates: Option<u64>,
    /// `key=value` pairs, the key dotted (`study.seed=7`, `noise.sigma=0.5`), the value TOML.
    pub set: Vec<String>,
}

/// A study file as it will run.
#[derive(Debug)]
pub struct Study {
    /// Its text, overrides included.
    pub text: String,
    /// Its plan.
    pub plan: Plan,
}

impl Study {
    /// Reads and plans a study.
    ///
    /// # Errors
    /// What is wrong in the file, with the place.
    pub fn new(text: &str, overrides: &Overrides) -> Result<Self> {
        // Before overrides, so that places in messages are those of the file.
        let mut file = StudyFile::parse(text)?;
        let mut text = text.to_owned();
        let mut set = overrides.set.clone();
        set.extend(overrides.replicates.map(|r| format!("study.replicates={r}")));
        if !set.is_empty() {
            text = apply(&text, &set)?;
            file = StudyFile::parse(&text)?;
        }
        Ok(Self { plan: Plan::new(file)?, text })
    }

    /// The study of an existing run, from its manifest.
    pub fn of_run(run: &RunDir) -> Result<Self> {
        let manifest = run.manifest()?;
        Self::new(&manifest.study, &Overrides { replicates: Some(manifest.replicates), set: Vec::new() })
    }
}

/// Parts of a dotted key, more than any has.
const MOST_NESTING: usize = 8;

/// Sets dotted keys in a TOML text.
fn apply(text: &str, set: &[String]) -> Result<String> {
    let mut table: toml::Table =
        toml::from_str(text).map_err(|e| StudyError::bad("study file", "", e.message()))?;
    for pair in set {
        let bad = |mend: &str| StudyError::bad("--set", pair, mend);
        let (key, value) = pair.split_once('=').ok_or_else(|| bad("write it as key=value"))?;
        let parsed: toml::Table = toml::from_str(&format!("v = {value}"))
            .or_else(|_| toml::from_str(&format!("v = {value:?}")))
            .map_err(|_| bad("the value has to be TOML"))?;
        let Some(value) = parsed.get("v").cloned() else { return Err(bad("the value has to be TOML")) };
        let mut parts: Vec<&str> = key.trim().split('.').collect();
        // Tables are written and dropped by recursion.
        if parts.len() > MOST_NESTING {
            return Err(bad(&format!(
                "the key has {} parts; no key has more than {MOST_NESTING}",
                parts.len()
            )));
        }
        let last = parts.pop().unwrap_or_default();
        let mut at = &mut table;
        for part in parts {
            let entry = at.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            at = entry.as_table_mut().ok_or_else(|| {
                bad("only keys of tables can be set (study, noise, truth, samples, theory), not of lists")
            })?;
        }
        at.insert(last.to_owned(), value);
    }
    toml::to_string(&table).map_err(|e| StudyError::bad("--set", set.join(" "), &e.to_string()))
}

/// What a run brought.
#[derive(Debug)]
pub struct RunReport {
    /// How the execution ended.
    pub execution: Execution,
    /// Replicates that were there already.
    pub present: usize,
    /// Parts that could not be read; their replicates ran again.
    pub damaged: Vec<String>,
    /// The summary, if the run is complete.
    pub summary: Option<Summary>,
    /// Checks, if the run is complete.
    pub checks: Vec<CheckOutcome>,
}

/// Runs what is missing of a study in `out`, then summarises and checks it.
pub fn run(study: &Study, out: &Path, threads: usize) -> Result<RunReport> {
    blas::single_thread()?;
    let mut run = RunDir::create(out)?;
    let header = &study.plan.file.study;
    run.describe(&header.name, &study.text, header.seed, study.plan.replicates(), None, blas::description())?;
    let (rows, damaged) = read_rows(&run)?;
    let tasks = missing(&study.plan, &rows)?;
    let present = study.plan.cells.len() * study.plan.replicates() as usize - tasks.len();
    let execution = if tasks.is_empty() {
        Execution { done: 0, failures: 0, interrupted: false }
    } else {
        let plan = &study.plan;
        let work = |task: Task| {
            let row = run_replicate(plan, &plan.cells[task.cell], task.replicate);
            Outcome { failed: row.termination.starts_with("error"), row, done: true }
        };
        execute(&mut run, &plan.file.study.name, &tasks, threads, work, tabulate)?
    };
    let mut report = RunReport {
        execution,
        present,
        damaged: damaged.iter().map(ToString::to_string).collect(),
        summary: None,
        checks: Vec::new(),
    };
    if !execution.interrupted {
        interrupt::all_stored();
        let (summary, checks) = thread_pool(threads)?.install(|| summarise(study, &run))?;
        (report.summary, report.checks) = (Some(summary), checks);
    }
    Ok(report)
}

/// Tasks of the plan that have no row, replicate by replicate, so that cells fill evenly.
fn missing(plan: &Plan, rows: &Table) -> Result<Vec<Task>> {
    let present: HashSet<(String, i64)> = RunDir::present(rows)?;
    let mut tasks = Vec::new();
    for replicate in 0..plan.replicates() {
        for (i, cell) in plan.cells.iter().enumerate() {
            if !present.contains(&(cell.id.clone(), replicate as i64)) {
                tasks.push(Task { cell: i, replicate });
            }
        }
    }
    Ok(tasks)
}

/// The rows of a run, and the parts that could not be read.
pub fn read_rows(run: &RunDir) -> Result<(Table, Vec<RunnerError>)> {
    Ok(run.read_parts(&tabulate(&[]))?)
}

/// Summarises a run and runs its checks; the holder of the run's lock writes summary.parquet and checks.json, a
/// reader writes nothing.
pub fn summarise(study: &Study, run: &RunDir) -> Result<(Summary, Vec<CheckOutcome>)> {
    blas::single_thread()?;
    let (rows, _) = read_rows(run)?;
    let path = run.path().join("summary.parquet");
    let earlier = Table::read(&path).ok();
    let summary = Summary::new(&study.plan, &rows, earlier.as_ref())?;
    let checks = run_checks(&study.plan.file, &summary)?;
    if !run.is_writable() {
        return Ok((summary, checks));
    }
    let temporary = run.path().join("summary.tmp");
    summary.to_table(&study.plan).write(&temporary)?;
    std::fs::rename(&temporary, &path).map_err(RunnerError::io("write", &path))?;
    let json = serde_json::to_string_pretty(&checks).map_err(std::io::Error::other);
    let json = json.map_err(RunnerError::io("write", &path))?;
    run.write_file("checks.json", (json + "\n").as_bytes())?;
    Ok((summary, checks))
}

/// Repeats one replicate of a cell.
pub fn rerun(study: &Study, cell: &str, replicate: u64) -> Result<Row> {
    blas::single_thread()?;
    let cell = study.plan.find_cell(cell)?;
    Ok(run_replicate(&study.plan, cell, replicate))
}
