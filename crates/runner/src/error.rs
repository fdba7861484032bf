//! What can go wrong around a run.

use std::path::PathBuf;

use thiserror::Error;

/// Errors of runs and their store.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// A run directory with results that do not belong to this run.
    #[error("{}: {reason}; give another folder (--out)", path.display())]
    OtherRun {
        /// The directory.
        path: PathBuf,
        /// What it holds.
        reason: String,
    },
    /// Reading or writing failed.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A Parquet file that cannot be read.
    #[error("{} is damaged or not Parquet: {reason}", path.display())]
    BadPart {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A table without a needed column.
    #[error("the table has no {kind} column \"{column}\"")]
    NoColumn {
        /// The column.
        column: String,
        /// Its kind.
        kind: &'static str,
    },
    /// Another process works in the run directory.
    #[error("another process is working in {}; wait for it, or choose another --out", path.display())]
    Locked {
        /// The run directory.
        path: PathBuf,
    },
    /// Shards that do not go together.
    #[error("{}: {what}; wait for it, or choose another --out", path.display())]
    Shard {
        /// The run directory.
        path: PathBuf,
        /// What is at work there.
        what: String,
    },
    /// Results could not be stored; those before are.
    #[error(
        "stopped after {stored} replicates, which are stored: {source}; when that is mended, the same command goes on"
    )]
    Stopped {
        /// Replicates of this command that are stored.
        stored: usize,
        /// What went wrong.
        source: Box<RunnerError>,
    },
    /// A run directory of a newer program.
    #[error(
        "{} has format version {found}, this program reads up to {known}; use a newer convstat", path.display()
    )]
    NewerFormat {
        /// The manifest.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The newest known here.
        known: u32,
    },
    /// A directory that is not a run.
    #[error("{} is not a run directory: it has no readable manifest.json ({reason}); if it is one, delete \
         manifest.json and run the study again with this --out: what the parts hold is kept", path.display())]
    NotARun {
        /// The directory.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The thread pool could not be started.
    #[error("cannot start {threads} threads: {reason}; use a smaller --threads")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// Why.
        reason: String,
    },
    /// Slurm's programs are not installed.
    #[error(
        "{program} is not in PATH: this command needs Slurm's programs, on a machine that may submit jobs"
    )]
    SlurmMissing {
        /// The program.
        program: &'static str,
    },
    /// Slurm does not answer.
    #[error(
        "{program} gave no answer in {seconds} s; look with \"scontrol ping\" whether Slurm's controller is up, then repeat \
         the command"
    )]
    SlurmSilent {
        /// The program.
        program: &'static str,
        /// How long it had.
        seconds: u64,
    },
    /// Slurm refuses.
    #[error("{program} failed: {reason}")]
    SlurmFailed {
        /// The program.
        program: &'static str,
        /// What it says.
        reason: String,
    },
    /// An option that cannot be.
    #[error("{option} {value}; {mend}")]
    BadOption {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        mend: String,
    },
    /// A word of a stored table that this program does not know.
    #[error(
        "the column \"{column}\" holds \"{value}\", which this program does not know (known: {known}); the run is of a newer \
         convstat, or damaged"
    )]
    UnknownWord {
        /// The column.
        column: String,
        /// What it holds.
        value: String,
        /// What it may hold.
        known: String,
    },
    /// Something that cannot be.
    #[error("internal error: {what}: {reason}; please report this")]
    Internal {
        /// What was done.
        what: &'static str,
        /// What went wrong.
        reason: String,
    },
    /// A record of submissions that cannot be read.
    #[error(
        "{} is not a record of submissions ({reason}); if none of the run's jobs is queued any more, delete it and submit \
         again", path.display()
    )]
    BadRecord {
        /// The record.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl RunnerError {
    /// A broken invariant.
    pub fn internal(what: &'static str, reason: impl ToString) -> Self {
        Self::Internal { what, reason: reason.to_string() }
    }

    /// For `map_err` on an I/O operation.
    pub fn io(action: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
