//! Simulation studies of sample complexity, from study file to checked summary.
//!
//! study file → [`Plan`] (cells: setting × design × estimator × n) → replicates → parts → [`Summary`]
//! (means with Monte Carlo standard errors beside theory) → [`checks`].
//!
//! * [`StudyFile`]: the TOML file in ADEMP order (Morris, White & Crowther 2019).
//! * [`designs`]: laws of the inputs, one file each.
//! * [`activated`]: settings with an activation, trained.
//! * [`run`](fn@run): runs or resumes a study; [`rerun`] repeats one replicate.
//! * [`merge`](fn@merge) unites shards; [`verify`](fn@verify) repeats a random share of a run.
//! * [`Record`]: failures by cell, and who computed what.
//! * [`checks`]: unit tests of error bounds, one file each.

// Not forbid: ndarray's slicing macro allows it for itself.
#![deny(unsafe_code)]

pub mod activated;
pub mod candidates;
pub mod cell_theory;
pub mod checks;
pub mod coverage;
pub mod designs;
pub mod error;
pub mod estimate_cost;
pub mod file;
mod intervals;
mod labels;
pub mod merge;
mod operations;
pub mod outcome;
mod place;
pub mod plan;
pub mod record;
pub mod replicate;
pub mod row;
pub mod run;
pub mod running;
pub mod sample_size;
pub mod sampling;
pub mod selected;
mod selection;
pub mod setting;
pub mod statistics;
pub mod study;
pub mod summarise;
pub mod summary;
pub mod theory;
mod trained;
mod validate;
pub mod verify;

pub use convstat_cnn::Activation;

pub use checks::{CheckOutcome, run_checks};
pub use error::StudyError;
pub use file::{Response, StudyFile};
pub use merge::{Merged, merge};
pub use outcome::ReplicateOutcome;
pub use place::{in_text, parse_toml};
pub use plan::{Cell, Plan};
pub use record::Record;
pub use replicate::run_replicate;
pub use row::Row;
pub use run::{RunOptions, RunReport, rerun, run};
pub use running::Running;
pub use sample_size::{EmpiricalSampleSize, Quantity, sample_size};
pub use study::{Overrides, Study};
pub use summary::{CellSummary, Summary};
pub use verify::{Verification, VerifyOptions, verify};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, StudyError>;
