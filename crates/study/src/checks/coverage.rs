//! `coverage`: confidence intervals and regions hold the truth as often as they say (table `[inference]`).

use serde::{Deserialize, Serialize};

use super::check::{Check, CheckOutcome, Comparison, outcome};
use super::names::Names;
use super::select::{Norm, Select};
use crate::summary::{CellSummary, Summary};
use crate::{Result, StudyError};

/// What is covered, in the order of the columns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Covered {
    /// Entries of `W*`.
    Entries,
    /// Expected responses at fresh inputs.
    Predictions,
    /// `W*` by the region.
    Region,
}

const ALL: [(Covered, &str); 3] =
    [(Covered::Entries, "entries"), (Covered::Predictions, "predictions"), (Covered::Region, "region")];

/// Keys of check `coverage`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Keys {
    /// Lowest and highest `√(d_M/n)`.
    range: Option<[f64; 2]>,
    /// Settings (default all).
    settings: Option<Vec<String>>,
    /// Kinds or names of designs (default all).
    designs: Option<Vec<String>>,
    /// Names of estimators (default all).
    estimators: Option<Vec<String>>,
    /// Standard errors that a difference may reach beyond the tolerance.
    mcse: f64,
    /// Difference that the first order may make: the delta method leaves out the curvature, of order 1/n.
    tolerance: f64,
    /// What has to be covered (default all).
    of: Option<Vec<Covered>>,
}

impl Default for Keys {
    fn default() -> Self {
        let Select { range, settings, designs, estimators, mcse, .. } = Select::default();
        Self { range, settings, designs, estimators, mcse, tolerance: 0.01, of: None }
    }
}

/// Check `coverage`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(from = "Keys", into = "Keys")]
pub struct Coverage {
    select: Select,
    tolerance: f64,
    of: Option<Vec<Covered>>,
}

impl From<Keys> for Coverage {
    fn from(keys: Keys) -> Self {
        let Keys { range, settings, designs, estimators, mcse, tolerance, of } = keys;
        let select = Select { range, settings, designs, estimators, mcse, norm: Norm::default() };
        Self { select, tolerance, of }
    }
}

impl From<Coverage> for Keys {
    fn from(check: Coverage) -> Self {
        let Coverage { select: Select { range, settings, designs, estimators, mcse, .. }, tolerance, of } =
            check;
        Self { range, settings, designs, estimators, mcse, tolerance, of }
    }
}

/// Replicates below which the spread of their shares says too little.
const FEW: usize = 50;

impl Coverage {
    /// One comparison a cell and thing covered; nothing where entries are not identified.
    fn compare(&self, c: &CellSummary) -> Vec<Comparison> {
        let Some(coverage) = &c.coverage else { return Vec::new() };
        let level = coverage.level;
        let wanted = |what: Covered| self.of.as_ref().is_none_or(|of| of.contains(&what));
        let named = self.of.is_some();
        let place = format!("{} {} {} n = {}", c.setting, c.design, c.solver, c.n);
        if coverage.replicates == 0 {
            let line = format!(
                "{place}: no intervals, for no residual degrees of freedom are left; leave it out by range"
            );
            return vec![Comparison { passed: false, line }];
        }
        // The standard error if all of a replicate were covered or nothing, and the most that it can be.
        let most = (level * (1.0 - level) / coverage.replicates as f64).sqrt();
        let mut found = Vec::new();
        for ((what, name), (mean, mcse)) in ALL.into_iter().zip(coverage.means) {
            let is_missing = mean.is_nan() && what == Covered::Entries && !named;
            if !wanted(what) || is_missing {
                continue;
            }
            // The region holds W* or not. Of few replicates the standard error of the others is not known either: they may
            // all cover everything.
            let error = match what {
                Covered::Region => most,
                _ if coverage.replicates < FEW => most,
                _ => mcse,
            };
            let off = mean - level;
            found.push(Comparison {
                passed: off.abs() <= self.tolerance + self.select.mcse * error,
                line: format!(
                    "{place}: {name} covered {mean:.4} (MCSE {error:.4}), level {level}: {off:+.4}"
                ),
            });
        }
        found
    }
}

impl Check for Coverage {
    fn select(&self) -> &Select {
        &self.select
    }

    fn validate(&self, names: &Names) -> Result<()> {
        if !names.has_inference {
            return Err(StudyError::bad("kind", "coverage", "add a table [inference] with level = 0.95"));
        }
        if !(self.tolerance >= 0.0 && self.tolerance < 1.0) {
            return Err(StudyError::bad("tolerance", self.tolerance, "it has to be at least 0 and below 1"));
        }
        Ok(())
    }

    /// Passes where `|mean coverage − level| ≤ tolerance + mcse · MCSE` in every cell.
    fn run(&self, summary: &Summary) -> Result<CheckOutcome> {
        let comparisons = self.select.cells(summary).into_iter().flat_map(|c| self.compare(c)).collect();
        let claim = format!(
            "coverage = level within {} and {} MCSE{}",
            self.tolerance,
            self.select.mcse,
            self.select.describe()
        );
        Ok(outcome("coverage", claim, &self.select, summary, comparisons))
    }
}
