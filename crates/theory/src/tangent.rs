//! First-order risk and its quantiles from the moments of a tangent space (THEORY §4.3 to §4.5).

use convstat_estimate::fisher_quantile;

use crate::error::{TheoryError, positive, probability};
use crate::search::smallest_n;
use crate::{ErrorNorm, Result};

/// What risks need to know of the tangent space at a truth, or of its mean over several truths.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tangent {
    /// Identified dimension `df`.
    pub df: f64,
    /// `tr[(Qᵀ Σ_Z Q)^{-1}]` over the identified part.
    pub trace: f64,
    /// `tr[(Qᵀ Σ_Z Q)^{-2}]` over the identified part.
    pub trace_of_square: f64,
    /// Responses `M`.
    pub outputs: usize,
}

impl Tangent {
    /// `tr B` and effective degrees of freedom `(tr B)²/tr B²` of the error in a norm, `B` the inverse of
    /// `Qᵀ Σ_Z Q` (Frobenius) or the identity (prediction).
    fn moments(&self, norm: ErrorNorm) -> (f64, f64) {
        match norm {
            ErrorNorm::Prediction => (self.df, self.df),
            ErrorNorm::Frobenius => (self.trace, self.trace * self.trace / self.trace_of_square),
        }
    }

    /// Squared risk to first order.
    pub fn first_order(&self, norm: ErrorNorm, sigma: f64, n: f64) -> f64 {
        sigma * sigma * self.moments(norm).0 / n
    }

    /// The divisor `n − df − 1` of the finite-sample form for i.i.d. Gaussian rows and one response; `None` where it
    /// is not positive and the expectation is infinite, and for several responses, whose law is another.
    pub fn finite_n(&self, n: f64) -> Option<f64> {
        Some(n - self.df - 1.0).filter(|d| *d > 0.0 && self.outputs == 1)
    }

    /// Quantile of the error norm at `confidence`, i.i.d. Gaussian rows and one response: see
    /// [`TangentRisk::quantile`](crate::TangentRisk::quantile).
    ///
    /// # Errors
    /// A confidence that is no probability.
    pub fn quantile(&self, norm: ErrorNorm, sigma: f64, n: f64, confidence: f64) -> Result<Option<f64>> {
        probability("confidence", confidence)?;
        let rest = n - self.df + 1.0;
        // The law is that of one response.
        if self.outputs > 1 || rest.is_nan() || rest < 1.0 || self.df == 0.0 {
            return Ok(None);
        }
        let (trace, freedom) = self.moments(norm);
        let outside = TheoryError::OutOfRange { argument: "n", value: n, range: "above df" };
        let quantile = fisher_quantile(freedom, rest, confidence).ok_or(outside)?;
        Ok(Some((sigma * sigma * trace / rest * quantile).sqrt()))
    }

    /// Smallest n whose root mean squared error is at most `target`: `df + 1 + σ² tr/target²`.
    ///
    /// # Errors
    /// A target or σ that is not finite and positive.
    pub fn n_for_mean(&self, norm: ErrorNorm, sigma: f64, target: f64) -> Result<f64> {
        positive("target error", target)?;
        positive("sigma", sigma)?;
        let least = self.df + 1.0;
        let n = (least + sigma * sigma * self.moments(norm).0 / (target * target)).ceil();
        // The risk is infinite at n = df + 1.
        Ok(if n > least { n } else { least + 1.0 })
    }

    /// Smallest n whose error is at most `target` with probability `confidence`.
    ///
    /// # Errors
    /// A target or σ that is not finite and positive, a confidence that is no probability.
    pub fn n_for_quantile(
        &self,
        norm: ErrorNorm,
        sigma: f64,
        target: f64,
        confidence: f64,
    ) -> Result<Option<f64>> {
        positive("target error", target)?;
        positive("sigma", sigma)?;
        smallest_n(|n| Ok(self.quantile(norm, sigma, n, confidence)?.is_some_and(|q| q <= target)))
    }
}

/// As [`Tangent::quantile`] in prediction norm, from the dimension alone.
///
/// # Errors
/// A confidence that is no probability.
pub fn prediction_quantile(df: usize, sigma: f64, n: f64, confidence: f64) -> Result<Option<f64>> {
    let df = df as f64;
    Tangent { df, trace: df, trace_of_square: df, outputs: 1 }.quantile(
        ErrorNorm::Prediction,
        sigma,
        n,
        confidence,
    )
}
