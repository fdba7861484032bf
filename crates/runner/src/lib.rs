//! Runs cells × replicates: streams of random numbers, threads, progress, an append-only store and
//! resume. Knows no statistics.
//!
//! * [`stream`](fn@stream): counter-based random streams; any replicate can be rerun alone.
//! * [`Table`]: named columns, to and from Parquet.
//! * [`RunDir`]: manifest, parts, OS locks (DESIGN: the run directory); [`Shard`]s write in one beside each other.
//! * [`execute`](fn@execute): rayon over tasks, one writer, progress, interruption.
//! * [`slurm`]: shards as a job array of a cluster.

pub mod error;
pub mod execute;
pub mod interrupt;
mod lock;
pub mod manifest;
pub mod outcome;
pub mod pages;
pub mod parts;
pub mod progress;
pub mod shard;
pub mod slurm;
pub mod store;
pub mod stream;
pub mod table;
pub mod text;
mod write;

pub use error::RunnerError;
pub use execute::{Execution, Task, TaskResult, execute, thread_pool};
pub use manifest::{Description, FORMAT_VERSION, Manifest, Provenance};
pub use outcome::Outcome;
pub use parts::{Present, Walked};
pub use progress::{Progress, Watch, time_left};
pub use shard::{Shard, shard_of};
pub use store::RunDir;
pub use stream::{Digest, stream};
pub use table::{Column, Table};
pub use text::read_text;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, RunnerError>;
