//! Quantiles of the error in the linearised model (THEORY §4.5).

use super::assumption::Assumptions;
use super::bound::{Bound, BoundValue, Kind};
use super::first_order::finite_sample;
use crate::{ErrorNorm, Result, SettingTheory};

/// The quantile of the error at the confidence asked for; see [`TangentRisk::quantile`](crate::TangentRisk::quantile).
pub(super) struct RiskQuantile;

impl Bound for RiskQuantile {
    fn name(&self) -> &'static str {
        "risk_quantile"
    }

    fn title(&self) -> &'static str {
        "risk quantile"
    }

    fn source(&self) -> &'static str {
        "F law of the linearised model; THEORY §4.5"
    }

    fn kind(&self) -> Kind {
        Kind::Quantile
    }

    fn assumptions(&self, setting: &SettingTheory, n: f64) -> Result<Assumptions> {
        let df = setting.tangent.df;
        Ok(finite_sample("quantiles of the risk", setting).condition(format!("n >= df = {df}"), n >= df))
    }

    fn formula(&self, setting: &SettingTheory, norm: ErrorNorm, n: f64) -> Result<BoundValue> {
        let confidence = setting.options.confidence;
        let quantile = setting.tangent.quantile(norm, setting.sigma, n, confidence)?;
        let said = |error| BoundValue { error, condition_holds: true, probability: confidence };
        Ok(quantile.map_or(BoundValue::NOTHING, said))
    }

    fn smallest_n(&self, setting: &SettingTheory, norm: ErrorNorm, target: f64) -> Result<Option<f64>> {
        setting.tangent.n_for_quantile(norm, setting.sigma, target, setting.options.confidence)
    }

    fn explanation(&self, setting: &SettingTheory) -> String {
        format!("exceeded with probability {}", 1.0 - setting.options.confidence)
    }

    fn meaning(&self, setting: &SettingTheory, _: f64) -> String {
        format!("error <= target with probability {}", setting.options.confidence)
    }
}
