//! Least-squares estimation of structured tensor regressions (THEORY §3).
//!
//! * [`Sample`]: rows `(Z, y)`, raw or QR-compressed; solvers can't tell which.
//! * [`compress`](fn@compress): one pass over blocks of rows, memory independent of n.
//! * [`solvers`]: alternating least squares, Levenberg–Marquardt, OLS and ridge, one file each.
//! * [`fit`](fn@fit): runs the starts, keeps the best, records the gap between them.
//! * [`Inference`]: residual variance and standard errors from the tangent space.

// Not forbid: ndarray's slicing macro allows it for itself.
#![deny(unsafe_code)]
// No panic on a user's input; what cannot be reached says why.
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::todo,
    clippy::unimplemented
)]

pub mod compress;
pub mod error;
pub mod fit;
pub mod inference;
pub mod least_squares;
pub mod rows;
pub mod sample;
pub mod solvers;
pub mod starts;

pub use compress::{Compressor, compress};
pub use error::EstimateError;
pub use fit::{Fit, FitOptions, SingleFit, fit};
pub use inference::Inference;
pub use least_squares::{LeastSquares, Linearised, fit_entries};
pub use rows::{RowMemory, Rows, WindowedSample};
pub use sample::{Sample, design_times};
pub use solvers::{SolverKind, Termination};
pub use starts::Start;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, EstimateError>;
