//! Runs on a cluster under Slurm: a job array of shards and a merge job that depends on it.
//!
//! * [`client`]: Slurm's programs, each with a limit in time, for they wait minutes for a controller that is down.
//! * [`script`]: the texts of the batch scripts.
//! * [`resources`]: what a task asks for.
//! * [`record`]: what was submitted, in `RUN/slurm.json`.
//! * [`state`]: what Slurm knows of it.
//! * [`submit`](fn@submit): scripts written, jobs submitted, each step recorded.
//!
//! A run directory has `slurm.json` and a folder `slurm` with `study.toml` (the text as submitted), `array.sh`,
//! `merge.sh` and one log a task, `JOB_SHARD.log`.

pub mod client;
pub mod ranges;
pub mod record;
pub mod resources;
pub mod script;
pub mod state;
pub mod submit;

pub use record::{Record, Submission};
pub use resources::{Resources, parse_time, time_text};
pub use script::{Job, command_line, quoted};
pub use state::{JobState, Queue, query};
pub use submit::{DryRun, Layout, Submitted, submit};
