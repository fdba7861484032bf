//! What can go wrong.

use std::path::{Path, PathBuf};

/// Errors of this crate; the message says what to change.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The tensor library failed.
    #[error("tensor operation failed: {0}")]
    Tensor(#[from] candle_core::Error),
    /// Shapes that do not fit an operation.
    #[error("{operation}: {reason}")]
    Shape {
        /// The operation.
        operation: &'static str,
        /// What does not fit.
        reason: String,
    },
    /// A value in an ablation file or on the command line that makes no sense.
    #[error("{key} = {value}: {mend}")]
    Bad {
        /// Where it stands.
        key: String,
        /// The value.
        value: String,
        /// What to change.
        mend: String,
    },
    /// An ablation file that cannot be read.
    #[error("{0}")]
    Toml(convstat_text::Diagnostic),
    /// A file of a data set that is missing, cut short or of the wrong kind.
    #[error("{}: {reason}", path.display())]
    BadData {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A file that cannot be read or written.
    #[error("cannot {action} {}: {cause}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not. Not a source: the message says it.
        cause: std::io::Error,
    },
    /// The memory of the device is too small.
    #[error("training.batch = {batch}: it does not fit into the device's {gib} GiB; {mend}")]
    OutOfMemory {
        /// Samples a step.
        batch: usize,
        /// Memory of the device.
        gib: usize,
        /// The batch that would fit.
        mend: String,
    },
    /// The loss became infinite or NaN.
    #[error("the loss is {loss} by step {step}: lower the learning rate, or lengthen the warm-up")]
    Diverged {
        /// The loss.
        loss: f64,
        /// The step.
        step: u64,
    },
    /// The engine.
    #[error(transparent)]
    Engine(#[from] convstat_engine::EngineError),
    /// Data sets, batches, downloads.
    #[error(transparent)]
    Data(#[from] convstat_data::DataError),
    /// Counts of a structure.
    #[error(transparent)]
    Cnn(#[from] convstat_cnn::CnnError),
    /// Tensor algebra.
    #[error(transparent)]
    Algebra(#[from] convstat_tensor::TensorError),
    /// Store, threads, resume.
    #[error(transparent)]
    Runner(#[from] convstat_runner::RunnerError),
}

impl TrainError {
    /// A value that makes no sense.
    pub fn bad(key: impl Into<String>, value: impl ToString, mend: impl Into<String>) -> Self {
        Self::Bad { key: key.into(), value: value.to_string(), mend: mend.into() }
    }

    /// Shapes that do not fit.
    pub fn shape(operation: &'static str, reason: impl Into<String>) -> Self {
        Self::Shape { operation, reason: reason.into() }
    }

    /// A file of a data set that cannot be used.
    pub fn data(path: &Path, reason: impl Into<String>) -> Self {
        Self::BadData { path: path.to_owned(), reason: reason.into() }
    }

    /// An operation on a file that failed.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Io { action, path, cause }
    }
}
