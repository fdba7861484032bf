//! Runs what is missing of an ablation: every task trains one network, stores one row.

use std::path::Path;
use std::sync::Mutex;

use convstat_data::{Dataset, Loader};
use convstat_engine::DeviceSpec;
use convstat_runner::{
    Description, Execution, Manifest, Outcome, Present, RunDir, RunnerError, Shard, Table, Task, TaskResult,
    execute, thread_pool,
};
use convstat_tensor::blas;

use super::cell::train_cell;
use super::plan::{Cell, Plan};
use super::row::{Ending, Row, TERMINATION, empty_row, tabulate};
use super::summary::Summary;
use crate::{Result, TrainError};

/// What a run brought.
#[derive(Debug)]
pub struct RunReport {
    /// How the execution ended.
    pub execution: Execution,
    /// Networks that were there already.
    pub present: usize,
    /// Parts that could not be read; their networks were trained again.
    pub damaged: Vec<String>,
    /// Why the first of the networks that diverged did.
    pub diverged: Option<String>,
    /// Networks stored there that the file does not ask for: of an earlier text, or in another precision.
    pub left_out: usize,
    /// Summary of what there is.
    pub summary: Summary,
}

/// Networks side by side on a GPU, where nothing else is asked for: small networks leave most of it idle.
const SIDE_BY_SIDE: usize = 4;

/// How an ablation runs.
#[derive(Debug, Clone, Copy)]
pub struct RunOptions {
    /// Threads (0: one a processor); on a GPU: networks side by side (0: four).
    pub threads: usize,
    /// The share to train, if not all.
    pub shard: Option<Shard>,
    /// Where it computes.
    pub device: DeviceSpec,
}

/// Trains what is missing in `out`, or what is missing of a shard there, then summarises what there is.
///
/// # Errors
/// A run directory that cannot be used, values that do not fit the data; networks that diverge are rows that say so.
pub fn run(plan: &Plan, text: &str, data: &Dataset, out: &Path, options: RunOptions) -> Result<RunReport> {
    let mut run = open(plan, text, data, out, options)?;
    let like = tabulate(&[]);
    let walked = run.walk(&like, |_, _| Ok::<_, RunnerError>(()))?;
    let share = share(plan, options.shard);
    let is_there = |p: &Present, t: &Task| p.contains(&plan.cells[t.cell].id, t.replicate);
    let tasks: Vec<Task> = share.iter().copied().filter(|t| !is_there(&walked.present, t)).collect();
    let present = share.len() - tasks.len();
    let mut execution = train_all(plan, &tasks, data, &mut run, out, options)?;
    let mut rows = Table::default();
    let stored = run.walk(&like, |part, _| rows.append(part.clone()))?;
    execution.interrupted |= tasks.iter().any(|t| !is_there(&stored.present, t));
    if run.is_exclusive() {
        run.compact(&stored, &like)?;
    }
    let summary = Summary::new(plan, &rows)?;
    let column = |name: &str| if rows.rows() == 0 { Ok(&[][..]) } else { rows.texts(name) };
    let left_out = column("cell")?.iter().filter(|id| plan.cells.iter().all(|c| c.id != **id)).count();
    let outcome = |text: &String| Outcome::read(TERMINATION, text, &Ending::ALL, Ending::name);
    let outcomes = column(TERMINATION)?.iter().map(outcome);
    let outcomes = outcomes.collect::<std::result::Result<Vec<_>, _>>()?;
    let diverged = outcomes.iter().find_map(Outcome::error).map(str::to_owned);
    let damaged = walked.damaged.iter().map(ToString::to_string).collect();
    Ok(RunReport { execution, present, damaged, diverged, left_out, summary })
}

