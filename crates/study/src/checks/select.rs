//! Which cells a check is about, in which norm.

use convstat_text::KeyPath;
use convstat_theory::ErrorNorm;
use serde::{Deserialize, Serialize};

use super::names::Names;
use crate::summary::{CellSummary, Summary};
use crate::{Result, StudyError};

/// Keys of every check: which cells, which norm, how many standard errors.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Select {
    /// Lowest and highest `√(d_M/n)`.
    pub range: Option<[f64; 2]>,
    /// Settings (default all).
    pub settings: Option<Vec<String>>,
    /// Kinds or names of designs (default all).
    pub designs: Option<Vec<String>>,
    /// Names of estimators (default all).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimators: Option<Vec<String>>,
    /// Norm of the error.
    pub norm: Norm,
    /// Standard errors that a difference may reach.
    pub mcse: f64,
}

impl Default for Select {
    fn default() -> Self {
        Self {
            range: None,
            settings: None,
            designs: None,
            estimators: None,
            norm: Norm::Prediction,
            mcse: 3.0,
        }
    }
}

/// Norm of the error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Norm {
    /// `‖Σ_Z^{1/2}(Ŵ − W*)‖`.
    #[default]
    Prediction,
    /// `‖Ŵ − W*‖_F`.
    Frobenius,
}

impl Norm {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Prediction => "prediction error",
            Self::Frobenius => "estimation error",
        }
    }

    /// Measured root mean square and MCSE.
    pub(crate) fn measured(self, c: &CellSummary) -> (f64, f64) {
        match self {
            Self::Prediction => c.pred,
            Self::Frobenius => c.frob,
        }
    }

    /// Root of the exact risk and its standard error.
    pub(crate) fn risk(self, c: &CellSummary) -> (f64, f64) {
        c.theory.risk(self.into())
    }
}

impl From<Norm> for ErrorNorm {
    fn from(norm: Norm) -> Self {
        match norm {
            Norm::Prediction => Self::Prediction,
            Norm::Frobenius => Self::Frobenius,
        }
    }
}

impl Select {
    pub(crate) fn cells<'a>(&self, summary: &'a Summary) -> Vec<&'a CellSummary> {
        summary.cells.iter().filter(|c| c.replicates() > 1 && self.selects(c)).collect()
    }

    pub(crate) fn selects(&self, c: &CellSummary) -> bool {
        let listed = |list: &Option<Vec<String>>, names: &[&str]| {
            list.as_ref().is_none_or(|l| l.iter().any(|x| names.contains(&x.as_str())))
        };
        // The ends of the range belong to it: n is rounded, so √(d_M/n) misses them by a little.
        let inside = |x: f64| self.range.is_none_or(|[a, b]| x >= a * (1.0 - 5e-3) && x <= b * (1.0 + 5e-3));
        inside(c.sqrt_dm_over_n())
            && listed(&self.settings, &[&c.setting])
            && listed(&self.estimators, &[&c.solver])
            && listed(&self.designs, &[&c.design, c.design.split('(').next().unwrap_or("")])
    }

    pub(crate) fn describe(&self) -> String {
        let list = |what: &str, l: &Option<Vec<String>>| {
            let quoted =
                |l: &Vec<String>| l.iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ");
            l.as_ref().map_or(String::new(), |l| format!(", {what} {}", quoted(l)))
        };
        let range = self.range.map_or(String::new(), |[a, b]| format!(" for sqrt(d_M/n) in [{a}, {b}]"));
        let lists = [
            list("settings", &self.settings),
            list("designs", &self.designs),
            list("estimators", &self.estimators),
        ];
        format!("{range}{}", lists.concat())
    }

    pub(crate) fn validate(&self, names: &Names) -> Result<()> {
        if let Some([a, b]) = self.range.filter(|[a, b]| !(a.is_finite() && b.is_finite() && a <= b)) {
            return Err(StudyError::bad("range", format!("[{a}, {b}]"), "give [lowest, highest]"));
        }
        if !(self.mcse.is_finite() && self.mcse > 0.0) {
            return Err(StudyError::bad("mcse", self.mcse, "it has to be a finite number above 0"));
        }
        let designs =
            |name: &str| names.designs.iter().any(|l| l == name || l.split('(').next() == Some(name));
        let settings = |name: &str| names.settings.iter().any(|s| s == name);
        let estimators = |name: &str| names.estimators.iter().any(|e| e == name);
        listed("settings", self.settings.as_ref(), settings, "no [[setting]] has this name")?;
        listed("estimators", self.estimators.as_ref(), estimators, "no [[estimator]] has this name")?;
        listed("designs", self.designs.as_ref(), designs, "no [[design]] is of this kind or has this name")
    }
}

/// Fails on an entry of the list at `key` that is not there.
fn listed(key: &str, list: Option<&Vec<String>>, is_there: impl Fn(&str) -> bool, mend: &str) -> Result<()> {
    match list.into_iter().flatten().enumerate().find(|(_, name)| !is_there(name)) {
        Some((i, name)) => Err(StudyError::bad(KeyPath::from(key).index(i), name, mend)),
        None => Ok(()),
    }
}
