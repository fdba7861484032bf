//! Unit tests of error bounds, run on a summary. A new check is a file here, a variant and a line in
//! `CheckSpec::check`.

mod bound;
mod coverage;
pub(crate) mod rate;
mod risk;

use bound::Bound;
use convstat_theory::ErrorNorm;
use coverage::Coverage;
use rate::Rate;
use risk::Risk;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::file::StudyFile;
use crate::summary::{CellSummary, Summary};
use crate::{Result, StudyError};

/// A check as a study file names it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CheckSpec {
    /// Log error against `log √(d_M/n)` has the slope of the exact risk.
    Rate(Rate),
    /// Error equals the exact risk.
    Risk(Risk),
    /// The explicit bound holds with its probability.
    Bound(Bound),
    /// Confidence intervals and regions cover as often as they say.
    Coverage(Coverage),
}

/// What a check found.
#[derive(Debug, Clone, Serialize)]
pub struct CheckOutcome {
    /// Kind.
    pub kind: String,
    /// What was tested, in words.
    pub claim: String,
    /// Whether it passed.
    pub passed: bool,
    /// The verdict in words, with figures.
    pub verdict: String,
    /// A line a comparison, the failed ones first.
    pub details: Vec<String>,
}

/// A kind of check.
trait Check {
    /// Runs it on the cells that its keys select.
    fn run(&self, summary: &Summary) -> Result<CheckOutcome>;
    /// Which cells it is about.
    fn select(&self) -> &Select;
    /// Fails on keys of its own that name nothing.
    fn validate(&self, _file: &StudyFile) -> Result<()> {
        Ok(())
    }
}

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
    fn name(self) -> &'static str {
        match self {
            Self::Prediction => "prediction error",
            Self::Frobenius => "estimation error",
        }
    }

    /// Measured root mean square and MCSE.
    fn measured(self, c: &CellSummary) -> (f64, f64) {
        match self {
            Self::Prediction => c.pred,
            Self::Frobenius => c.frob,
        }
    }

    /// Root of the exact risk and its standard error.
    fn risk(self, c: &CellSummary) -> (f64, f64) {
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
    fn cells<'a>(&self, summary: &'a Summary) -> Vec<&'a CellSummary> {
        summary.cells.iter().filter(|c| c.replicates() > 1 && self.selects(c)).collect()
    }

    fn selects(&self, c: &CellSummary) -> bool {
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

    fn describe(&self) -> String {
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

    fn validate(&self, file: &StudyFile) -> Result<()> {
        if let Some([a, b]) = self.range.filter(|[a, b]| !(a.is_finite() && b.is_finite() && a <= b)) {
            return Err(StudyError::bad("check.range", format!("[{a}, {b}]"), "give [lowest, highest]"));
        }
        if !(self.mcse.is_finite() && self.mcse > 0.0) {
            return Err(StudyError::bad("check.mcse", self.mcse, "it has to be a finite number above 0"));
        }
        for name in self.settings.iter().flatten() {
            if !file.setting.iter().any(|s| s.name == *name) {
                return Err(StudyError::bad("check.settings", name, "no [[setting]] has this name"));
            }
        }
        for name in self.estimators.iter().flatten() {
            if !file.estimator.iter().any(|e| e.label() == name) {
                return Err(StudyError::bad("check.estimators", name, "no [[estimator]] has this name"));
            }
        }
        for name in self.designs.iter().flatten() {
            let known = |l: &String| l == name || l.split('(').next() == Some(name);
            if !file.design.iter().any(|d| known(&d.label())) {
                return Err(StudyError::bad(
                    "check.designs",
                    name,
                    "no [[design]] is of this kind or has this name",
                ));
            }
        }
        Ok(())
    }
}

impl CheckSpec {
    fn check(&self) -> &dyn Check {
        match self {
            Self::Rate(c) => c,
            Self::Risk(c) => c,
            Self::Bound(c) => c,
            Self::Coverage(c) => c,
        }
    }

    /// Fails on keys that name nothing.
    pub fn validate(&self, file: &StudyFile) -> Result<()> {
        if let (Self::Bound(_), Some(response)) = (self, &file.response) {
            let mend = format!("no bound is known for {} responses; leave it out", response.family.name());
            return Err(StudyError::bad("check.kind", "bound", &mend));
        }
        if let (Self::Bound(_), Some(a)) = (self, file.setting.iter().find_map(|s| s.activation)) {
            let mend = format!("no bound is known with an activation (\"{}\"); leave it out", a.name());
            return Err(StudyError::bad("check.kind", "bound", &mend));
        }
        self.check().select().validate(file)?;
        self.check().validate(file)
    }

    /// Runs the check. A check that selects no cell fails: it has tested nothing.
    pub fn run(&self, summary: &Summary) -> Result<CheckOutcome> {
        self.check().run(summary)
    }
}

/// Runs all checks of a study.
pub fn run_checks(file: &StudyFile, summary: &Summary) -> Result<Vec<CheckOutcome>> {
    file.check.iter().map(|c| c.run(summary)).collect()
}

/// One comparison within a check.
struct Comparison {
    passed: bool,
    line: String,
}

/// The chance that a true theory fails one of `total` comparisons at `z` standard errors, of Student's t with the degrees
/// of freedom of the fewest replicates among the cells.
fn false_alarm(select: &Select, total: usize, kind: &str, summary: &Summary) -> String {
    let replicates = summary.cells.iter().filter(|c| select.selects(c)).map(CellSummary::replicates);
    let fewest = replicates.filter(|&r| r > 1).min();
    let law = fewest.and_then(|r| StudentsT::new(0.0, 1.0, r as f64 - 1.0).ok());
    let Some(law) = law.filter(|_| kind != "bound") else { return String::new() };
    let one = 2.0 * law.sf(select.mcse);
    let any = 1.0 - (1.0 - one).powi(total as i32);
    let any = if any < 0.005 { "below 0.005".to_owned() } else { format!("{any:.2}") };
    match total {
        1 => format!(" (a true theory fails with probability {any} over seeds)"),
        _ => format!(" (a true theory fails one of {total} with probability {any} over seeds)"),
    }
}

/// Comparisons that fail because every replicate of a cell ended in an error.
fn without_results(select: &Select, summary: &Summary) -> Vec<Comparison> {
    let lost = summary.cells.iter().filter(|c| c.replicates() <= 1 && c.errors > 0 && select.selects(c));
    lost.map(|c| Comparison {
        passed: false,
        line: format!(
            "{} {} {} n = {}: {} replicates ended in errors",
            c.setting, c.design, c.solver, c.n, c.errors
        ),
    })
    .collect()
}

fn outcome(
    kind: &str,
    claim: String,
    select: &Select,
    summary: &Summary,
    mut comparisons: Vec<Comparison>,
) -> CheckOutcome {
    comparisons.extend(without_results(select, summary));
    let failed = comparisons.iter().filter(|c| !c.passed).count();
    let total = comparisons.len();
    let verdict = match (total, failed) {
        (0, _) => "failed: it selects no cell with two replicates, so nothing was tested".to_owned(),
        (1, 0) => format!("passed: the comparison agrees{}", false_alarm(select, total, kind, summary)),
        (_, 0) => {
            format!("passed: all {total} comparisons agree{}", false_alarm(select, total, kind, summary))
        }
        _ => format!("failed: {failed} of {total} comparisons disagree"),
    };
    let mut details: Vec<(bool, String)> = comparisons.into_iter().map(|c| (c.passed, c.line)).collect();
    details.sort_by_key(|(passed, _)| *passed);
    CheckOutcome {
        kind: kind.to_owned(),
        claim,
        passed: total > 0 && failed == 0,
        verdict,
        details: details
            .into_iter()
            .map(|(passed, line)| format!("{} {line}", if passed { "ok  " } else { "FAIL" }))
            .collect(),
    }
}
