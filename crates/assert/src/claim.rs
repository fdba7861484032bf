//! Bounds: the toolkit's explicit one, and a user's own.

use convstat_theory::{ErrorNorm, ExplicitBound, explicit_bound};

use crate::BoxError;

/// What a bound says at one n.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Claim {
    /// `P(error ≤ value) ≥ probability`.
    Probable {
        /// Bound on the error norm (not squared).
        value: f64,
        /// Probability with which it holds, at least.
        probability: f64,
    },
    /// `E error² ≤ value²`.
    MeanSquare {
        /// Bound on the root mean squared error.
        value: f64,
    },
}

/// A bound on the error of an estimator.
pub trait ErrorBound: Sync {
    /// A name for messages.
    fn name(&self) -> String;

    /// The norm it bounds: `‖Σ_Z^{1/2}(Ŵ − W*)‖` or `‖Ŵ − W*‖_F`.
    fn norm(&self) -> ErrorNorm {
        ErrorNorm::Prediction
    }

    /// What it says at n observations.
    ///
    /// # Errors
    /// Where its conditions fail at this n.
    fn claim(&self, n: f64) -> Result<Claim, BoxError>;
}

/// A bound from a closure of n.
///
/// ```
/// use convstat_assert::{Bound, Claim, ErrorBound};
///
/// let bound = Bound::new("twice the rate", |n| Ok(Claim::Probable { value: 2.0 * (30.0 / n).sqrt(), probability: 0.95 }));
/// assert_eq!(bound.claim(120.0)?, Claim::Probable { value: 1.0, probability: 0.95 });
/// # Ok::<(), convstat_assert::BoxError>(())
/// ```
pub struct Bound<F> {
    name: String,
    norm: ErrorNorm,
    claim: F,
}

impl<F: Fn(f64) -> Result<Claim, BoxError> + Sync> Bound<F> {
    /// On the prediction error.
    pub fn new(name: &str, claim: F) -> Self {
        Self { name: name.to_owned(), norm: ErrorNorm::Prediction, claim }
    }

    /// The same on the error in this norm.
    #[must_use]
    pub fn in_norm(self, norm: ErrorNorm) -> Self {
        Self { norm, ..self }
    }
}

impl<F: Fn(f64) -> Result<Claim, BoxError> + Sync> ErrorBound for Bound<F> {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn norm(&self) -> ErrorNorm {
        self.norm
    }

    fn claim(&self, n: f64) -> Result<Claim, BoxError> {
        (self.claim)(n)
    }
}

/// The explicit Gaussian-comparison bound of the toolkit (THEORY §4.2) at noise `sigma`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Explicit {
    /// Width and confidence parameter.
    pub bound: ExplicitBound,
    /// Standard deviation of the noise.
    pub sigma: f64,
}

impl ErrorBound for Explicit {
    fn name(&self) -> String {
        format!("explicit bound (w = {:.2}, t = {:.2})", self.bound.width, self.bound.t)
    }

    fn claim(&self, n: f64) -> Result<Claim, BoxError> {
        let value = explicit_bound(&self.bound, self.sigma, n)?;
        if !value.condition_holds {
            return Err("its condition n/sqrt(n+1) > w + sqrt(2t) fails".into());
        }
        Ok(Claim::Probable { value: value.error, probability: value.probability })
    }
}
