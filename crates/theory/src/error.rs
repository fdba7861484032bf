//! What can go wrong in theory.

use convstat_cnn::CnnError;
use convstat_estimate::EstimateError;
use convstat_tensor::TensorError;
use thiserror::Error;

/// Errors of bounds and risks.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TheoryError {
    /// An argument outside its range.
    #[error("{argument} = {value}; it has to be {range}")]
    OutOfRange {
        /// The argument.
        argument: &'static str,
        /// Its value.
        value: f64,
        /// What would be right.
        range: &'static str,
    },
    /// From geometry or structure.
    #[error(transparent)]
    Cnn(#[from] CnnError),
    /// From estimation.
    #[error(transparent)]
    Estimate(#[from] EstimateError),
    /// From tensor algebra.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

/// Fails unless `value` is finite and above 0.
pub(crate) fn positive(argument: &'static str, value: f64) -> Result<(), TheoryError> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(TheoryError::OutOfRange { argument, value, range: "a finite number above 0" })
}

/// Fails unless `value` is a probability between 0 and 1, both left out.
pub(crate) fn probability(argument: &'static str, value: f64) -> Result<(), TheoryError> {
    if value > 0.0 && value < 1.0 {
        return Ok(());
    }
    Err(TheoryError::OutOfRange { argument, value, range: "between 0 and 1, for instance 0.95" })
}
