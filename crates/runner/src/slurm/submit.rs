//! Submission of an array and its merge job.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;

use super::client::{QUESTION, SUBMISSION, call};
use super::ranges::ranges;
use super::record::{RECORD_VERSION, Record, Submission};
use super::resources::Resources;
use super::script::Job;
use super::script::command_line;
use super::state::{Queue, arrays_named};
use crate::lock::{LockedFile, alone_in};
use crate::{Digest, Result, RunDir, RunnerError};

/// Where the files of Slurm's jobs are in a run directory.
#[derive(Debug, Clone)]
pub struct Layout {
    folder: PathBuf,
    /// The folder as `sbatch --output` reads it.
    pattern: String,
}

impl Layout {
    /// Of the run directory at the absolute path `run`.
    ///
    /// # Errors
    /// A path that scripts or `sbatch` cannot name.
    pub fn new(run: &Path) -> Result<Self> {
        let folder = run.join("slurm");
        let bad = |mend: &str| RunnerError::BadOption {
            option: "--out",
            value: run.display().to_string(),
            mend: mend.to_owned(),
        };
        let text = folder.to_str().ok_or_else(|| bad("scripts need a path in UTF-8"))?;
        // A backslash ends all replacement in sbatch's patterns, of the job and of the shard too.
        if let Some(c) = text.chars().find(|&c| c == '\\' || c.is_control()) {
            return Err(bad(&format!("Slurm cannot write logs in a path that holds {c:?}; choose another")));
        }
        Ok(Self { pattern: text.replace('%', "%%"), folder })
    }

    /// A file of the jobs.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The log of a shard's task.
    pub fn log(&self, array: u64, shard: u64) -> PathBuf {
        self.file(&format!("{array}_{shard}.log"))
    }

    /// The log of a merge job.
    pub fn merge_log(&self, merge: u64) -> PathBuf {
        self.file(&format!("merge_{merge}.log"))
    }

    /// Makes the folder and takes its lock, which one submission holds at a time.
    ///
    /// # Errors
    /// Another process submits this run now.
    pub fn lock(&self) -> Result<LockedFile> {
        alone_in(&self.folder, "submit")
    }

    fn common(&self, name: &str, log: &str, after: &[String], resources: &Resources) -> Vec<String> {
        let mut arguments = vec![
            "sbatch".to_owned(),
            "--parsable".to_owned(),
            format!("--job-name={name}"),
            format!("--output={}/{log}", self.pattern),
            "--chdir=/".to_owned(),
            "--open-mode=append".to_owned(),
            "--requeue".to_owned(),
            "--nodes=1".to_owned(),
            "--ntasks=1".to_owned(),
        ];
        if !after.is_empty() {
            arguments.push(format!("--dependency=afterany:{}", after.join(":")));
        }
        arguments.extend(resources.arguments());
        arguments
    }

    /// The command that submits the array.
    fn array_command(
        &self,
        name: &str,
        indices: &[u64],
        after: &[u64],
        resources: &Resources,
    ) -> Vec<String> {
        let after: Vec<String> = after.iter().map(ToString::to_string).collect();
        let mut arguments = self.common(name, "%A_%a.log", &after, resources);
        arguments.push(format!("--array={}", ranges(indices)));
        arguments.push(format!("--signal=B:USR1@{}", resources.warning));
        arguments.push(self.file("array.sh").display().to_string());
        arguments
    }

    /// The command that submits the merge job. It runs whatever became of the tasks, to say what is missing.
    fn merge_command(&self, name: &str, after: &[String], resources: &Resources) -> Vec<String> {
        let mut arguments = self.common(&format!("{name}-merge"), "merge_%j.log", after, resources);
        arguments.push(self.file("merge.sh").display().to_string());
        arguments
    }
}

/// What a submission would write and run.
#[derive(Debug, Clone, Serialize)]
pub struct DryRun {
    /// Text of the array's script.
    pub array_script: String,
    /// Text of the merge job's script.
    pub merge_script: String,
    /// The command that submits the array; in place of TAG the jobs have a tag of their submission.
    pub array_command: String,
    /// The command that submits the merge job; ARRAY_JOB is the number of the array.
    pub merge_command: String,
}

impl DryRun {
    /// Of the shards `indices`.
    pub fn new(layout: &Layout, job: &Job, indices: &[u64], resources: &Resources) -> Self {
        let name = job.job_name("TAG");
        Self {
            array_script: job.array_script(),
            merge_script: job.merge_script(),
            array_command: command_line(&layout.array_command(&name, indices, &[], resources)),
            merge_command: command_line(&layout.merge_command(&name, &["ARRAY_JOB".to_owned()], resources)),
        }
    }
}

