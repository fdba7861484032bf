//! The literature's high-probability bound (THEORY §4.1).

use serde::Serialize;

use super::assumption::Assumptions;
use super::bound::{Bound, BoundValue, Kind};
use crate::error::{positive, probability};
use crate::search::smallest_n;
use crate::{ErrorNorm, Result, SettingTheory};

/// The bound of Huang, Si & Li (2020), quoted.
pub(super) struct Literature;

const REASON: &str = "given for Gaussian rows and one response only";

impl Bound for Literature {
    fn name(&self) -> &'static str {
        "literature"
    }

    fn title(&self) -> &'static str {
        "literature bound"
    }

    fn source(&self) -> &'static str {
        "Huang, Si & Li (2020); THEORY §4.1"
    }

    fn kind(&self) -> Kind {
        Kind::Upper
    }

    fn norms(&self) -> &'static [ErrorNorm] {
        &[ErrorNorm::Frobenius]
    }

    fn has_unknown_constants(&self) -> bool {
        true
    }

    fn assumptions(&self, setting: &SettingTheory, n: f64) -> Result<Assumptions> {
        let bound = LiteratureBound::of(setting);
        let value = literature_bound(&bound, setting.sigma, n)?;
        let ratio = bound.kappa_u / bound.kappa_l;
        let least = bound.c_condition * ratio * ratio * bound.d_m as f64;
        Ok(Assumptions::new("literature bound (Huang, Si & Li 2020)")
            .premise("inputs are jointly Gaussian; rows may depend", setting.law.gaussian, REASON)
            .condition("noise is sub-Gaussian and independent of the inputs", true)
            .premise("one response", setting.sizes.outputs == 1, REASON)
            .condition("kappa_L > 0: the second moment of Z is nonsingular", !setting.is_singular())
            .condition(
                format!(
                    "n >= c (kappa_U/kappa_L)^2 d_M = {least:.3e} with c = {} (not known)",
                    bound.c_condition
                ),
                value.condition_holds,
            )
            .condition(
                format!(
                    "its probability, {:.3} with c_H = {} (not known), is above 0",
                    value.probability, bound.c_h
                ),
                value.probability > 0.0,
            ))
    }

    fn formula(&self, setting: &SettingTheory, _: ErrorNorm, n: f64) -> Result<BoundValue> {
        literature_bound(&LiteratureBound::of(setting), setting.sigma, n)
    }

    fn smallest_n(&self, setting: &SettingTheory, _: ErrorNorm, target: f64) -> Result<Option<f64>> {
        n_for_literature(&LiteratureBound::of(setting), setting.sigma, target, setting.options.confidence)
    }

    fn explanation(&self, setting: &SettingTheory) -> String {
        let o = &setting.options;
        format!(
            "its condition and probability contain constants that are not known, set to c_condition = {}, c_H = {}, delta = {}",
            o.c_condition, o.c_h, o.delta
        )
    }

    fn meaning(&self, setting: &SettingTheory, _: f64) -> String {
        let o = &setting.options;
        format!(
            "the same, with its unknown constants set to c = {}, c_H = {}, and delta = {}",
            o.c_condition, o.c_h, o.delta
        )
    }
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
    /// `c_H`, unknown.
    pub c_h: f64,
    /// Constant of the condition `n ≳ (κ_U/κ_L)² d_M`, unknown.
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

impl LiteratureBound {
    /// In a setting.
    pub fn of(setting: &SettingTheory) -> Self {
        let ((kappa_l, kappa_u), o) = (setting.kappa(), &setting.options);
        Self {
            d_m: setting.sizes.d_m,
            kappa_l,
            kappa_u,
            c_n: setting.sizes.c_n,
            c_h: o.c_h,
            c_condition: o.c_condition,
            delta: o.delta,
        }
    }
}

/// Smallest n at which the literature bound (Frobenius) is at most `target`, its condition holds and its probability is
/// at least `confidence`, with the unknown constants as given; `None` where its `δ` never gives that probability.
///
/// # Errors
/// An argument that is not finite and positive, a confidence that is no probability.
pub fn n_for_literature(
    bound: &LiteratureBound,
    sigma: f64,
    target: f64,
    confidence: f64,
) -> Result<Option<f64>> {
    positive("target error", target)?;
    probability("confidence", confidence)?;
    smallest_n(|n| {
        let b = literature_bound(bound, sigma, n)?;
        Ok(b.condition_holds && b.error <= target && b.probability >= confidence)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

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
