//! High-probability bounds: the literature's (THEORY §4.1) and the explicit one (§4.2).

use serde::Serialize;

use crate::Result;
use crate::error::{TheoryError, positive};

/// The literature bound's `c_H` in its probability: not known, 1 by default.
pub const CONSTANT_PROBABILITY: f64 = 1.0;
/// The constant in its condition `n ≳ (κ_U/κ_L)² d_M`: not known, 1 by default.
pub const CONSTANT_CONDITION: f64 = 1.0;

/// A bound at one sample size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BoundValue {
    /// Bound on the error norm (not squared); infinite where the formula gives none.
    pub error: f64,
    /// Whether the bound's condition on n holds.
    pub condition_holds: bool,
    /// Probability with which the bound holds, at least (0 where the formula is negative).
    pub probability: f64,
}

/// What the literature bound needs besides n.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LiteratureBound {
    /// Sample complexity `d_M`.
    pub d_m: usize,
    /// `κ_L = c_x c_u`.
    pub kappa_l: f64,
    /// `κ_U = C_x C_u`.
    pub kappa_u: f64,
    /// `c_N`: 1 for CNN, `2^{N+1} log(N+2)` for Tucker and CP kernels.
    pub c_n: f64,
    /// `c_H`, unknown; see [`CONSTANT_PROBABILITY`].
    pub c_h: f64,
    /// Constant of the condition, unknown; see [`CONSTANT_CONDITION`].
    pub c_condition: f64,
    /// Confidence parameter `δ > 0`.
    pub delta: f64,
}

/// Frobenius-norm bound of Huang, Si & Li (2020), quoted: see THEORY §4.1.
///
/// `‖Ŵ − W*‖_F ≤ (16 σ √α_RSM / α_RSC)(√(c_N d_M/n) + √(δ/n))` with `α_RSC = κ_L/2`, `α_RSM = 3κ_U/2`.
///
/// # Errors
/// An argument that is not finite and positive.
pub fn literature_bound(bound: &LiteratureBound, sigma: f64, n: f64) -> Result<BoundValue> {
    positive("n", n)?;
    positive("sigma", sigma)?;
    positive("delta", bound.delta)?;
    positive("c_H", bound.c_h)?;
    positive("c_condition", bound.c_condition)?;
    positive("kappa_U", bound.kappa_u)?;
    let d_m = bound.d_m as f64;
    let (rsc, rsm) = (bound.kappa_l / 2.0, 1.5 * bound.kappa_u);
    let rate = (bound.c_n * d_m / n).sqrt() + (bound.delta / n).sqrt();
    let error = 16.0 * sigma * rsm.sqrt() / rsc * rate;
    let ratio = bound.kappa_l / bound.kappa_u;
    let fails =
        4.0 * (9.0 * d_m - bound.c_h * (ratio / 4.0).powi(2) * n).exp() + (-d_m - 8.0 * bound.delta).exp();
    Ok(BoundValue {
        error: if rsc > 0.0 { error } else { f64::INFINITY },
        condition_holds: rsc > 0.0 && n >= bound.c_condition * d_m / (ratio * ratio),
        probability: (1.0 - fails).max(0.0),
    })
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
    /// The parameter `t` for which the bound holds with probability `confidence`: `ln(3/(1 − confidence))`.
    pub fn t_for(confidence: f64) -> Result<f64> {
        if confidence > 0.0 && confidence < 1.0 {
            return Ok((3.0 / (1.0 - confidence)).ln());
        }
        Err(TheoryError::OutOfRange {
            argument: "confidence",
            value: confidence,
            range: "between 0 and 1, for instance 0.95",
        })
    }
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

    #[test]
    fn literature_bound_by_hand() {
        let b = LiteratureBound {
            d_m: 32,
            kappa_l: 0.5,
            kappa_u: 2.0,
            c_n: 1.0,
            c_h: 1.0,
            c_condition: 1.0,
            delta: 1.0,
        };
        let v = literature_bound(&b, 1.5, 800.0).unwrap();
        // 16 · 1.5 · √3 / 0.25 · (√0.04 + √0.00125)
        assert!((v.error - 24.0 * 3f64.sqrt() / 0.25 * (0.2 + 0.00125f64.sqrt())).abs() < 1e-12);
        assert!(v.condition_holds && v.probability == 0.0);
        assert!(!literature_bound(&b, 1.5, 500.0).unwrap().condition_holds);
        assert!(literature_bound(&b, 1.5, f64::NAN).is_err());
    }
}
