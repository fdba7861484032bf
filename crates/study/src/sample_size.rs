//! The n for a target error, solved by simulation.

use convstat_theory::ErrorNorm;
use rayon::prelude::*;
use serde::Serialize;

use crate::file::{Samples, StudyFile};
use crate::plan::Plan;
use crate::replicate::run_replicate;
use crate::statistics::{root_mean, slope};
use crate::{Result, StudyError};

/// Sample sizes around the solution, as factors, at which the final regression is measured.
const AROUND: [f64; 5] = [0.8, 0.9, 1.0, 1.12, 1.25];

/// Simulated errors beyond a quantile, at least.
const LEAST_OUTSIDE: f64 = 10.0;

/// First replicate of the pilots.
const PILOT: u64 = 1 << 40;

/// Most centres of the regression.
const MOST_CENTRES: usize = 6;

/// Most rounds of the search for a bracket, and largest n tried.
const MOST_ROUNDS: usize = 60;
const MOST: f64 = 1e15;

/// Distance of `ln error` from `ln target` at which the search ends and the regression begins.
const NEAR: f64 = 0.05;

/// What is to be at most the target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantity {
    /// The root mean squared error.
    RootMean,
    /// The error that is kept with this probability.
    Quantile(f64),
}

/// The n at which the measured error meets a target.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EmpiricalSampleSize {
    /// The estimate.
    pub n: f64,
    /// Its standard error, from the Monte Carlo errors of the points by the delta method.
    pub standard_error: f64,
    /// Local slope of log error against log n.
    pub slope: f64,
    /// The points of the regression: n, error, its standard error.
    pub points: Vec<(u64, f64, f64)>,
    /// Replicates a point.
    pub replicates: u64,
    /// Replicates that ended in an error, over the points; they count in no mean.
    pub errors: usize,
}

/// Solves for the n at which `quantity` of the error in `norm` is `target`, for the first setting, design and estimator
/// of `file`, beginning at `guess`. Errors are simulated at n around the solution, each with the file's replicates, and
/// the line of log error against log n is inverted.
///
/// # Errors
/// A target that no n up to 10^15 meets, or that n = 2 meets already; too few replicates for the quantile.
pub fn sample_size(
    file: &StudyFile,
    norm: ErrorNorm,
    quantity: Quantity,
    target: f64,
    guess: f64,
) -> Result<EmpiricalSampleSize> {
    if !(target.is_finite() && target > 0.0) {
        return Err(StudyError::bad("target", target, "it has to be a finite number above 0"));
    }
    if let Quantity::Quantile(p) = quantity {
        let outside = file.study.replicates as f64 * p.min(1.0 - p);
        if outside < LEAST_OUTSIDE {
            let needed = (LEAST_OUTSIDE / p.min(1.0 - p)).ceil();
            let mend = format!("a quantile at {p} needs at least {needed} replicates");
            return Err(StudyError::bad("replicates", file.study.replicates, &mend));
        }
    }
    let search = Search { file, norm, quantity };
    let mut centre = search.bracket(target, guess)?;
    // The line is inverted near its points only.
    for _ in 0..MOST_CENTRES {
        let mut sizes: Vec<f64> = AROUND.iter().map(|f| (f * centre).round().max(2.0)).collect();
        sizes.dedup();
        let measured = search.measure(&sizes, file.study.replicates, 0)?;
        let found = invert(&sizes, &measured, target, file.study.replicates)?;
        let (low, high) = (sizes[0], sizes[sizes.len() - 1]);
        if found.n >= low - 1.0 && found.n <= high + 1.0 {
            return Ok(found);
        }
        centre = found.n.clamp(0.5 * low, 2.0 * high).clamp(2.0, MOST / 2.0).round();
    }
    Err(StudyError::bad("target", target, "the simulation does not settle around an n; use more replicates"))
}

struct Search<'a> {
    file: &'a StudyFile,
    norm: ErrorNorm,
    quantity: Quantity,
}

