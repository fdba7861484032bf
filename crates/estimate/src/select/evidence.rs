//! What the criteria go by, and what they say.

use convstat_cnn::Structure;

use crate::model::FittedModel;
use crate::{EstimateError, Result, Sample};

/// What the criteria go by. Candidates are numbered by their place in `structures`.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The candidates.
    pub structures: &'a [Structure],
    /// The sample, raw or compressed.
    pub sample: &'a Sample,
    /// Pooled positions `P`, the rows of the unfolding for EVBMF; for plain data the size of the
    /// first axis.
    pub positions: usize,
    /// A fit of each candidate with its dimension, for the information criteria; may be empty for the others.
    pub fitted: &'a [FittedModel],
    /// Held-out errors of each candidate, for cross-validation.
    pub held_out: Option<&'a CrossValidation>,
}

/// Held-out errors of candidates.
#[derive(Debug, Clone, PartialEq)]
pub struct CrossValidation {
    /// Mean squared error of the held-out responses, by candidate.
    pub mean: Vec<f64>,
    /// Its standard error from the means of the folds, `sd/√folds`.
    pub standard_error: Vec<f64>,
}

/// What a criterion says.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The criterion of each candidate, the smaller the better; infinite for candidates that cannot be chosen.
    pub values: Vec<f64>,
    /// Standard errors of the values, where they have some.
    pub errors: Vec<f64>,
    /// The candidate chosen.
    pub chosen: usize,
}

impl Evidence<'_> {
    /// Observations times responses.
    pub(super) fn equations(&self) -> f64 {
        self.sample.n * self.sample.outputs() as f64
    }

    /// Of the candidates with a value of at most `limit` the one with the fewest naive parameters, the first among equals.
    pub(super) fn most_parsimonious(&self, values: &[f64], limit: f64) -> Result<usize> {
        let small = (0..values.len()).filter(|&i| values[i] <= limit && values[i] < f64::INFINITY);
        small
            .min_by_key(|&i| self.structures[i].naive_parameters())
            .ok_or(EstimateError::NoCandidate { candidates: values.len(), equations: self.equations() })
    }
}

/// The smallest value.
pub(super) fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Fails unless there is a piece of evidence for each candidate.
pub(super) fn check_count(what: &'static str, found: usize, candidates: usize) -> Result<()> {
    if found == candidates && candidates > 0 {
        return Ok(());
    }
    let value = format!("{found} for {candidates} candidates");
    Err(EstimateError::BadOption {
        option: what,
        value,
        mend: "give one for each candidate, and at least one",
    })
}
