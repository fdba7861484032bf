//! `rate`: log error against `log √(d_M/n)` has the slope of the exact risk over the same n.

use serde::{Deserialize, Serialize};

use super::check::{Check, CheckOutcome, Comparison, outcome};
use super::select::Select;
use crate::Result;
use crate::statistics::slope;
use crate::summary::{CellSummary, Summary};

/// Check `rate`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rate(Select);

impl Check for Rate {
    fn select(&self) -> &Select {
        &self.0
    }

    /// Passes where the slopes of measurement and risk differ by at most `mcse` standard errors, for each
    /// setting, design and solver with at least three n.
    fn run(&self, summary: &Summary) -> Result<CheckOutcome> {
        let (norm, z) = (self.0.norm, self.0.mcse);
        let cells = self.0.cells(summary);
        let mut comparisons = Vec::new();
        for series in series(&cells) {
            let usable: Vec<&&CellSummary> = series.iter().filter(|c| norm.risk(c).0.is_finite()).collect();
            if usable.len() < 3 {
                continue;
            }
            let column = |f: &dyn Fn(&CellSummary) -> f64| usable.iter().map(|c| f(c)).collect::<Vec<f64>>();
            let x = column(&|c| c.sqrt_dm_over_n().ln());
            let relative = |(value, error): (f64, f64)| error / value;
            let (measured, e1) =
                slope(&x, &column(&|c| norm.measured(c).0.ln()), &column(&|c| relative(norm.measured(c))));
            let (risk, e2) =
                slope(&x, &column(&|c| norm.risk(c).0.ln()), &column(&|c| relative(norm.risk(c))));
            let off = (measured - risk) / e1.hypot(e2);
            let c = usable[0];
            comparisons.push(Comparison {
                passed: off.abs() <= z,
                line: format!(
                    "{} {} {}: slope {measured:.3} (standard error {e1:.3}), exact risk {risk:.3}, over {} n: {off:+.1} MCSE",
                    c.setting, c.design, c.solver, usable.len()
                ),
            });
        }
        let claim = format!(
            "log {} against log sqrt(d_M/n) has the slope of the exact risk within {z} MCSE{}",
            norm.name(),
            self.0.describe()
        );
        Ok(outcome("rate", claim, &self.0, summary, comparisons))
    }
}

/// Cells by setting, design and solver.
fn series<'a>(cells: &[&'a CellSummary]) -> Vec<Vec<&'a CellSummary>> {
    let mut all: Vec<Vec<&CellSummary>> = Vec::new();
    for c in cells {
        let same = |s: &&mut Vec<&CellSummary>| {
            (&s[0].setting, &s[0].design, &s[0].solver) == (&c.setting, &c.design, &c.solver)
        };
        match all.iter_mut().find(same) {
            Some(s) => s.push(c),
            None => all.push(vec![c]),
        }
    }
    all
}
