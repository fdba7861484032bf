//! What `study status` says of a run that was submitted to a cluster.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use convstat::prelude::*;
use convstat::report::table::align;
use convstat::runner::Present;
use convstat::runner::slurm::{self, JobState, Layout, Record, Submission, command_line, time_text};
use convstat::study::run::missing_by_shard;
use serde::Serialize;

use crate::failure::Failure;

/// End of a log that is read for its last line.
const TAIL: u64 = 8192;

/// Shards beyond which a table leaves out those that are complete.
const MOST_ROWS: usize = 40;

/// A shard and its task.
#[derive(Debug, Serialize)]
struct ShardStatus {
    shard: u64,
    done: u64,
    planned: u64,
    /// As Slurm names it; none if it knows nothing (any more).
    state: Option<String>,
    reason: Option<String>,
    exit_code: Option<u32>,
    signal: Option<u32>,
    /// The program that said so.
    source: Option<&'static str>,
    /// The task, as Slurm's programs take it.
    job: Option<String>,
    /// Last line of the log of a task that failed.
    last_line: Option<String>,
}

/// The merge job.
#[derive(Debug, Serialize)]
struct MergeStatus {
    job: Option<u64>,
    state: Option<String>,
    last_line: Option<String>,
}

/// All that is known of the jobs of a run.
#[derive(Debug, Serialize)]
pub struct SlurmStatus {
    shards: Vec<ShardStatus>,
    merge: MergeStatus,
    /// Why states are not known.
    silent: Option<String>,
    /// What to do.
    next: String,
    /// The command that does it, if there is one.
    command: Option<String>,
}

impl SlurmStatus {
    /// Of the run at `run`, if it was submitted.
    pub fn new(run: &Path, study: &Study, present: &Present) -> Result<Option<Self>, Failure> {
        let run = std::path::absolute(run).map_err(Failure::from_error)?;
        let Some(mut record) = Record::read(&run)? else { return Ok(None) };
        let layout = Layout::new(&run)?;
        let completed = record.complete();
        let mut queue = slurm::query(&record);
        if let (None, Err(e)) = (&queue.silent, completed) {
            queue.silent = Some(e.to_string());
        }
        let Some(shards) = record.shards() else { return Ok(None) };
        let planned = missing_by_shard(&study.plan, &Present::default(), shards);
        let missing = missing_by_shard(&study.plan, present, shards);
        let shard = |(i, (&planned, &missing)): (usize, (&u64, &u64))| {
            let shard = i as u64 + 1;
            let array = record.submission_of(shard).and_then(|s| s.array_job);
            let state = array.and_then(|job| queue.task(job, shard));
            let log = array.filter(|_| missing > 0 && state.is_none_or(JobState::has_failed));
            ShardStatus {
                shard,
                done: planned - missing,
                planned,
                state: state.map(|s| s.state.clone()),
                reason: state.map(|s| s.reason.clone()).filter(|r| !r.is_empty()),
                exit_code: state.filter(|s| !s.is_alive()).and_then(|s| Some(s.exit?.0)),
                signal: state.filter(|s| !s.is_alive()).and_then(|s| Some(s.exit?.1)),
                source: state.map(|s| s.source),
                job: array.map(|job| format!("{job}_{shard}")),
                last_line: log.and_then(|job| last_line(&layout.log(job, shard))),
            }
        };
        let shards: Vec<ShardStatus> = planned.iter().zip(&missing).enumerate().map(shard).collect();
        let last = record.submissions.last();
        let merge = last.and_then(|s| s.merge_job);
        let merge_state = merge.and_then(|job| queue.job(job));
        let mut status = Self {
            shards,
            merge: MergeStatus {
                job: merge,
                state: merge_state.map(|s| s.state.clone()),
                last_line: merge
                    .filter(|_| merge_state.is_none_or(JobState::has_failed))
                    .and_then(|m| last_line(&layout.merge_log(m))),
            },
            silent: queue.silent.clone(),
            next: String::new(),
            command: None,
        };
        let alive: Vec<u64> = queue.alive(&record).iter().map(|a| a.0).collect();
        let idle = status.shards.iter().filter(|s| s.done < s.planned && !alive.contains(&s.shard)).count();
        let text = run.display().to_string();
        let merge_is_alive = merge_state.is_some_and(JobState::is_alive);
        (status.next, status.command) = if missing.iter().all(|&m| m == 0) {
            if merge_is_alive {
                ("all replicates are there; the merge job follows".to_owned(), None)
            } else if !is_merged(&run) {
                let command = ["convstat", "study", "merge", &text].map(str::to_owned);
                ("all replicates are there; summary and checks".to_owned(), Some(command_line(&command)))
            } else if merge_state.is_some_and(|m| m.exit == Some((1, 0))) {
                let command = ["convstat", "study", "check", &text].map(str::to_owned);
                (
                    "all replicates are there and merged; a check failed".to_owned(),
                    Some(command_line(&command)),
                )
            } else {
                ("nothing: all replicates are there and merged".to_owned(), None)
            }
        } else if let Some(reason) = &status.silent {
            (format!("ask again when Slurm answers; what is queued is not known: {reason}"), None)
        } else if idle > 0 {
            let command = last.map(|s| submit_command(&layout, &text, s));
            (format!("submit again the shards that miss replicates and are not queued ({idle})"), command)
        } else {
            ("wait: all shards that miss replicates are queued or running".to_owned(), None)
        };
        Ok(Some(status))
    }

