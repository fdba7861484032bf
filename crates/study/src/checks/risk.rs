//! `risk`: the root mean squared error equals the root of the exact risk (THEORY §4.3).

use serde::{Deserialize, Serialize};

use super::check::{Check, CheckOutcome, Comparison, outcome};
use super::select::Select;
use crate::Result;
use crate::summary::Summary;

/// Check `risk`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Risk(Select);

/// Errors below this count as none where there is no noise.
const NOISELESS: f64 = 1e-6;

impl Check for Risk {
    fn select(&self) -> &Select {
        &self.0
    }

    /// Passes where `|measured − risk| ≤ mcse · √(MCSE² + standard error of the risk²)` in every cell.
    fn run(&self, summary: &Summary) -> Result<CheckOutcome> {
        let (norm, z) = (self.0.norm, self.0.mcse);
        let comparisons = self
            .0
            .cells(summary)
            .into_iter()
            .map(|c| {
                let ((measured, mcse), (risk, se)) = (norm.measured(c), norm.risk(c));
                let name = format!("{} {} {} n = {}", c.setting, c.design, c.solver, c.n);
                if !risk.is_finite() {
                    let line = format!(
                        "{name}: no exact risk is known here (solver, truth or n); leave the cell out with settings, \
                         designs or range"
                    );
                    return Comparison { passed: false, line };
                }
                // Without noise both are 0 up to rounding.
                let off = if risk == 0.0 && measured < NOISELESS { 0.0 } else { (measured - risk) / mcse.hypot(se) };
                Comparison {
                    passed: off.abs() <= z,
                    line: format!(
                        "{name}: measured {measured:.4} (MCSE {mcse:.4}), exact risk {risk:.4}: {off:+.1} MCSE"
                    ),
                }
            })
            .collect();
        let claim =
            format!("root mean squared {} = exact risk within {z} MCSE{}", norm.name(), self.0.describe());
        Ok(outcome("risk", claim, &self.0, summary, comparisons))
    }
}
