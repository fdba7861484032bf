//! Information criteria: `nM log(RSS/(nM)) + penalty · df` (Akaike 1974; Schwarz 1978).

use super::evidence::{Evidence, Verdict, check_count, least};
use crate::tolerance::EXACT;
use crate::{EstimateError, Result};

/// Differences of a criterion below this are where solvers stopped: an objective is known to a 1e-4 part of the residual
/// variance, and `nM log RSS` to M times as much.
const EQUAL: f64 = 1e-2;

/// The criterion of every candidate: infinite where a fit is saturated (`df ≥ nM`), minus infinity where it is exact.
pub(super) fn judge(evidence: &Evidence, penalty: f64) -> Result<Verdict> {
    check_count("fits", evidence.fitted.len(), evidence.structures.len())?;
    if evidence.fitted.iter().any(|f| f.fit.factors.is_empty()) {
        let mend = "it fits the same W whatever the candidate; use levenberg-marquardt or als";
        let value = "one without the structure".to_owned();
        return Err(EstimateError::BadOption { option: "solver", value, mend });
    }
    let equations = evidence.equations();
    let total = evidence.sample.y.iter().map(|v| v * v).sum::<f64>() + evidence.sample.rss;
    let value = |rss: f64, df: f64| {
        if df >= equations {
            f64::INFINITY
        } else if rss <= EXACT * total {
            f64::NEG_INFINITY
        } else {
            equations * (rss / equations).ln() + penalty * df
        }
    };
    let values = evidence.fitted.iter().map(|f| Ok(value(f.fit.best.objective, f.df()?)));
    let values = values.collect::<Result<Vec<f64>>>()?;
    let chosen = evidence.most_parsimonious(&values, least(&values) + EQUAL)?;
    Ok(Verdict { values, errors: Vec::new(), chosen })
}
