//! The first-order risk in its finite-sample form (THEORY §4.3).

use super::assumption::Assumptions;
use super::bound::{Bound, BoundValue, Kind};
use super::first_order::finite_sample;
use crate::{ErrorNorm, Result, SettingTheory};

/// `σ √(tr B/(n − df − 1))`: the Cramér–Rao bound on the tangent space with the divisor of independent Gaussian rows.
pub(super) struct Risk;

impl Bound for Risk {
    fn name(&self) -> &'static str {
        "risk"
    }

    fn title(&self) -> &'static str {
        "exact risk"
    }

    fn source(&self) -> &'static str {
        "Cramér-Rao bound on the tangent space; THEORY §4.3"
    }

    fn kind(&self) -> Kind {
        Kind::Risk
    }

    fn assumptions(&self, setting: &SettingTheory, n: f64) -> Result<Assumptions> {
        let least = setting.tangent.df + 1.0;
        Ok(finite_sample("exact risk, its quantiles and the local minimax bound", setting)
            .condition(format!("finite-sample form: n > df + 1 = {least}"), n > least))
    }

    fn formula(&self, setting: &SettingTheory, norm: ErrorNorm, n: f64) -> Result<BoundValue> {
        let first = setting.tangent.first_order(norm, setting.sigma, n).sqrt();
        Ok(BoundValue::mean(setting.tangent.finite_n(n).map(|divisor| first * (n / divisor).sqrt())))
    }

    fn smallest_n(&self, setting: &SettingTheory, norm: ErrorNorm, target: f64) -> Result<Option<f64>> {
        setting.tangent.n_for_mean(norm, setting.sigma, target).map(Some)
    }

    fn explanation(&self, _: &SettingTheory) -> String {
        "root of the exact first-order risk, finite-sample form (infinite, shown as -, for n <= df + 1)"
            .to_owned()
    }

    fn meaning(&self, _: &SettingTheory, _: f64) -> String {
        "root mean squared error = target".to_owned()
    }
}
