//! Training of one network: steps, epochs, checkpoints, evaluation.

mod evaluation;
mod labels;
mod memory;
mod progress;
mod run;
mod spec;
mod store;
mod trainer;

pub use evaluation::test;
pub use progress::{EpochMetrics, Progress, Trained, Watch};
pub use run::train;
pub use spec::{EarlyStop, TrainingSpec};
pub use trainer::Trainer;
