//! What Slurm knows of jobs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::client::{QUESTION, call};
use super::ranges::indices;
use super::record::{Record, Submission};
use crate::{Result, RunnerError};

/// States in which a job does nothing any more (squeue(1), job state codes).
const ENDED: [&str; 10] = [
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PREEMPTED",
    "REVOKED",
    "TIMEOUT",
];

/// Jobs a question: an argument has a limit in length.
const JOBS_A_QUESTION: usize = 500;

/// A job, or a task of an array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobState {
    /// The job; of a task the array's.
    pub job: u64,
    /// Number of the task in its array.
    pub task: Option<u64>,
    /// As Slurm names it, for instance RUNNING.
    pub state: String,
    /// Its exit code and the signal that ended it.
    pub exit: Option<(u32, u32)>,
    /// Why it waits or ended, where Slurm says so.
    pub reason: String,
    /// The program that said so.
    pub source: &'static str,
}

impl JobState {
    fn key(&self) -> (u64, Option<u64>) {
        (self.job, self.task)
    }

    /// Whether it waits, runs or ends just now.
    pub fn is_alive(&self) -> bool {
        !ENDED.contains(&self.state.as_str())
    }

    /// Whether it ended without doing its work.
    pub fn has_failed(&self) -> bool {
        !self.is_alive() && self.state != "COMPLETED"
    }
}

/// What Slurm knows of the jobs of a record.
#[derive(Debug, Clone, Default)]
pub struct Queue {
    /// Jobs and tasks it knows, by job and number of the task.
    pub jobs: BTreeMap<(u64, Option<u64>), JobState>,
    /// Why the queue could not be read; jobs may be alive that [`Queue::jobs`] does not have.
    pub silent: Option<String>,
}

impl Queue {
    /// State of a task of an array.
    pub fn task(&self, job: u64, task: u64) -> Option<&JobState> {
        self.jobs.get(&(job, Some(task)))
    }

    /// State of a job that is no array.
    pub fn job(&self, job: u64) -> Option<&JobState> {
        self.jobs.get(&(job, None))
    }

    /// Merge jobs of `record` that wait, and those that run: these have the run directory for themselves.
    pub fn merges(&self, record: &Record) -> (Vec<u64>, Vec<u64>) {
        let jobs = record.submissions.iter().filter_map(|s| self.job(s.merge_job?));
        let (waiting, running): (Vec<_>, Vec<_>) =
            jobs.filter(|j| j.is_alive()).partition(|j| j.state == "PENDING");
        let numbers = |jobs: Vec<&JobState>| jobs.iter().map(|j| j.job).collect();
        (numbers(waiting), numbers(running))
    }

    /// Shards of `record` that wait or run, in order, with the number of shards of their submission.
    pub fn alive(&self, record: &Record) -> Vec<(u64, u64)> {
        let mut alive = Vec::new();
        for submission in &record.submissions {
            let Some(job) = submission.array_job else { continue };
            let is_alive = |i: &&u64| self.task(job, **i).is_some_and(JobState::is_alive);
            alive.extend(submission.indices.iter().filter(is_alive).map(|&i| (i, submission.shards)));
        }
        alive.sort_unstable();
        alive.dedup();
        alive
    }
}

/// Asks for the state of all jobs of a record: the queue, and accounting for what has left the queue.
pub fn query(record: &Record) -> Queue {
    let mut queue = Queue::default();
    let jobs = record.jobs();
    for jobs in jobs.chunks(JOBS_A_QUESTION) {
        match squeue(jobs) {
            Ok(known) => queue.jobs.extend(known.into_iter().map(|j| (j.key(), j))),
            Err(e) => {
                queue.silent = Some(e.to_string());
                break;
            }
        }
    }
    let knows = |s: &Submission| {
        let array = s.array_job.is_none_or(|job| s.indices.iter().all(|&i| queue.task(job, i).is_some()));
        array && s.merge_job.is_none_or(|job| queue.job(job).is_some())
    };
    let left: Vec<u64> = record
        .submissions
        .iter()
        .filter(|s| !knows(s))
        .flat_map(|s| [s.array_job, s.merge_job])
        .flatten()
        .collect();
    for jobs in left.chunks(JOBS_A_QUESTION) {
        // Many clusters keep no accounts; then what has left the queue is not known.
        let Ok(known) = sacct(jobs) else { break };
        for job in known {
            queue.jobs.entry(job.key()).or_insert(job);
        }
    }
    queue
}

