//! What was submitted: `RUN/slurm.json`.

use std::path::Path;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ranges::{indices, ranges};
use super::resources::Resources;
use crate::{Result, RunDir, RunnerError};

/// Version of the record's format that this program writes.
pub const RECORD_VERSION: u32 = 1;

/// Name of the record in a run directory.
pub const RECORD: &str = "slurm.json";

/// All submissions of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// See [`RECORD_VERSION`].
    pub format_version: u32,
    /// Submissions, the oldest first.
    pub submissions: Vec<Submission>,
}

/// One array and its merge job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// When, RFC 3339 in UTC.
    pub submitted: String,
    /// Name of the jobs, of this submission alone.
    pub job_name: String,
    /// Shards of the run then.
    pub shards: u64,
    /// Replicates a cell.
    pub replicates: u64,
    /// Shards submitted, from 1, in order.
    #[serde(serialize_with = "write_ranges", deserialize_with = "read_ranges")]
    pub indices: Vec<u64>,
    /// The array's job; none if the program ended before Slurm's answer was recorded.
    pub array_job: Option<u64>,
    /// The merge job; none if it could not be submitted.
    pub merge_job: Option<u64>,
    /// Resources asked for.
    pub resources: Resources,
}

fn write_ranges<S: Serializer>(indices: &[u64], serializer: S) -> std::result::Result<S::Ok, S::Error> {
    serializer.serialize_str(&ranges(indices))
}

fn read_ranges<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Vec<u64>, D::Error> {
    Ok(indices(&String::deserialize(deserializer)?))
}

impl Record {
    /// The record of a run directory, if it has one.
    ///
    /// # Errors
    /// It cannot be read, or a newer program wrote it.
    pub fn read(run: &Path) -> Result<Option<Self>> {
        let path = run.join(RECORD);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(RunnerError::io("read", &path)(e)),
        };
        let bad = |e: serde_json::Error| RunnerError::BadRecord { path: path.clone(), reason: e.to_string() };
        // The version first: a newer format may have other keys.
        let value: serde_json::Value = serde_json::from_str(&text).map_err(bad)?;
        let found = value.get("format_version").and_then(serde_json::Value::as_u64).unwrap_or(0);
        if found > u64::from(RECORD_VERSION) {
            return Err(RunnerError::NewerFormat { path, found, known: RECORD_VERSION });
        }
        serde_json::from_value(value).map_err(bad).map(Some)
    }

    /// Writes the record; of no submission there is none.
    ///
    /// # Errors
    /// It cannot be written or removed.
    pub fn write(&self, run: &RunDir) -> Result<()> {
        let path = run.path().join(RECORD);
        if self.submissions.is_empty() {
            return match std::fs::remove_file(&path) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    Err(RunnerError::io("remove", &path)(e))
                }
                _ => Ok(()),
            };
        }
        let text = serde_json::to_string_pretty(self).map_err(std::io::Error::other);
        let text = text.map_err(RunnerError::io("write", &path))?;
        run.write_file(RECORD, (text + "\n").as_bytes())
    }

    /// All jobs, arrays and merges.
    pub fn jobs(&self) -> Vec<u64> {
        self.submissions.iter().flat_map(|s| [s.array_job, s.merge_job]).flatten().collect()
    }

    /// Shards of the run as it is cut now, if anything was submitted.
    pub fn shards(&self) -> Option<u64> {
        self.submissions.last().map(|s| s.shards)
    }

    /// The latest submission that holds a shard of the run as it is cut now.
    pub fn submission_of(&self, shard: u64) -> Option<&Submission> {
        let holds =
            |s: &&Submission| Some(s.shards) == self.shards() && s.indices.binary_search(&shard).is_ok();
        self.submissions.iter().rev().find(holds)
    }
}
