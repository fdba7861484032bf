//! Ablations: blocks × K/R × seeds on one data set, at fixed R or at a fixed budget, run and stored as studies are.

mod cell;
mod curves;
mod figure;
mod plan;
mod row;
mod run;
mod summary;

pub use cell::seed_of;
pub use curves::MetricsFolder;
pub use figure::draw;
pub use plan::{AblationFile, Cell, Fixed, MOST_SEEDS, Plan};
pub use run::{RunOptions, RunReport, run};
pub use summary::{CellSummary, Summary};
