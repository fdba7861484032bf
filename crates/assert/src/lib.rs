//! Error bounds, risks and rates as unit tests.

#![forbid(unsafe_code)]
// No panic on a user's input; what cannot be reached says why.
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::todo,
    clippy::unimplemented
)]

mod assertions;
mod batches;
mod claim;
mod error;
mod estimator;
mod least_squares;
mod limits;
mod macros;
mod options;
mod simulation;
mod sprt;
mod structure;
mod verdict;
mod wealth;

pub use assertions::{bound, matches_risk, rate, ratio_test, slope_of};
pub use claim::{Bound, Claim, ErrorBound, Explicit};
pub use convstat_estimate::Sample;
pub use convstat_theory::ErrorNorm;
pub use error::{AssertError, BoxError};
pub use estimator::{Estimator, StructureFit};
pub use least_squares::SmoothFit;
pub use options::{Detectable, Options};
pub use simulation::{Replicates, Simulation};
pub use sprt::{Characteristic, RatioTest, Standing};
pub use structure::SmoothStructure;
pub use verdict::{Decision, Verdict};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, AssertError>;
