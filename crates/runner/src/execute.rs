//! Runs tasks on all threads and stores their rows.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use crate::progress::Watch;
use crate::{Progress, Result, RunDir, RunnerError, Table, interrupt};

/// A part is written when it has this many rows…
const PART_ROWS: usize = 20_000;
/// …or this old: what a crash can lose. It grows with the run, so that short runs lose little and long ones have few
/// parts.
const PART_AGE: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(5)];

/// One replicate of one cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Task {
    /// Index of the cell in the plan.
    pub cell: usize,
    /// Replicate, from 0.
    pub replicate: u64,
}

/// What one task brought.
#[derive(Debug)]
pub enum TaskResult<R> {
    /// A row.
    Done(R),
    /// A row that says what went wrong, which the display counts as a failure.
    Failed(R),
    /// Nothing: a signal ended it.
    Interrupted,
}

/// How an execution ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Execution {
    /// Tasks done and stored.
    pub done: usize,
    /// Failures among them.
    pub failures: usize,
    /// Whether a signal stopped it before the end.
    pub interrupted: bool,
}

/// Threads beyond which a number is a mistake.
const MOST_THREADS: usize = 1024;

/// A pool of `threads` threads (0: one a processor).
///
/// # Errors
/// So many that it is a mistake, or the system starts none.
pub fn thread_pool(threads: usize) -> Result<rayon::ThreadPool> {
    if threads > MOST_THREADS {
        return Err(RunnerError::Threads { threads, reason: format!("at most {MOST_THREADS}") });
    }
    let built = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    built.map_err(|e| RunnerError::Threads { threads, reason: e.to_string() })
}

/// Runs `work` on every task with `threads` threads (0: one a processor) and appends the rows to
/// `run` in parts. Rows are made into a table by `tabulate`; `watch` sees each of them, for the display.
///
/// # Errors
/// The threads cannot be started, or a part cannot be written; what is stored stays.
pub fn execute<R: Send>(
    run: &mut RunDir,
    name: &str,
    tasks: &[Task],
    threads: usize,
    work: impl Fn(Task) -> TaskResult<R> + Sync,
    tabulate: impl Fn(&[R]) -> Table,
    watch: &mut dyn Watch<R>,
) -> Result<Execution> {
    let pool = thread_pool(threads)?;
    let mut progress = Progress::new(name, tasks.len() as u64);
    let mut execution = Execution { done: 0, failures: 0, interrupted: false };
    let (sender, receiver) = mpsc::sync_channel::<TaskResult<R>>(4096);
    let stop = std::sync::atomic::AtomicBool::new(false);
    let stopped = || interrupt::requested() || stop.load(std::sync::atomic::Ordering::Relaxed);
    let result = pool.in_place_scope(|scope| {
        let (work, stopped) = (&work, &stopped);
        scope.spawn(move |_| {
            tasks.par_iter().with_max_len(1).for_each_with(sender, |sender, &task| {
                if !stopped() {
                    // The receiver hangs up only after a write error, which ends the run.
                    let _ = sender.send(work(task));
                }
            });
        });
        let stored = collect(run, &receiver, &tabulate, (&mut progress, watch), &mut execution);
        if stored.is_err() {
            stop.store(true, std::sync::atomic::Ordering::Relaxed);
            for _ in &receiver {}
        }
        stored
    });
    progress.finish();
    execution.interrupted = execution.done < tasks.len() && result.is_ok();
    result.map(|()| execution)
}

/// Takes rows until all senders are gone, writing parts on the way.
fn collect<R>(
    run: &mut RunDir,
    receiver: &mpsc::Receiver<TaskResult<R>>,
    tabulate: impl Fn(&[R]) -> Table,
    (progress, watch): (&mut Progress, &mut dyn Watch<R>),
    execution: &mut Execution,
) -> Result<()> {
    let mut rows = Vec::new();
    let started = Instant::now();
    let mut oldest = started;
    loop {
        let part_age = (started.elapsed() / 8).clamp(PART_AGE[0], PART_AGE[1]);
        let message = receiver.recv_timeout(part_age);
        let ended = matches!(message, Err(mpsc::RecvTimeoutError::Disconnected));
        let is_failure = matches!(message, Ok(TaskResult::Failed(_)));
        if let Ok(TaskResult::Done(row) | TaskResult::Failed(row)) = message {
            if rows.is_empty() {
                oldest = Instant::now();
            }
            watch.see(&row);
            progress.step(is_failure, || watch.text());
            execution.done += 1;
            execution.failures += usize::from(is_failure);
            rows.push(row);
        }
        let due = rows.len() >= PART_ROWS || oldest.elapsed() >= part_age;
        if !rows.is_empty() && (ended || due) {
            run.write_part(&tabulate(&rows)).map_err(|source| RunnerError::Stopped {
                stored: execution.done.saturating_sub(rows.len()),
                source: Box::new(source),
            })?;
            rows.clear();
        }
        if ended {
            return Ok(());
        }
    }
}
