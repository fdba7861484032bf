//! `bound`: the explicit bound (THEORY §4.2) is exceeded no more often than its probability allows.

use convstat_theory::bounds::find;
use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, ContinuousCDF};

use super::check::{Check, CheckOutcome, Comparison, outcome};
use super::names::Names;
use super::select::{Norm, Select};
use crate::summary::Summary;
use crate::{Result, StudyError};

/// Check `bound`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bound(Select);

/// Chance that a true bound fails one comparison, the lower Clopper–Pearson level.
const FALSE_ALARM: f64 = 1e-6;

/// Lower Clopper–Pearson limit of a probability after `hits` of `n`, at level [`FALSE_ALARM`].
fn lower_limit(hits: usize, n: usize) -> Result<f64> {
    if hits == 0 {
        return Ok(0.0);
    }
    let beta = Beta::new(hits as f64, (n - hits + 1) as f64)
        .map_err(|e| StudyError::internal("the limit of a share", e))?;
    Ok(beta.inverse_cdf(FALSE_ALARM))
}

impl Check for Bound {
    fn select(&self) -> &Select {
        &self.0
    }

    fn validate(&self, names: &Names) -> Result<()> {
        let what = match (names.response, names.activation) {
            (Some(family), _) => format!("for {family} responses"),
            (None, Some(activation)) => format!("with an activation (\"{activation}\")"),
            (None, None) => return Ok(()),
        };
        Err(StudyError::bad("kind", "bound", &format!("no bound is known {what}; leave it out")))
    }

    /// Passes where the Clopper–Pearson lower limit of `P(error > bound)` is at most `1 − confidence`
    /// in every cell whose condition holds; the confidence is that of the study's `[theory]`.
    fn run(&self, summary: &Summary) -> Result<CheckOutcome> {
        let allowed = 1.0 - summary.confidence;
        let explicit = find(summary.bounds, "explicit");
        let mut comparisons = Vec::new();
        for c in self.0.cells(summary) {
            let errors = match self.0.norm {
                Norm::Prediction => &c.errors_pred,
                Norm::Frobenius => &c.errors_frob,
            };
            let bound = explicit.map_or(f64::NAN, |bound| c.theory.bound(bound, self.0.norm.into()));
            if !bound.is_finite() {
                continue;
            }
            let over = errors.iter().filter(|e| **e > bound).count();
            let limit = lower_limit(over, errors.len())?;
            comparisons.push(Comparison {
                passed: limit <= allowed,
                line: format!(
                    "{} {} {} n = {}: {over} of {} errors above {bound:.4} (at most {allowed:.3} allowed, \
                     lower limit {limit:.3})",
                    c.setting,
                    c.design,
                    c.solver,
                    c.n,
                    errors.len()
                ),
            });
        }
        let claim = format!(
            "P({} > explicit bound) <= {allowed:.3}, Clopper-Pearson, false alarm {FALSE_ALARM:e}{}",
            self.0.norm.name(),
            self.0.describe()
        );
        Ok(outcome("bound", claim, &self.0, summary, comparisons))
    }
}
