//! The Gaussian-comparison bound with every constant known (THEORY §4.2).

use serde::Serialize;

use super::assumption::Assumptions;
use super::bound::{Bound, BoundValue, Detail, Kind};
use super::first_order::{NOT_IID, ROWS};
use crate::error::{TheoryError, positive, probability};
use crate::search::smallest_n;
use crate::{ErrorNorm, Result, SettingTheory};

/// Gordon's inequality over the statistical dimension of the doubled structure.
pub(super) struct Explicit;

impl Bound for Explicit {
    fn name(&self) -> &'static str {
        "explicit"
    }

    fn title(&self) -> &'static str {
        "explicit bound"
    }

    fn source(&self) -> &'static str {
        "Gaussian comparison (Gordon 1988); THEORY §4.2"
    }

    fn kind(&self) -> Kind {
        Kind::Upper
    }

    fn details(&self) -> &'static [Detail] {
        &[
            Detail { column: "statistical_dimension", value: |s| Ok(s.dimension.get()?.estimate) },
            Detail { column: "statistical_dimension_se", value: |s| Ok(s.dimension.get()?.standard_error) },
            Detail { column: "explicit_bound_width", value: width },
        ]
    }

    fn assumptions(&self, setting: &SettingTheory, n: f64) -> Result<Assumptions> {
        let (bound, dimension) = (ExplicitBound::of(setting)?, setting.dimension.get()?);
        let value = explicit_bound(&bound, setting.sigma, n)?;
        let exact = dimension.draws == 0;
        let width = if exact {
            "the statistical dimension is not underestimated (it is bounded by the rank of the inputs)"
                .to_owned()
        } else {
            format!(
                "the statistical dimension is at most {:.1}: {:.1} + 3 standard errors of {:.2}; its projections are the \
                 best of {} starts and not certified",
                bound.width.powi(2),
                dimension.estimate,
                dimension.standard_error,
                dimension.starts + 1
            )
        };
        Ok(Assumptions::new("explicit bound (Gaussian comparison)")
            .premise(ROWS, setting.law.is_iid_gaussian(), NOT_IID)
            .condition("noise is Gaussian and independent of the inputs", true)
            .premise("one response", setting.sizes.outputs == 1, NOT_IID)
            .condition("n/sqrt(n+1) > w + sqrt(2t)", value.condition_holds)
            .condition_in(
                ErrorNorm::Frobenius,
                "for the Frobenius norm: the second moment of Z is nonsingular",
                !setting.is_singular(),
            )
            .condition(width, if exact { Some(true) } else { None }))
    }

    fn formula(&self, setting: &SettingTheory, norm: ErrorNorm, n: f64) -> Result<BoundValue> {
        let value = explicit_bound(&ExplicitBound::of(setting)?, setting.sigma, n)?;
        Ok(BoundValue { error: value.error / scale(setting, norm), ..value })
    }

    fn smallest_n(&self, setting: &SettingTheory, norm: ErrorNorm, target: f64) -> Result<Option<f64>> {
        n_for_explicit(&ExplicitBound::of(setting)?, setting.sigma, target, scale(setting, norm))
    }

    fn explanation(&self, setting: &SettingTheory) -> String {
        let confidence = setting.options.confidence;
        let t = ExplicitBound::t_for(confidence).unwrap_or(f64::NAN);
        format!("holds with probability {confidence:.3} (t = {t:.2})")
    }

    fn meaning(&self, setting: &SettingTheory, _: f64) -> String {
        format!(
            "error <= target with probability at least {}, every constant known",
            setting.options.confidence
        )
    }
}

/// The width `w`.
fn width(setting: &SettingTheory) -> Result<f64> {
    Ok(setting.dimension.get()?.width())
}

/// What an error in prediction norm is divided by to bound that in another.
fn scale(setting: &SettingTheory, norm: ErrorNorm) -> f64 {
    match norm {
        ErrorNorm::Prediction => 1.0,
        ErrorNorm::Frobenius => setting.spectrum.0.max(0.0).sqrt(),
    }
}

/// What the explicit bound needs besides n.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct ExplicitBound {
    /// `w = √δ(T)`, the root of the statistical dimension.
    pub width: f64,
    /// Confidence parameter: the bound holds with probability at least `1 − 3e^{−t}`.
    pub t: f64,
}

/// Prediction-error bound `‖Σ_Z^{1/2}(Ŵ − W*)‖` with every constant known (THEORY §4.2); divide by
/// `√λ_min(Σ_Z)` for the Frobenius norm. i.i.d. Gaussian rows, independent Gaussian noise.
///
/// # Errors
/// An argument that is not finite and positive.
pub fn explicit_bound(bound: &ExplicitBound, sigma: f64, n: f64) -> Result<BoundValue> {
    positive("n", n)?;
    positive("sigma", sigma)?;
    positive("t", bound.t)?;
    if !(bound.width.is_finite() && bound.width >= 0.0) {
        return Err(TheoryError::OutOfRange { argument: "width", value: bound.width, range: "at least 0" });
    }
    let slack = (2.0 * bound.t).sqrt();
    let gap = n / (n + 1.0).sqrt() - bound.width - slack;
    let condition_holds = gap > 0.0;
    let error = 2.0 * sigma * (n.sqrt() + slack) * (bound.width + slack) / (gap * gap);
    Ok(BoundValue {
        error: if condition_holds { error } else { f64::INFINITY },
        condition_holds,
        probability: if condition_holds { (1.0 - 3.0 * (-bound.t).exp()).max(0.0) } else { 0.0 },
    })
}

impl ExplicitBound {
    /// In a setting.
    ///
    /// # Errors
    /// A confidence that is no probability, or a doubled structure that does not fit into memory.
    pub fn of(setting: &SettingTheory) -> Result<Self> {
        Ok(Self { t: Self::t_for(setting.options.confidence)?, width: width(setting)? })
    }

    /// The parameter `t` for which the bound holds with probability `confidence`: `ln(3/(1 − confidence))`.
    ///
    /// # Errors
    /// A confidence that is no probability.
    pub fn t_for(confidence: f64) -> Result<f64> {
        probability("confidence", confidence)?;
        Ok((3.0 / (1.0 - confidence)).ln())
    }
}

/// Smallest n at which the explicit bound is at most `target` (times `√λ_min(Σ_Z)`, `scale`, for the Frobenius
/// norm; `scale = 1` for prediction).
///
/// # Errors
/// An argument that is not finite and positive.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn explicit_bound_tends_to_its_large_n_form() {
        let bound = ExplicitBound { width: 72.1f64.sqrt(), t: 1.0 };
        let n = 1e12;
        let value = explicit_bound(&bound, 1.0, n).unwrap();
        let limit = 2.0 * (bound.width + 2f64.sqrt()) / n.sqrt();
        assert!((value.error / limit - 1.0).abs() < 1e-4);
        // 1 − 3/e is negative: nothing is promised at t = 1; at t = 3 it is 1 − 3e^{−3}.
        assert_eq!(value.probability, 0.0);
        let value = explicit_bound(&ExplicitBound { t: 3.0, ..bound }, 1.0, n).unwrap();
        assert!((value.probability - (1.0 - 3.0 * (-3f64).exp())).abs() < 1e-15);
        assert!((ExplicitBound::t_for(0.95).unwrap() - 60f64.ln()).abs() < 1e-12);
    }

    #[test]
    fn the_condition_is_tested_before_squaring() {
        let bound = ExplicitBound { width: 10.0, t: 1.0 };
        let value = explicit_bound(&bound, 1.0, 50.0).unwrap();
        assert!(!value.condition_holds && value.error.is_infinite());
    }
}