impl Search<'_> {
    /// An n whose error is near the target, by pilots with fewer replicates. Their draws are not those of the regression,
    /// which they would bias.
    fn bracket(&self, target: f64, guess: f64) -> Result<f64> {
        let replicates = self.file.study.replicates;
        let pilot = (replicates / 4).max(20).min(replicates);
        let (mut low, mut high) = (1.0f64, MOST);
        let mut centre = guess.clamp(2.0, MOST / 2.0).round();
        for _ in 0..MOST_ROUNDS {
            let (value, _, _) = self.measure(&[centre], pilot, PILOT)?[0];
            let ratio = value / target;
            if ratio.is_finite() && ratio.ln().abs() < NEAR {
                break;
            }
            if ratio > 1.0 || !ratio.is_finite() {
                low = low.max(centre);
            } else {
                high = high.min(centre);
            }
            if high <= 2.0 || low >= MOST / 2.0 {
                let mend =
                    if high <= 2.0 { "a sample of 2 meets it already" } else { "no n up to 10^15 meets it" };
                return Err(StudyError::bad("target", target, mend));
            }
            if high - low <= 1.0 || high / low < 1.05 {
                break;
            }
            // The error falls as 1/√n where n is large.
            let next = (centre * (ratio * ratio).clamp(0.125, 8.0)).round();
            let inside = next > low && next < high && ratio.is_finite();
            let fallback = if high < MOST { (low * high).sqrt() } else { low * 4.0 };
            centre = if inside { next } else { fallback.round().clamp(low + 1.0, high) };
        }
        Ok(centre)
    }

    /// Error, standard error and failed replicates at each n, of replicates from `first` on.
    fn measure(&self, sizes: &[f64], replicates: u64, first: u64) -> Result<Vec<(f64, f64, usize)>> {
        let mut file = self.file.clone();
        file.samples = Samples { n: Some(sizes.iter().map(|&n| n as u64).collect()), sqrt_dm_over_n: None };
        let plan = Plan::new(file)?;
        let tasks: Vec<(usize, u64)> =
            (0..plan.cells.len()).flat_map(|c| (0..replicates).map(move |r| (c, r))).collect();
        let errors: Vec<(usize, Option<f64>)> = tasks
            .into_par_iter()
            .map(|(c, r)| {
                let row = run_replicate(&plan, &plan.cells[c], first + r);
                let error = if self.norm == ErrorNorm::Prediction { row.err_pred } else { row.err_frob };
                (c, Some(error).filter(|e| e.is_finite()))
            })
            .collect();
        let cells = (0..plan.cells.len()).map(|c| {
            let mine: Vec<f64> = errors.iter().filter(|e| e.0 == c).filter_map(|e| e.1).collect();
            let (value, error) = self.quantity.estimate(&mine);
            (value, error, replicates as usize - mine.len())
        });
        Ok(cells.collect())
    }
}

impl Quantity {
    /// Estimate and standard error from simulated errors.
    fn estimate(self, errors: &[f64]) -> (f64, f64) {
        if errors.len() < 2 {
            return (f64::NAN, f64::NAN);
        }
        match self {
            Self::RootMean => root_mean(&errors.iter().map(|e| e * e).collect::<Vec<_>>()),
            Self::Quantile(p) => {
                let mut sorted = errors.to_vec();
                sorted.sort_by(f64::total_cmp);
                let n = sorted.len() as f64;
                let at = |rank: f64| sorted[(rank.round().max(0.0) as usize).min(sorted.len() - 1)];
                // Order statistics one standard deviation of the binomial count apart on either side.
                let (rank, spread) = (n * p - 0.5, (n * p * (1.0 - p)).sqrt());
                let (low, high) = ((rank - spread).round().max(0.0), (rank + spread).round().min(n - 1.0));
                (at(rank), (at(high) - at(low)) / (high - low) * spread)
            }
        }
    }
}

/// Inverts the regression of log error on log n.
fn invert(
    sizes: &[f64],
    measured: &[(f64, f64, usize)],
    target: f64,
    replicates: u64,
) -> Result<EmpiricalSampleSize> {
    let usable: Vec<(f64, f64, f64)> = sizes
        .iter()
        .zip(measured)
        .filter(|(_, m)| m.0 > 0.0 && m.1.is_finite())
        .map(|(n, m)| (n.ln(), m.0.ln(), (m.1 / m.0).max(1e-12)))
        .collect();
    if usable.len() < 2 {
        return Err(StudyError::bad(
            "target",
            target,
            "the simulation gives no error there; use a smaller target",
        ));
    }
    // Relative errors are nearly the same at all points: the mean of their squares is known better than each.
    let points = usable.len() as f64;
    let variance = usable.iter().map(|u| u.2 * u.2).sum::<f64>() / points;
    let column = |f: &dyn Fn(&(f64, f64, f64)) -> f64| usable.iter().map(f).collect::<Vec<f64>>();
    let (log_n, log_error) = (column(&|u| u.0), column(&|u| u.1));
    let (slope, slope_se) = slope(&log_n, &log_error, &vec![variance.sqrt(); usable.len()]);
    if slope >= 0.0 || slope.is_nan() {
        let mend =
            "the error does not fall with n around it; more replicates, or a target further from the limit";
        return Err(StudyError::bad("target", target, mend));
    }
    let (x, y) = (log_n.iter().sum::<f64>() / points, log_error.iter().sum::<f64>() / points);
    let at = x + (target.ln() - y) / slope;
    // Var(ȳ)/slope² + (at − x̄)² Var(slope)/slope².
    let error = ((variance / points).sqrt().hypot((at - x) * slope_se) / slope).abs();
    if error > 0.5 {
        let mend =
            "the error hardly falls with n around it; more replicates, or a target further from the limit";
        return Err(StudyError::bad("target", target, mend));
    }
    Ok(EmpiricalSampleSize {
        n: at.exp(),
        standard_error: at.exp() * error,
        slope,
        points: sizes.iter().zip(measured).map(|(&n, m)| (n as u64, m.0, m.1)).collect(),
        replicates,
        errors: measured.iter().map(|m| m.2).sum(),
    })
}
