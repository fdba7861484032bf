//! The local minimax lower bound (THEORY §4.4).

use super::assumption::Assumptions;
use super::bound::{Bound, BoundValue, Kind};
use super::first_order::first_order;
use crate::error::positive;
use crate::{ErrorNorm, Result, SettingTheory};

/// `σ √(tr B/n)`: the risk to first order, without a finite-sample factor.
pub(super) struct LocalMinimax;

impl Bound for LocalMinimax {
    fn name(&self) -> &'static str {
        "first_order"
    }

    fn title(&self) -> &'static str {
        "local minimax"
    }

    fn source(&self) -> &'static str {
        "local asymptotic minimax theorem (Hájek 1972); THEORY §4.4"
    }

    fn kind(&self) -> Kind {
        Kind::Lower
    }

    fn assumptions(&self, setting: &SettingTheory, _: f64) -> Result<Assumptions> {
        Ok(first_order("local minimax bound", setting))
    }

    fn formula(&self, setting: &SettingTheory, norm: ErrorNorm, n: f64) -> Result<BoundValue> {
        Ok(BoundValue::mean(Some(setting.tangent.first_order(norm, setting.sigma, n).sqrt())))
    }

    fn smallest_n(&self, setting: &SettingTheory, norm: ErrorNorm, target: f64) -> Result<Option<f64>> {
        positive("target error", target)?;
        let first = setting.tangent.first_order(norm, setting.sigma, 1.0) / (target * target);
        Ok(Some(first.ceil()))
    }

    fn explanation(&self, _: &SettingTheory) -> String {
        "around the truth no estimator has a smaller root mean squared error, to first order".to_owned()
    }

    fn meaning(&self, _: &SettingTheory, _: f64) -> String {
        "first order: no estimator needs less around the truth".to_owned()
    }
}
