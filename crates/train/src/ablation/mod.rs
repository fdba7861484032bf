//! Ablations: blocks × K/R × seeds on one data set, at fixed R or at a fixed budget, run and stored as studies are.

mod figure;
mod plan;
mod run;
mod summary;

pub use figure::draw;
pub use plan::{AblationFile, Cell, Fixed, MOST_SEEDS, Plan};
pub use run::{MetricsFolder, RunOptions, RunReport, run, seed_of};
pub use summary::{CellSummary, Summary};
