//! Failures of LAPACK.

use crate::TensorError;

/// The error of a routine that says no more.
pub(super) fn lapack(routine: &'static str) -> impl Fn(ndarray_linalg::error::LinalgError) -> TensorError {
    move |_| TensorError::Lapack { routine, info: -1 }
}
