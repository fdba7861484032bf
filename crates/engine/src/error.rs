//! What can go wrong.

/// Errors of this crate; the message says what to change.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
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
    /// An option that makes no sense.
    #[error("{key} = {value}: {mend}")]
    Bad {
        /// Where it stands.
        key: String,
        /// The value.
        value: String,
        /// What to change.
        mend: String,
    },
    /// A GPU or a library of it failed.
    #[error("{operation} failed on the GPU: {reason}")]
    Gpu {
        /// What was tried.
        operation: &'static str,
        /// What the library says.
        reason: String,
    },
    /// Tensor algebra.
    #[error(transparent)]
    Algebra(#[from] convstat_tensor::TensorError),
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, EngineError>;

impl EngineError {
    /// An option that makes no sense.
    pub fn bad(key: impl Into<String>, value: impl ToString, mend: impl Into<String>) -> Self {
        Self::Bad { key: key.into(), value: value.to_string(), mend: mend.into() }
    }

    /// Shapes that do not fit.
    pub fn shape(operation: &'static str, reason: impl Into<String>) -> Self {
        Self::Shape { operation, reason: reason.into() }
    }
}
