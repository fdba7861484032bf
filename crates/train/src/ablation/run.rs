//! Runs what is missing of an ablation: every task trains one network, stores one row.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use candle_core::DType;
use convstat_data::{Dataset, Loader};
use convstat_engine::DeviceSpec;
use convstat_runner::{
    Column, Description, Execution, Manifest, Outcome, Present, RunDir, RunnerError, Shard, Table, Task,
    TaskResult, execute, thread_pool,
};
use convstat_tensor::blas;

use super::plan::{Cell, Plan};
use super::summary::Summary;
use crate::events::EventWriter;
use crate::training::{EpochMetrics, Trainer, Watch, train};
use crate::{Result, TrainError};

/// One trained network.
#[derive(Debug, Clone)]
struct Row {
    cell: String,
    block: String,
    kr: f64,
    ranks: String,
    replicate: u64,
    parameters: usize,
    macs: u64,
    d_m: usize,
    accuracy: f64,
    clip_accuracy: f64,
    loss: f64,
    train_loss: f64,
    epochs: u64,
    outcome: Outcome<Ending>,
    seconds: f64,
}

/// How the training of a network that did not diverge ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// After all epochs.
    Done,
    /// Before: validation had not improved for long.
    StoppedEarly,
}

impl Ending {
    const ALL: [Self; 2] = [Self::Done, Self::StoppedEarly];

    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::StoppedEarly => "stopped early",
        }
    }
}

fn tabulate(rows: &[Row]) -> Table {
    let text = |f: &dyn Fn(&Row) -> &String| Column::Text(rows.iter().map(|r| f(r).clone()).collect());
    let int = |f: &dyn Fn(&Row) -> u64| Column::Int(rows.iter().map(|r| f(r) as i64).collect());
    let float = |f: &dyn Fn(&Row) -> f64| Column::Float(rows.iter().map(f).collect());
    Table::new(vec![
        ("cell", text(&|r| &r.cell)),
        ("block", text(&|r| &r.block)),
        ("kr", float(&|r| r.kr)),
        ("ranks", text(&|r| &r.ranks)),
        ("replicate", int(&|r| r.replicate)),
        ("parameters", int(&|r| r.parameters as u64)),
        ("macs", int(&|r| r.macs)),
        ("d_m", int(&|r| r.d_m as u64)),
        ("accuracy", float(&|r| r.accuracy)),
        ("clip_accuracy", float(&|r| r.clip_accuracy)),
        ("loss", float(&|r| r.loss)),
        ("train_loss", float(&|r| r.train_loss)),
        ("epochs", int(&|r| r.epochs)),
        (TERMINATION, Column::Text(rows.iter().map(|r| r.outcome.text(Ending::name)).collect())),
        ("seconds", float(&|r| r.seconds)),
    ])
}

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

/// Seed of a replicate, shared by all cells, which then see the same batches.
pub fn seed_of(seed: u64, replicate: u64) -> u64 {
    seed.wrapping_mul(1_000_003).wrapping_add(replicate)
}

