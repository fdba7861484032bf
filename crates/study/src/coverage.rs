//! Whether the confidence intervals and the region of a fit hold the truth.

use convstat_estimate::{EstimateError, FittedModel, Joint, Sample};
use convstat_runner::{Column, stream};
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::plan::{Cell, Plan, TrueCoefficient};
use crate::row::Row;
use crate::summary::mean;

/// Fresh inputs at which the intervals of predictions are compared with the truth, in every replicate.
pub const FRESH_INPUTS: usize = 64;

/// Table `[inference]`: each replicate records what its intervals and its region cover.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InferenceOptions {
    /// Probability with which they should.
    pub level: f64,
}

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

    /// The columns of rows.
    pub(crate) fn columns(rows: &[Row]) -> Vec<(&'static str, Column)> {
        let column = |f: fn(&Self) -> f64| Column::Float(rows.iter().map(|r| f(&r.coverage)).collect());
        COLUMNS.iter().map(|(name, f)| (*name, column(*f))).collect()
    }

    /// Of a fit of `sample` in one replicate, at this level.
    ///
    /// Predictions and region are about `ZW`, which the data always identify. Entries are counted where all of them are
    /// identified: by the structure (THEORY §3), or without one by a sample of full rank.
    pub(crate) fn new(
        plan: &Plan,
        cell: &Cell,
        replicate: u64,
        (sample, model): (&Sample, &FittedModel),
        truth: &TrueCoefficient,
        level: f64,
    ) -> Result<Self> {
        let estimator = plan.estimator(cell);
        if estimator.method.shrinks() {
            // Shrinkage biases by amounts of the size of the standard errors.
            return Ok(Self::NOTHING);
        }
        let fit = &model.fit;
        let is_identified = if fit.factors.is_empty() {
            sample.z.nrows() >= sample.features()
        } else {
            truth.risk.is_identified()
        };
        let confidence = match model.confidence(level) {
            Ok(confidence) => confidence,
            Err(EstimateError::NoResidualFreedom { .. }) => return Ok(Self::NOTHING),
            Err(e) => return Err(e.into()),
        };
        let off = &fit.w - &truth.w;
        let fresh = fresh_features(plan, cell, replicate);
        let entries = covered(&off, &confidence.coefficients(Joint::Pointwise));
        let predictions = covered(&fresh.dot(&off), &confidence.fitted(&fresh.view(), Joint::Pointwise));
        let holds = confidence.contains(sample, &fit.w.view(), &truth.w.view());
        Ok(Self {
            entries: if is_identified { entries } else { f64::NAN },
            predictions,
            region: f64::from(u8::from(holds)),
        })
    }
}

/// Share of the errors within their half-widths.
fn covered(off: &Array2<f64>, half: &Array2<f64>) -> f64 {
    let inside = off.iter().zip(half).filter(|(off, half)| off.abs() <= **half).count();
    inside as f64 / off.len() as f64
}

/// Features (`FRESH_INPUTS × D`) of new inputs of the design, from a stream of their own.
fn fresh_features(plan: &Plan, cell: &Cell, replicate: u64) -> Array2<f64> {
    let setting = plan.setting(cell);
    let inputs = setting.geometry.inputs();
    let mut rng = stream(plan.file.study.seed, "fresh inputs", &plan.data_key(cell), replicate);
    let mut x = Array2::zeros((inputs, FRESH_INPUTS));
    plan.file.design[cell.design].design().sampler(inputs).fill(&mut rng, &mut x);
    setting.windows.apply(&x.view()).reversed_axes()
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
    pub(crate) fn new(plan: &Plan, covered: &[(u64, [f64; 3])]) -> Option<Self> {
        let level = plan.file.inference.as_ref()?.level;
        let column =
            |i: usize| -> Vec<f64> { covered.iter().map(|(_, c)| c[i]).filter(|v| v.is_finite()).collect() };
        // Predictions have intervals wherever there are any.
        let replicates = column(1).len();
        Some(Self { level, replicates, means: [0, 1, 2].map(|i| mean(&column(i))) })
    }
}
