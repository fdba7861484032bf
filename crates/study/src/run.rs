//! Runs, resumes and reruns studies.

use std::path::Path;

use convstat_estimate::TracePoint;
use convstat_runner::{
    Execution, Present, RunDir, RunnerError, Shard, Table, Task, TaskResult, Walked, execute, interrupt,
    thread_pool,
};
use convstat_tensor::blas;

use crate::checks::{CheckOutcome, run_checks};
use crate::file::StudyFile;
use crate::plan::Plan;
use crate::replicate::{follow_replicate, run_replicate};
use crate::row::{Row, tabulate};
use crate::running::Running;
use crate::study::Study;
use crate::summarise::Groups;
use crate::summary::Summary;
use crate::{Result, StudyError};

/// How a study runs; nothing here changes a result.
#[derive(Debug, Clone, Copy, Default)]
pub struct RunOptions {
    /// Threads; 0: one a processor.
    pub threads: usize,
    /// The share to run, if not all.
    pub shard: Option<Shard>,
}

/// What a run brought.
#[derive(Debug)]
pub struct RunReport {
    /// How the execution ended.
    pub execution: Execution,
    /// Replicates of its share that were there already.
    pub present: usize,
    /// Parts that could not be read; their replicates ran again.
    pub damaged: Vec<String>,
    /// The summary, if all replicates are there; not of a shard.
    pub summary: Option<Summary>,
    /// Checks of the summary.
    pub checks: Vec<CheckOutcome>,
}

/// Prepares `out` for processes that are to run shards of a study: its manifest is written, and its lock given back.
///
/// # Errors
/// A run directory that cannot be used or written, or that another process works in.
pub fn prepare(study: &Study, out: &Path) -> Result<()> {
    RunDir::create(out, &study.description())?;
    Ok(())
}

/// Runs what is missing of a study in `out`, then summarises and checks it; a shard runs what is missing of its share, and
/// leaves summary and checks to [`merge`](crate::merge()).
///
/// # Errors
/// A run directory that cannot be used or written; what is stored stays.
pub fn run(study: &Study, out: &Path, options: RunOptions) -> Result<RunReport> {
    blas::single_thread()?;
    let mut run = match options.shard {
        None => RunDir::create(out, &study.description())?,
        Some(shard) => RunDir::create_shard(out, shard, &study.description())?,
    };
    let plan = &study.plan;
    let (walked, mut running) = look(plan, &run)?;
    let mut present = 0;
    let mut tasks = Vec::new();
    // Replicate by replicate, so that cells fill evenly.
    for replicate in 0..plan.replicates() {
        for (cell, c) in plan.cells.iter().enumerate() {
            if options.shard.is_some_and(|s| plan.shard_of(cell, replicate, s.of()) != s.index()) {
                continue;
            }
            if walked.present.contains(&c.id, replicate) {
                present += 1;
            } else {
                tasks.push(Task { cell, replicate });
            }
        }
    }
    let damaged = walked.damaged.iter().map(ToString::to_string).collect();
    drop(walked);
    let execution = if tasks.is_empty() {
        Execution { done: 0, failures: 0, interrupted: false }
    } else {
        let work = |task: Task| {
            let row = run_replicate(plan, &plan.cells[task.cell], task.replicate);
            if row.outcome.is_failed() { TaskResult::Failed(row) } else { TaskResult::Done(row) }
        };
        let name = match options.shard {
            None => plan.file.study.name.clone(),
            Some(shard) => format!("{}, shard {shard}", plan.file.study.name),
        };
        let table = |rows: &[Row]| tabulate(&plan.file, rows);
        execute(&mut run, &name, &tasks, options.threads, work, table, &mut running)?
    };
    let mut report = RunReport { execution, present, damaged, summary: None, checks: Vec::new() };
    if !execution.interrupted {
        interrupt::all_stored();
        if options.shard.is_none() {
            let summarised = thread_pool(options.threads)?.install(|| summarise(study, &mut run));
            let (summary, checks) = summarised.map_err(|e| match e {
                // All replicates are stored: the same command has only to write what it finds.
                StudyError::Runner(source @ RunnerError::Io { .. }) => {
                    RunnerError::Stopped { stored: execution.done, source: Box::new(source) }.into()
                }
                other => other,
            })?;
            (report.summary, report.checks) = (Some(summary), checks);
        }
    }
    Ok(report)
}

/// What is there of a run, and how far its cells are.
///
/// # Errors
/// The parts cannot be read.
pub fn look<'a>(plan: &'a Plan, run: &RunDir) -> Result<(Walked, Running<'a>)> {
    let mut running = Running::new(plan);
    let walked = run.walk(&tabulate(&plan.file, &[]), |rows, _| running.add(rows))?;
    Ok((walked, running))
}

/// What is there of a run.
///
/// # Errors
/// The parts cannot be read.
pub fn walk(run: &RunDir) -> Result<Walked> {
    run.walk(&columns_of(run)?, |_, _| Ok(()))
}

/// A table without rows that has the columns of a run's parts.
fn columns_of(run: &RunDir) -> Result<Table> {
    Ok(tabulate(&StudyFile::parse(&run.manifest()?.study)?, &[]))
}

/// Replicates that are missing, by shard of `of`.
pub fn missing_by_shard(plan: &Plan, present: &Present, of: u64) -> Vec<u64> {
    let mut missing = vec![0; of as usize];
    for (cell, c) in plan.cells.iter().enumerate() {
        for replicate in (0..plan.replicates()).filter(|&r| !present.contains(&c.id, r)) {
            missing[plan.shard_of(cell, replicate, of) as usize - 1] += 1;
        }
    }
    missing
}

/// The rows of a run, and the parts that could not be read.
///
/// # Errors
/// The folder of the parts cannot be read.
pub fn read_rows(run: &RunDir) -> Result<(Table, Vec<RunnerError>)> {
    Ok(run.read_parts(&columns_of(run)?)?)
}

/// Summarises a run and runs its checks; its only writer writes summary.parquet and checks.json and merges small parts, a
/// reader writes nothing.
///
/// # Errors
/// The parts cannot be read, or the summary not written.
pub fn summarise(study: &Study, run: &mut RunDir) -> Result<(Summary, Vec<CheckOutcome>)> {
    blas::single_thread()?;
    let like = tabulate(&study.plan.file, &[]);
    let mut groups = Groups::new(&study.plan);
    let walked = run.walk(&like, |rows, _| groups.add(rows))?;
    let path = run.path().join("summary.parquet");
    let earlier = Table::read(&path).ok();
    let summary = Summary::new(groups, earlier.as_ref())?;
    let checks = run_checks(&study.plan.file.check, &summary)?;
    if !run.is_exclusive() {
        return Ok((summary, checks));
    }
    run.compact(&walked, &like)?;
    run.write_table("summary.parquet", &summary.to_table(&study.plan))?;
    let json = serde_json::to_string_pretty(&checks).map_err(std::io::Error::other);
    let json = json.map_err(RunnerError::io("write", &path))?;
    run.write_file("checks.json", (json + "\n").as_bytes())?;
    Ok((summary, checks))
}

/// Repeats one replicate of a cell; its row and every step of its fit.
///
/// # Errors
/// There is no such cell.
pub fn rerun(study: &Study, cell: &str, replicate: u64) -> Result<(Row, Vec<TracePoint>)> {
    blas::single_thread()?;
    let cell = study.plan.find_cell(cell)?;
    let mut steps = Vec::new();
    let row = follow_replicate(&study.plan, cell, replicate, Some(&mut |step| steps.push(*step)));
    Ok((row, steps))
}
