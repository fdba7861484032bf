//! How a replicate of a study ended, and in which ways it failed.

use convstat_estimate::{Termination, is_optimisation_failure};
use convstat_runner::{Outcome, RunnerError};

/// The column that says how a replicate ended.
pub const TERMINATION: &str = "termination";

/// How a replicate ended: as its solver stopped, or in an error.
pub type ReplicateOutcome = Outcome<Termination>;

/// The text of the column [`TERMINATION`].
pub fn outcome_text(outcome: &ReplicateOutcome) -> String {
    outcome.text(Termination::name)
}

/// Reads a text of the column [`TERMINATION`].
///
/// # Errors
/// A word that no solver has.
pub fn read_outcome(text: &str) -> Result<ReplicateOutcome, RunnerError> {
    Outcome::read(TERMINATION, text, &Termination::ALL, Termination::name)
}

/// How a replicate failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureKind {
    /// It ended in an error and counts in no mean.
    Error,
    /// Its fit ended without showing an optimum.
    NotConverged,
    /// Its starts, the oracle left out, missed the optimum.
    MissedOptimum,
}

/// The ways in which a replicate with `n` observations failed; `gap` and `objective` as its row has them.
pub fn failures(
    outcome: &ReplicateOutcome,
    gap: f64,
    objective: f64,
    n: f64,
) -> impl Iterator<Item = FailureKind> + use<> {
    // The end of a schedule is what training asks for.
    let is_wanted = |t: Termination| t.is_success() || t == Termination::Schedule;
    let missed = gap.is_finite() && is_optimisation_failure(gap, objective, n);
    let termination = outcome.completed();
    [
        (FailureKind::Error, termination.is_none()),
        (FailureKind::NotConverged, termination.is_some_and(|t| !is_wanted(t))),
        (FailureKind::MissedOptimum, termination.is_some() && missed),
    ]
    .into_iter()
    .filter_map(|(kind, is)| is.then_some(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_reads_as_it_is_written() {
        let failed = Outcome::Failed("the classes are separated".to_owned());
        for outcome in Termination::ALL.map(Outcome::Completed).into_iter().chain([failed]) {
            assert_eq!(read_outcome(&outcome_text(&outcome)).unwrap(), outcome);
        }
        let error = read_outcome("gave up").unwrap_err().to_string();
        assert!(error.contains("\"gave up\"") && error.contains("max-iterations"), "{error}");
    }

    #[test]
    fn kinds_of_failure() {
        let kinds = |outcome, gap| failures(&outcome, gap, 1.0, 10.0).collect::<Vec<_>>();
        for fine in [Termination::Converged, Termination::Direct, Termination::Schedule] {
            assert_eq!(kinds(Outcome::Completed(fine), f64::NAN), []);
        }
        assert_eq!(kinds(Outcome::Completed(Termination::Stalled), 0.0), [FailureKind::NotConverged]);
        assert_eq!(kinds(Outcome::Completed(Termination::Converged), 1.0), [FailureKind::MissedOptimum]);
        assert_eq!(kinds(Outcome::Failed(String::new()), 1.0), [FailureKind::Error]);
    }
}
