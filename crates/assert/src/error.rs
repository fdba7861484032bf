//! What keeps an assertion from being tested.

use convstat_estimate::EstimateError;
use convstat_tensor::TensorError;
use convstat_theory::TheoryError;
use thiserror::Error;

/// The error of a user's own structure, estimator or bound: any error, or a text by `.into()`.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Errors of assertions: nothing was shown, neither that the claim holds nor that it fails.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AssertError {
    /// An argument outside its range.
    #[error("{argument} = {value}; {mend}")]
    BadArgument {
        /// The argument.
        argument: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        mend: &'static str,
    },
    /// A replicate ended in an error.
    #[error("replicate {replicate} at n = {n} failed: {source}; it can be rerun alone by its number")]
    Replicate {
        /// Observations.
        n: u64,
        /// Its number, from 0.
        replicate: u64,
        /// What went wrong.
        source: BoxError,
    },
    /// The claim has no value at this n.
    #[error("{name} claims nothing at n = {n}: {reason}; choose another n")]
    NoClaim {
        /// The bound.
        name: String,
        /// Observations.
        n: u64,
        /// Why.
        reason: String,
    },
    /// The replicates cannot decide whatever they show.
    #[error(
        "budget = {budget}; so few replicates cannot tell a bound of probability {probability} from one that fails half the \
         time at a false alarm of {false_alarm:e}: raise budget or false_alarm"
    )]
    Budget {
        /// Most replicates.
        budget: usize,
        /// Probability of the bound.
        probability: f64,
        /// Chance that a right claim may fail with.
        false_alarm: f64,
    },
    /// From a user's own structure.
    #[error(transparent)]
    Own(BoxError),
    /// From estimation.
    #[error(transparent)]
    Estimate(#[from] EstimateError),
    /// From theory.
    #[error(transparent)]
    Theory(#[from] TheoryError),
    /// From tensor algebra.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}

impl AssertError {
    pub(crate) fn bad(argument: &'static str, value: impl ToString, mend: &'static str) -> Self {
        Self::BadArgument { argument, value: value.to_string(), mend }
    }
}
