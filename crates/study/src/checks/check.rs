//! What a check is and what it finds.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::names::Names;
use super::select::Select;
use crate::Result;
use crate::summary::{CellSummary, Summary};

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
pub(crate) trait Check {
    /// Runs it on the cells that its keys select.
    fn run(&self, summary: &Summary) -> Result<CheckOutcome>;
    /// Which cells it is about.
    fn select(&self) -> &Select;
    /// Fails on keys of its own that name nothing.
    fn validate(&self, _names: &Names) -> Result<()> {
        Ok(())
    }
}

/// One comparison within a check.
pub(crate) struct Comparison {
    pub passed: bool,
    pub line: String,
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

/// What comparisons make of a claim.
pub(crate) fn outcome(
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
