//! What can go wrong in tensor algebra.

use thiserror::Error;

/// Errors of tensor algebra; every variant carries the numbers at fault.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum TensorError {
    /// Two operands do not fit together.
    #[error("{operation}: shapes {left:?} and {right:?} do not fit; {mend}")]
    ShapeMismatch {
        /// The operation that was asked for.
        operation: &'static str,
        /// Shape of the first operand.
        left: Vec<usize>,
        /// Shape of the second operand.
        right: Vec<usize>,
        /// What would fit.
        mend: String,
    },
    /// A mode that the tensor does not have.
    #[error("mode {mode} does not exist in a tensor of {order} modes; modes count from 0")]
    NoSuchMode {
        /// The mode asked for.
        mode: usize,
        /// Number of modes of the tensor.
        order: usize,
    },
    /// An einsum text that cannot be read.
    #[error("einsum {text:?}: {reason}")]
    BadEinsum {
        /// The text.
        text: String,
        /// Why it cannot be read.
        reason: String,
    },
    /// A rank outside the possible range.
    #[error("rank {rank} in mode {mode} is outside 1..={max}")]
    BadRank {
        /// Mode (or bond) of the rank.
        mode: usize,
        /// The rank asked for.
        rank: usize,
        /// The largest possible.
        max: usize,
    },
    /// A NaN or infinite entry.
    #[error("{what} has a value that is not finite ({value}) at flat index {index}")]
    NotFinite {
        /// Name of the array.
        what: &'static str,
        /// Position in C order.
        index: usize,
        /// The value.
        value: f64,
    },
    /// An array whose size overflows or passes the memory limit.
    #[error(
        "{what} of shape {dims:?} needs {needed_gib:.3e} GiB, over the limit of {limit_gib} GiB for one array; \
         use smaller sizes (fewer modes, larger strides or pools) or raise the limit (--memory GIB)"
    )]
    TooLarge {
        /// Name of the array.
        what: String,
        /// Its shape.
        dims: Vec<usize>,
        /// GiB needed.
        needed_gib: f64,
        /// The limit in GiB.
        limit_gib: f64,
    },
    /// The matrix is not positive definite.
    #[error(
        "the {size}x{size} matrix is not positive definite (leading minor {minor}); \
         use an eigenvalue or QR method, or add a ridge"
    )]
    NotPositiveDefinite {
        /// Rows.
        size: usize,
        /// Order of the first minor that is not positive.
        minor: usize,
    },
    /// LAPACK reported a failure.
    #[error("LAPACK {routine} failed with info = {info}")]
    Lapack {
        /// Routine name.
        routine: &'static str,
        /// Its `info` value.
        info: i32,
    },
    /// The linked BLAS cannot be used safely from several threads.
    #[error(
        "the linked OpenBLAS is the {found} build, which gives wrong answers or unbounded threads under \
         rayon; install the pthread build (Debian: libopenblas-pthread-dev)"
    )]
    WrongBlas {
        /// Build found.
        found: &'static str,
    },
}
