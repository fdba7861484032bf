//! How many observations a target error needs (THEORY §4.5), and risk quantiles.

use convstat_estimate::fisher_quantile;

use crate::error::{TheoryError, positive};
use crate::{ExplicitBound, LiteratureBound, Result, TangentRisk, explicit_bound, literature_bound};

/// Above this many observations the planner gives up.
const MOST: f64 = 1e18;

/// Norm of the error that is planned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorNorm {
    /// `‖Σ_Z^{1/2}(Ŵ − W*)‖`.
    Prediction,
    /// `‖Ŵ − W*‖_F`.
    Frobenius,
}

fn check_confidence(confidence: f64) -> Result<()> {
    if confidence > 0.0 && confidence < 1.0 {
        return Ok(());
    }
    Err(TheoryError::OutOfRange { argument: "confidence", value: confidence, range: "between 0 and 1" })
}

impl TangentRisk {
    /// `tr B` and effective degrees of freedom `(tr B)²/tr B²` of the error in a norm, `B` the inverse of
    /// `Qᵀ Σ_Z Q` (Frobenius) or the identity (prediction).
    fn moments(&self, norm: ErrorNorm) -> (f64, f64) {
        match norm {
            ErrorNorm::Prediction => (self.df as f64, self.df as f64),
            ErrorNorm::Frobenius => (self.trace, self.trace * self.trace / self.trace_of_square),
        }
    }

    /// Squared risk to first order.
    pub fn first_order(&self, norm: ErrorNorm, sigma: f64, n: f64) -> f64 {
        sigma * sigma * self.moments(norm).0 / n
    }

    /// Quantile of the error norm at `confidence`, i.i.d. Gaussian rows. In prediction norm the linearised
    /// model has exactly `‖·‖² ~ σ² χ²_df/χ²_{n−df+1}`, that is `σ² df/(n−df+1) · F_{df, n−df+1}`; in Frobenius
    /// norm the numerator is a mixture, matched in mean and variance (Satterthwaite). `None` for n < df.
    pub fn quantile(&self, norm: ErrorNorm, sigma: f64, n: f64, confidence: f64) -> Result<Option<f64>> {
        // The law is that of one response.
        if self.outputs > 1 {
            return Ok(None);
        }
        let (trace, freedom) = self.moments(norm);
        quantile(trace, freedom, self.df, sigma, n, confidence)
    }

    /// Smallest n whose root mean squared error is at most `target`: `df + 1 + σ² tr/target²`.
    pub fn n_for_mean(&self, norm: ErrorNorm, sigma: f64, target: f64) -> Result<f64> {
        positive("target error", target)?;
        positive("sigma", sigma)?;
        let least = self.df as f64 + 1.0;
        let n = (least + sigma * sigma * self.moments(norm).0 / (target * target)).ceil();
        // The risk is infinite at n = df + 1.
        Ok(if n > least { n } else { least + 1.0 })
    }

    /// Smallest n whose error is at most `target` with probability `confidence`.
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

/// As [`TangentRisk::quantile`] in prediction norm, from the dimension alone.
pub fn prediction_quantile(df: usize, sigma: f64, n: f64, confidence: f64) -> Result<Option<f64>> {
    quantile(df as f64, df as f64, df, sigma, n, confidence)
}

/// `√(σ² trace/(n−df+1) · F_{freedom, n−df+1}(confidence))`.
fn quantile(trace: f64, freedom: f64, df: usize, sigma: f64, n: f64, confidence: f64) -> Result<Option<f64>> {
    check_confidence(confidence)?;
    let rest = n - df as f64 + 1.0;
    if rest < 1.0 || df == 0 {
        return Ok(None);
    }
    let outside = TheoryError::OutOfRange { argument: "n", value: n, range: "above df" };
    let quantile = fisher_quantile(freedom, rest, confidence).ok_or(outside)?;
    Ok(Some((sigma * sigma * trace / rest * quantile).sqrt()))
}

/// Smallest n at which the explicit bound is at most `target` (times `√λ_min(Σ_Z)`, `scale`, for the Frobenius
/// norm; `scale = 1` for prediction).
pub fn n_for_explicit(bound: &ExplicitBound, sigma: f64, target: f64, scale: f64) -> Result<Option<f64>> {
    positive("target error", target)?;
    if scale <= 0.0 {
        return Ok(None);
    }
    smallest_n(|n| {
        let b = explicit_bound(bound, sigma, n)?;
        Ok(b.condition_holds && b.error / scale <= target)
    })
}

/// Smallest n at which the literature bound (Frobenius) is at most `target`, its condition holds and its probability is
/// at least `confidence`, with the unknown constants as given; `None` where its `δ` never gives that probability.
pub fn n_for_literature(
    bound: &LiteratureBound,
    sigma: f64,
    target: f64,
    confidence: f64,
) -> Result<Option<f64>> {
    positive("target error", target)?;
    check_confidence(confidence)?;
    smallest_n(|n| {
        let b = literature_bound(bound, sigma, n)?;
        Ok(b.condition_holds && b.error <= target && b.probability >= confidence)
    })
}

/// Smallest whole n for which a condition that holds from some n on holds; `None` above 10^18.
fn smallest_n(holds: impl Fn(f64) -> Result<bool>) -> Result<Option<f64>> {
    let mut high = 1.0;
    while !holds(high)? {
        high *= 2.0;
        if high > MOST {
            return Ok(None);
        }
    }
    let mut low = (high / 2.0).floor();
    while high - low > 1.0 {
        let middle = f64::midpoint(low, high).floor();
        // Beyond 2^53 neighbouring whole numbers are one float.
        if middle <= low || middle >= high {
            break;
        }
        if holds(middle)? { high = middle } else { low = middle }
    }
    Ok(Some(high))
}

/// Order of the sample complexity of Du et al. (2018) for prediction error `ε`, logarithms and constants left
/// out: `(m + r)/ε²` for an m-dimensional filter with r output weights (`r = 0`: known weights), against `d/ε²` from
/// below for a fully connected linear network on d inputs. Linear activation, one filter; stride and filter size in
/// constant ratio.
pub fn du_rates(filter: usize, output_weights: usize, inputs: usize, error: f64) -> Result<(f64, f64)> {
    positive("error", error)?;
    let square = error * error;
    Ok(((filter + output_weights) as f64 / square, inputs as f64 / square))
}

/// Li, Zhang & Arora (2021), Theorem 5.4: to reach error `ε` on their task over `d` inputs, any orthogonally
/// equivariant learner (a fully connected network trained by gradient descent from a rotation-invariant start) needs
/// `n ≥ d(d + 3)/2 · (1 − ε) − 1`, while a convolutional network needs at most `d`. Returns both.
pub fn equivariance_gap(inputs: usize, error: f64) -> Result<(f64, f64)> {
    if !(0.0..1.0).contains(&error) {
        return Err(TheoryError::OutOfRange {
            argument: "error",
            value: error,
            range: "at least 0 and below 1",
        });
    }
    let d = inputs as f64;
    Ok((d * (d + 3.0) / 2.0 * (1.0 - error) - 1.0, d))
}