/// Networks side by side on a GPU, where nothing else is asked for: small networks leave most of it idle.
const BESIDE: usize = 4;

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
    blas::single_thread()?;
    let RunOptions { threads, shard, device } = options;
    // Before anything is written: values have to fit the data, the device has to be there.
    let file = &plan.file;
    Loader::new(data.train.clone(), data.normalisation(), file.training.batch, file.data.augment.clone(), 0)?;
    let blas = match device.gpu {
        Some(_) => device.open()?.name(),
        None => blas::description(),
    };
    let header = &plan.file.ablation;
    let (seed, replicates, data_digest) = (header.seed, header.seeds, Some(data.digest()));
    let about = Description { name: &header.name, text, seed, replicates, data: data_digest, blas };
    if let Some(other) = Manifest::find(out)?.filter(|m| m.name != header.name) {
        let mend = format!("it holds the run \"{}\"; give another folder", other.name);
        return Err(TrainError::bad("--out", out.display(), mend));
    }
    let mut run = match shard {
        None => RunDir::create(out, &about)?,
        Some(shard) => RunDir::create_shard(out, shard, &about)?,
    };
    let like = tabulate(&[]);
    let walked = run.walk(&like, |_, _| Ok::<_, RunnerError>(()))?;
    let mut all: Vec<Task> = (0..header.seeds)
        .flat_map(|replicate| (0..plan.cells.len()).map(move |cell| Task { cell, replicate }))
        .collect();
    // The slowest first, so that no thread waits for one at the end; and dealt to shards in this order.
    all.sort_by_key(|t| (std::cmp::Reverse(plan.cells[t.cell].counts.macs), t.cell, t.replicate));
    let share = all.into_iter().zip(0..).filter(|(_, rank)| shard.is_none_or(|s| s.holds(*rank)));
    let share: Vec<Task> = share.map(|(task, _)| task).collect();
    let is_there = |p: &Present, t: &Task| p.contains(&plan.cells[t.cell].id, t.replicate);
    let tasks: Vec<Task> = share.iter().copied().filter(|t| !is_there(&walked.present, t)).collect();
    let present = share.len() - tasks.len();
    let threads = match (device.gpu, threads) {
        (Some(_), 0) => BESIDE,
        _ => thread_pool(threads)?.current_num_threads(),
    };
    // Networks side by side as far as there are threads, each with its share of them.
    let beside = threads.min(tasks.len()).max(1);
    let inner = (threads / beside).max(1);
    let error = Mutex::new(None);
    let mut execution = Execution { done: 0, failures: 0, interrupted: false };
    if !tasks.is_empty() {
        let folder = out.to_owned();
        let work = |task: Task| {
            if error.lock().is_ok_and(|e| e.is_some()) {
                return TaskResult::Interrupted;
            }
            // On a thread of its own: a worker that waits must not begin the next network.
            let row = std::thread::scope(|scope| {
                let inside = || {
                    let pool = thread_pool(inner)?;
                    pool.install(|| train_cell(plan, task, data, &folder, device))
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
        execution = execute(&mut run, &header.name, &tasks, beside, work, tabulate, &mut ())?;
    }
    if let Some(e) = error.into_inner().ok().flatten() {
        return Err(e);
    }
    let mut rows = Table::default();
    let stored = run.walk(&like, |part, _| rows.append(part.clone()))?;
    execution.interrupted |= tasks.iter().any(|t| !is_there(&stored.present, t));
    if run.is_exclusive() {
        run.compact(&stored, &like)?;
    }
    let summary = Summary::new(plan, &rows)?;
    let cells = if rows.rows() == 0 { &[][..] } else { rows.texts("cell")? };
    let left_out = cells.iter().filter(|id| plan.cells.iter().all(|c| c.id != **id)).count();
    let texts = if rows.rows() == 0 { &[][..] } else { rows.texts(TERMINATION)? };
    let outcomes = texts.iter().map(|t| Outcome::read(TERMINATION, t, &Ending::ALL, Ending::name));
    let outcomes = outcomes.collect::<std::result::Result<Vec<_>, _>>()?;
    let diverged = outcomes.iter().find_map(Outcome::error).map(str::to_owned);
    let damaged = walked.damaged.iter().map(ToString::to_string).collect();
    Ok(RunReport { execution, present, damaged, diverged, left_out, summary })
}

/// The column that says how training ended.
const TERMINATION: &str = "termination";

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

fn empty_row(cell: &Cell, replicate: u64, outcome: Outcome<Ending>) -> Row {
    let ranks: Vec<String> = cell.ranks().iter().map(ToString::to_string).collect();
    Row {
        cell: cell.id.clone(),
        block: cell.block.clone(),
        kr: cell.kr,
        ranks: ranks.join(","),
        replicate,
        parameters: cell.counts.parameters,
        macs: cell.counts.macs,
        d_m: cell.counts.d_m,
        accuracy: f64::NAN,
        clip_accuracy: f64::NAN,
        loss: f64::NAN,
        train_loss: f64::NAN,
        epochs: 0,
        outcome,
        seconds: 0.0,
    }
}

/// Trains one network; none if a signal ended it, whose checkpoint then goes on.
fn train_cell(
    plan: &Plan,
    task: Task,
    data: &Dataset,
    out: &Path,
    device: DeviceSpec,
) -> Result<Option<Row>> {
    let (cell, replicate) = (&plan.cells[task.cell], task.replicate);
    let backend = device.open()?;
    let network = plan.network(cell)?;
    let seed = seed_of(plan.file.ablation.seed, replicate);
    let mut trainer = Trainer::new(&network, &*backend, &plan.file.training, seed, DType::F32)?;
    let name = format!("{}-{replicate}", cell.id);
    let checkpoint = out.join("checkpoints").join(format!("{name}.safetensors"));
    let mut metrics = MetricsFolder::create(&out.join("metrics").join(&name))?;
    let watch = Watch {
        checkpoint: Some(&checkpoint),
        on_step: &mut |_, _, _, _| {},
        on_epoch: &mut |epoch| metrics.add(epoch),
    };
    let trained = train(&mut trainer, data, &plan.file.data.augment, seed, watch)?;
    if trained.interrupted {
        return Ok(None);
    }
    metrics.finish(&trained.progress.epochs)?;
    let last = trained.progress.epochs.last();
    let is_early = last.is_some_and(|e| e.epoch < plan.file.training.epochs);
    let ending = if is_early { Ending::StoppedEarly } else { Ending::Done };
    let row = Row {
        accuracy: trained.accuracy,
        clip_accuracy: trained.clip_accuracy,
        loss: trained.loss,
        train_loss: last.map_or(f64::NAN, |e| e.train_loss),
        epochs: last.map_or(0, |e| e.epoch),
        seconds: trained.progress.seconds,
        ..empty_row(cell, replicate, Outcome::Completed(ending))
    };
    for path in [checkpoint.clone(), checkpoint.with_extension("best")] {
        // What is finished needs no checkpoint; one that stays is read and found complete.
        let _ = fs::remove_file(path);
    }
    Ok(Some(row))
}

/// The curves of one run: TensorBoard events and CSV as it goes, Parquet at its end.
#[derive(Debug)]
pub struct MetricsFolder {
    folder: PathBuf,
    /// From the first epoch on: a command that finds nothing to do leaves no file.
    events: Option<EventWriter>,
}

/// Heading of the CSV file.
const HEADING: &str = "epoch,steps,rate,train_loss,validation,images_per_second\n";

impl MetricsFolder {
    /// A folder for the curves of one run.
    pub fn create(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(TrainError::io("create", folder))?;
        let csv = folder.join("metrics.csv");
        if !csv.exists() {
            fs::write(&csv, HEADING).map_err(TrainError::io("write", &csv))?;
        }
        Ok(Self { folder: folder.to_owned(), events: None })
    }

    /// Adds an epoch.
    pub fn add(&mut self, e: &EpochMetrics) -> Result<()> {
        let step = e.steps as i64;
        let events = match &mut self.events {
            Some(events) => events,
            none => none.insert(EventWriter::create(&self.folder)?),
        };
        events.scalar("rate", step, e.rate as f32)?;
        events.scalar("train/loss", step, e.train_loss as f32)?;
        events.scalar("images per second", step, e.images_per_second as f32)?;
        if let Some(v) = e.validation {
            events.scalar("validation/accuracy", step, v as f32)?;
        }
        events.flush()?;
        let path = self.folder.join("metrics.csv");
        let mut file =
            fs::OpenOptions::new().append(true).open(&path).map_err(TrainError::io("write", &path))?;
        file.write_all(line(e).as_bytes()).map_err(TrainError::io("write", &path))
    }

    /// Writes all epochs anew, without those that a cut-off run left twice.
    pub fn finish(&self, epochs: &[EpochMetrics]) -> Result<()> {
        let csv = self.folder.join("metrics.csv");
        let text: String = std::iter::once(HEADING.to_owned()).chain(epochs.iter().map(line)).collect();
        fs::write(&csv, text).map_err(TrainError::io("write", &csv))?;
        let float = |f: &dyn Fn(&EpochMetrics) -> f64| Column::Float(epochs.iter().map(f).collect());
        let int =
            |f: &dyn Fn(&EpochMetrics) -> u64| Column::Int(epochs.iter().map(|e| f(e) as i64).collect());
        Table::new(vec![
            ("epoch", int(&|e| e.epoch)),
            ("steps", int(&|e| e.steps)),
            ("rate", float(&|e| e.rate)),
            ("train_loss", float(&|e| e.train_loss)),
            ("validation", float(&|e| e.validation.unwrap_or(f64::NAN))),
            ("images_per_second", float(&|e| e.images_per_second)),
        ])
        .write(&self.folder.join("metrics.parquet"))?;
        Ok(())
    }
}

fn line(e: &EpochMetrics) -> String {
    let validation = e.validation.map_or(String::new(), |v| format!("{v:.6}"));
    format!(
        "{},{},{:.8},{:.8},{validation},{:.1}\n",
        e.epoch, e.steps, e.rate, e.train_loss, e.images_per_second
    )
}