    /// For a reader.
    pub fn text(&self) -> String {
        let mut table =
            vec![["shard", "replicates", "state", "job", "last line"].map(str::to_owned).to_vec()];
        let is_complete =
            |s: &&ShardStatus| s.done == s.planned && s.state.as_ref().is_none_or(|s| s == "COMPLETED");
        let left_out =
            if self.shards.len() > MOST_ROWS { self.shards.iter().filter(is_complete).count() } else { 0 };
        for s in self.shards.iter().filter(|s| left_out == 0 || !is_complete(s)) {
            let end = match (s.exit_code, s.signal) {
                (_, Some(signal)) if signal > 0 => format!(" (signal {signal})"),
                (Some(code), _) if code > 0 => format!(" (exit code {code})"),
                _ => s.reason.as_ref().map(|r| format!(" ({r})")).unwrap_or_default(),
            };
            let state = s.state.as_ref().map_or("not known".to_owned(), |state| format!("{state}{end}"));
            table.push(vec![
                s.shard.to_string(),
                format!("{}/{}", s.done, s.planned),
                state,
                s.job.clone().unwrap_or_default(),
                shortened(s.last_line.as_ref()),
            ]);
        }
        table.push(vec![
            "merge".to_owned(),
            String::new(),
            self.merge.state.clone().unwrap_or("not known".to_owned()),
            self.merge.job.map(|j| j.to_string()).unwrap_or_default(),
            shortened(self.merge.last_line.as_ref()),
        ]);
        let command = self.command.as_ref().map(|c| format!("\n  {c}")).unwrap_or_default();
        let left_out = if left_out > 0 { format!("{left_out} shards are complete\n") } else { String::new() };
        format!("\n{}{left_out}\nnext: {}{command}\n", align(&table), self.next)
    }
}

/// A line that fits beside the other columns.
fn shortened(line: Option<&String>) -> String {
    const MOST: usize = 100;
    let line = line.map_or("", String::as_str);
    let cut: String = line.chars().take(MOST).collect();
    if cut.len() < line.len() { cut + "…" } else { cut }
}

/// The command that submits what is missing, of the text and with the resources of the latest submission.
fn submit_command(layout: &Layout, run: &str, last: &Submission) -> String {
    let r = &last.resources;
    let file = layout.file("study.toml").display().to_string();
    let mut words =
        ["convstat", "study", "submit", &file, "--engine", "slurm", "--out", run].map(str::to_owned).to_vec();
    words.push(format!("--shards={}", last.shards));
    words.push(format!("--replicates={}", last.replicates));
    words.push(format!("--time={}", time_text(r.time)));
    words.push(format!("--mem={}", r.memory));
    words.push(format!("--threads={}", r.threads));
    words.extend(r.partition.iter().map(|p| format!("--partition={p}")));
    words.extend(r.account.iter().map(|a| format!("--account={a}")));
    words.extend(r.options.iter().map(|o| format!("--sbatch={o}")));
    command_line(&words)
}

/// Whether the summary is there and no part is newer.
fn is_merged(run: &Path) -> bool {
    let time = |path: &Path| path.metadata().and_then(|m| m.modified()).ok();
    let Some(summary) = time(&run.join("summary.parquet")) else { return false };
    let Ok(parts) = std::fs::read_dir(run.join("parts")) else { return false };
    let mut parts =
        parts.flatten().map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "parquet"));
    parts.all(|part| time(&part).is_some_and(|t| t <= summary))
}

/// The last line of a log that says something.
fn last_line(path: &Path) -> Option<String> {
    let mut file = std::fs::File::open(path).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().rev().map(str::trim).find(|l| !l.is_empty()).map(str::to_owned)
}
