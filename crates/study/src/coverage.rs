//! What the confidence intervals and regions of fits cover, in one replicate and over those of a cell.

use convstat_runner::Column;

use crate::statistics::mean;

/// Fresh inputs at which the intervals of predictions are compared with the truth, in every replicate.
pub const FRESH_INPUTS: usize = 64;

/// What the intervals and the region of one fit cover; NaN where there is none (no residual degrees of freedom).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coverage {
    /// Share of the entries of `W*` in their intervals; NaN where the data do not identify all entries.
    pub entries: f64,
    /// Share of the expected responses at [`FRESH_INPUTS`] new inputs in their intervals.
    pub predictions: f64,
    /// 1 if the region `{W : ‖Z(Ŵ − W)‖² ≤ df σ̂² F}` holds `W*`, else 0.
    pub region: f64,
}

/// Names of the columns, and what they hold.
pub const COLUMNS: [(&str, fn(&Coverage) -> f64); 3] = [
    ("covered_entries", |c| c.entries),
    ("covered_predictions", |c| c.predictions),
    ("covered_region", |c| c.region),
];

impl Coverage {
    /// None.
    pub const NOTHING: Self = Self { entries: f64::NAN, predictions: f64::NAN, region: f64::NAN };

    /// The columns of several.
    pub(crate) fn columns(all: &[Self]) -> Vec<(&'static str, Column)> {
        COLUMNS.iter().map(|(name, f)| (*name, Column::Float(all.iter().map(f).collect()))).collect()
    }
}

/// Mean coverage over the replicates that have one, each with its MCSE (NaN where none has).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CellCoverage {
    /// Probability that was asked for.
    pub level: f64,
    /// Replicates that have intervals.
    pub replicates: usize,
    /// Of the entries of `W*`, the expected responses at fresh inputs, and the region: as in [`COLUMNS`].
    pub means: [(f64, f64); 3],
}

impl CellCoverage {
    /// Of the replicates of a cell.
    pub(crate) fn new(level: f64, covered: &[(u64, [f64; 3])]) -> Self {
        let column =
            |i: usize| -> Vec<f64> { covered.iter().map(|(_, c)| c[i]).filter(|v| v.is_finite()).collect() };
        // Predictions have intervals wherever there are any.
        let replicates = column(1).len();
        Self { level, replicates, means: [0, 1, 2].map(|i| mean(&column(i))) }
    }
}