/// Numbers of arrays with this name that the queue has.
///
/// # Errors
/// Slurm gives no answer.
pub fn arrays_named(name: &str) -> Result<Vec<u64>> {
    let arguments =
        ["--noheader", "--states=all", "--format=%F", &format!("--name={name}")].map(str::to_owned);
    let answer = call("squeue", &arguments, QUESTION)?;
    let mut jobs: Vec<u64> = answer.lines().filter_map(|l| l.trim().parse().ok()).collect();
    jobs.sort_unstable();
    jobs.dedup();
    Ok(jobs)
}

fn list(jobs: &[u64]) -> String {
    format!("--jobs={}", jobs.iter().map(ToString::to_string).collect::<Vec<_>>().join(","))
}

/// Jobs in the queue; those that ended stay for a while (MinJobAge).
fn squeue(jobs: &[u64]) -> Result<Vec<JobState>> {
    let fields = "ArrayJobID:24,ArrayTaskID:24,State:24,exit_code:16,Reason:64";
    let arguments = ["--noheader", "--array", "--states=all", "-O", fields, &list(jobs)].map(str::to_owned);
    match call("squeue", &arguments, QUESTION) {
        Ok(answer) => Ok(answer.lines().filter_map(squeue_line).collect()),
        // A single job that has left the queue is an error, several are not.
        Err(RunnerError::SlurmFailed { reason, .. }) if reason.contains("Invalid job id") => Ok(Vec::new()),
        Err(e) => Err(e),
    }
}

fn squeue_line(line: &str) -> Option<JobState> {
    let mut words = line.split_whitespace();
    let job = words.next()?.parse().ok()?;
    let task = words.next()?.parse().ok();
    let state = words.next()?.to_owned();
    // A wait status, as wait(2) gives it.
    let status: Option<u32> = words.next()?.parse().ok();
    let exit = status.map(|s| (s >> 8 & 0xff, s & 0x7f));
    let reason = words.collect::<Vec<_>>().join(" ");
    let reason = if reason == "None" { String::new() } else { reason };
    Some(JobState { job, task, state, exit, reason, source: "squeue" })
}

/// Jobs in the accounts, where the cluster keeps any.
fn sacct(jobs: &[u64]) -> Result<Vec<JobState>> {
    let arguments =
        ["--noheader", "--parsable2", "--allocations", "--format=JobID,State,ExitCode", &list(jobs)]
            .map(str::to_owned);
    Ok(call("sacct", &arguments, QUESTION)?.lines().flat_map(sacct_line).collect())
}

/// `12_3|FAILED|9:0`, `13|CANCELLED by 0|0:0`, `12_[4-5,7%2]|PENDING|0:0`.
fn sacct_line(line: &str) -> Vec<JobState> {
    let mut fields = line.split('|');
    let (Some(id), Some(state), Some(exit)) = (fields.next(), fields.next(), fields.next()) else {
        return Vec::new();
    };
    let (job, tasks) = id.split_once('_').map_or((id, None), |(job, tasks)| (job, Some(tasks)));
    let Ok(job) = job.parse() else { return Vec::new() };
    let state = state.split_whitespace().next().unwrap_or_default().to_owned();
    let exit = exit.split_once(':').and_then(|(c, s)| Some((c.parse().ok()?, s.parse().ok()?)));
    let one =
        |task| JobState { job, task, state: state.clone(), exit, reason: String::new(), source: "sacct" };
    match tasks {
        None => vec![one(None)],
        Some(tasks) => indices(tasks).into_iter().map(|i| one(Some(i))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_slurm_22_05_are_read() {
        let line = "4                       1                       CANCELLED               768             None     ";
        let job = squeue_line(line).unwrap();
        assert_eq!(
            (job.job, job.task, job.state.as_str(), job.exit),
            (4, Some(1), "CANCELLED", Some((3, 0)))
        );
        let merge = squeue_line("7    N/A   PENDING   0   (Nodes required for job are DOWN)").unwrap();
        assert_eq!((merge.task, merge.is_alive(), merge.has_failed()), (None, true, false));
        assert!(squeue_line("").is_none() && squeue_line("CLUSTER: a").is_none());

        let failed = &sacct_line("12_3|FAILED|9:0")[0];
        assert_eq!((failed.job, failed.task, failed.exit), (12, Some(3), Some((9, 0))));
        assert!(failed.has_failed());
        assert_eq!(sacct_line("13|CANCELLED by 0|0:0")[0].state, "CANCELLED");
        let waiting = sacct_line("12_[4-5,7%2]|PENDING|0:0");
        assert_eq!(waiting.iter().filter_map(|j| j.task).collect::<Vec<_>>(), [4, 5, 7]);
    }
}