impl Record {
    /// Completes submissions whose jobs were not recorded, for the program ended before Slurm answered: those that Slurm has
    /// get their number, the others never came to be.
    ///
    /// # Errors
    /// Slurm gives no answer.
    pub fn complete(&mut self) -> Result<()> {
        for submission in &mut self.submissions {
            if submission.array_job.is_none() {
                submission.array_job = arrays_named(&submission.job_name)?.pop();
            }
            if submission.merge_job.is_none() {
                submission.merge_job = arrays_named(&format!("{}-merge", submission.job_name))?.pop();
            }
        }
        self.submissions.retain(|s| s.array_job.is_some());
        Ok(())
    }
}

/// What was submitted.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The array's job.
    pub array: u64,
    /// The merge job, or why there is none.
    pub merge: std::result::Result<u64, String>,
}

/// Writes the scripts, submits the shards `indices` and a merge job after all that is `queue`d, and records each step in
/// `record` and on disk. The caller holds [`Layout::lock`].
///
/// # Errors
/// A file cannot be written, or Slurm refuses the array.
pub fn submit(
    run: &RunDir,
    layout: &Layout,
    job: &Job,
    indices: &[u64],
    resources: &Resources,
    record: Option<Record>,
    queue: &Queue,
) -> Result<Submitted> {
    run.write_file("slurm/array.sh", job.array_script().as_bytes())?;
    run.write_file("slurm/merge.sh", job.merge_script().as_bytes())?;
    let fresh = Record { format_version: RECORD_VERSION, submissions: Vec::new() };
    let mut record = record.unwrap_or(fresh);
    // One merge job suffices: the new one replaces those that wait.
    let (waiting, running) = queue.merges(&record);
    let is_alive = |array: &u64| queue.jobs.values().any(|j| j.job == *array && j.is_alive());
    let mut arrays: Vec<u64> =
        record.submissions.iter().filter_map(|s| s.array_job).filter(is_alive).collect();

    let now = SystemTime::now();
    let key = format!("{}\n{now:?}\n{}", run.path().display(), std::process::id());
    let name = job.job_name(&Digest::of(&key).short()[..8]);
    record.submissions.push(Submission {
        submitted: humantime::format_rfc3339_seconds(now).to_string(),
        job_name: name.clone(),
        shards: job.shards,
        replicates: job.replicates,
        indices: indices.to_vec(),
        array_job: None,
        merge_job: None,
        resources: resources.clone(),
    });
    // Before Slurm is asked: whatever ends this process, the next one finds the array by its name.
    record.write(run)?;
    let array = match sbatch(&layout.array_command(&name, indices, &running, resources)) {
        Ok(array) => array,
        Err(refused) => {
            // Slurm may have taken it and failed to say so; only if it answers that it has none is the record as before.
            if record.complete().is_ok() {
                record.write(run)?;
            }
            return Err(refused);
        }
    };
    if let Some(submission) = record.submissions.last_mut() {
        submission.array_job = Some(array);
    }
    record.write(run)?;
    arrays.push(array);
    let arrays: Vec<String> = arrays.iter().map(ToString::to_string).collect();
    let merge = sbatch(&layout.merge_command(&name, &arrays, resources)).map_err(|e| e.to_string());
    if let (Ok(merge), Some(submission)) = (&merge, record.submissions.last_mut()) {
        submission.merge_job = Some(*merge);
        record.write(run)?;
        for job in waiting {
            // If it stays it says once more what is missing.
            let _ = call("scancel", &[job.to_string()], QUESTION);
        }
    }
    Ok(Submitted { array, merge })
}

/// Submits and returns the number of the job.
fn sbatch(command: &[String]) -> Result<u64> {
    let answer = call("sbatch", &command[1..], SUBMISSION).map_err(|e| match e {
        RunnerError::SlurmFailed { program, reason } if reason.contains("Invalid job array") => {
            let mend = "the numbers of an array stay below the cluster's MaxArraySize (scontrol show config): give fewer --shards";
            RunnerError::SlurmFailed { program, reason: format!("{reason}; {mend}") }
        }
        other => other,
    })?;
    // With several clusters the name of the cluster follows.
    let number = answer.trim().split(';').next().and_then(|n| n.parse().ok());
    number.ok_or_else(|| RunnerError::SlurmFailed {
        program: "sbatch",
        reason: format!("its answer \"{}\" is not the number of a job", answer.trim()),
    })
}