/// The run directory, once values fit the data and the device is there.
fn open(plan: &Plan, text: &str, data: &Dataset, out: &Path, options: RunOptions) -> Result<RunDir> {
    blas::single_thread()?;
    let file = &plan.file;
    Loader::new(data.train.clone(), data.normalisation(), file.training.batch, file.data.augment.clone(), 0)?;
    let blas = match options.device.gpu {
        Some(_) => options.device.open()?.name(),
        None => blas::description(),
    };
    let header = &file.ablation;
    let (seed, replicates, data) = (header.seed, header.seeds, Some(data.digest()));
    let about = Description { name: &header.name, text, seed, replicates, data, blas };
    if let Some(other) = Manifest::find(out)?.filter(|m| m.name != header.name) {
        let mend = format!("it holds the run \"{}\"; give another folder", other.name);
        return Err(TrainError::bad("--out", out.display(), mend));
    }
    Ok(match options.shard {
        None => RunDir::create(out, &about)?,
        Some(shard) => RunDir::create_shard(out, shard, &about)?,
    })
}

/// All tasks, or those of a shard.
fn share(plan: &Plan, shard: Option<Shard>) -> Vec<Task> {
    let mut all: Vec<Task> = (0..plan.file.ablation.seeds)
        .flat_map(|replicate| (0..plan.cells.len()).map(move |cell| Task { cell, replicate }))
        .collect();
    // The slowest first, so that no thread waits for one at the end; and dealt to shards in this order.
    all.sort_by_key(|t| (std::cmp::Reverse(plan.cells[t.cell].counts.macs), t.cell, t.replicate));
    let share = all.into_iter().zip(0..).filter(|(_, rank)| shard.is_none_or(|s| s.holds(*rank)));
    share.map(|(task, _)| task).collect()
}

/// Trains the networks of these tasks, side by side as far as there are threads, each with its share of them.
fn train_all(
    plan: &Plan,
    tasks: &[Task],
    data: &Dataset,
    run: &mut RunDir,
    out: &Path,
    options: RunOptions,
) -> Result<Execution> {
    let threads = match (options.device.gpu, options.threads) {
        (Some(_), 0) => SIDE_BY_SIDE,
        _ => thread_pool(options.threads)?.current_num_threads(),
    };
    let together = threads.min(tasks.len()).max(1);
    let inner = (threads / together).max(1);
    let error = Mutex::new(None);
    let work = |task: Task| {
        if error.lock().is_ok_and(|e| e.is_some()) {
            return TaskResult::Interrupted;
        }
        // On a thread of its own: a worker that waits must not begin the next network.
        let row = std::thread::scope(|scope| {
            let inside = || {
                let pool = thread_pool(inner)?;
                pool.install(|| train_cell(plan, task, data, out, options.device))
            };
            scope.spawn(inside).join().unwrap_or_else(|_| {
                Err(TrainError::shape("training", "a thread ended unexpectedly; please report this"))
            })
        });
        finished(&plan.cells[task.cell], task.replicate, row).unwrap_or_else(|e| {
            if let Ok(mut first) = error.lock() {
                first.get_or_insert(e);
            }
            TaskResult::Interrupted
        })
    };
    let mut execution = Execution { done: 0, failures: 0, interrupted: false };
    if !tasks.is_empty() {
        execution = execute(run, &plan.file.ablation.name, tasks, together, work, tabulate, &mut ())?;
    }
    match error.into_inner().ok().flatten() {
        Some(e) => Err(e),
        None => Ok(execution),
    }
}

/// That a network diverges is a result; other errors end the run and leave no row, so that it can be mended.
fn finished(cell: &Cell, replicate: u64, result: Result<Option<Row>>) -> Result<TaskResult<Row>> {
    match result {
        Ok(Some(row)) => Ok(TaskResult::Done(row)),
        Ok(None) => Ok(TaskResult::Interrupted),
        Err(e @ TrainError::Diverged { .. }) => {
            Ok(TaskResult::Failed(empty_row(cell, replicate, Outcome::Failed(e.to_string()))))
        }
        Err(e) => Err(e),
    }
}
