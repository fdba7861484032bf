//! K-fold cross-validation: mean squared errors of rows that were left out (Stone 1974).
//!
//! Each fold is compressed once. The rows of all folds but one are those of their compressed samples together, and the
//! held-out error is the objective of the compressed fold: no candidate touches a row again. Rows are taken as independent: where they are not, those
//! left out are not new, and large candidates look too good.

use convstat_cnn::Structure;
use ndarray::{Axis, concatenate};

use super::evidence::{CrossValidation, Evidence, Verdict, check_count, least};
use crate::fitting::{FitOptions, Fitting};
use crate::solvers::Method;
use crate::{EstimateError, Result, Sample};

/// Means closer than this share of their standard error are equal: where a solver stops moves them by less.
const EQUAL: f64 = 1e-2;

/// The rows of a raw sample in folds whose sizes differ by at most one, each compressed. A row's fold is its rank in a
/// random order, from `normal`, modulo the number of folds.
///
/// # Errors
/// Fewer than two folds, more folds than rows, or a compressed sample.
pub fn folds_of(sample: &Sample, folds: usize, mut normal: impl FnMut() -> f64) -> Result<Vec<Sample>> {
    let rows = sample.z.nrows();
    let refuse = |mend| Err(EstimateError::BadOption { option: "folds", value: folds.to_string(), mend });
    if rows as f64 != sample.n || sample.rss != 0.0 {
        return refuse("a compressed sample has no rows to leave out; give the raw sample");
    }
    if folds < 2 {
        return refuse("at least 2 are needed");
    }
    if folds > rows {
        return refuse("there are not as many rows; use fewer folds");
    }
    let keys: Vec<f64> = (0..rows).map(|_| normal()).collect();
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]));
    (0..folds)
        .map(|fold| {
            let own: Vec<usize> = order.iter().copied().skip(fold).step_by(folds).collect();
            Sample::new(sample.z.select(Axis(0), &own), sample.y.select(Axis(0), &own))?.compressed()
        })
        .collect()
}

/// All folds but one (or all of them) as one compressed sample.
fn joined(folds: &[Sample], without: usize) -> Result<Sample> {
    let kept: Vec<&Sample> =
        folds.iter().enumerate().filter(|(i, _)| *i != without).map(|(_, f)| f).collect();
    let stack = |part: fn(&Sample) -> ndarray::ArrayView2<f64>| {
        let views: Vec<_> = kept.iter().map(|f| part(f)).collect();
        concatenate(Axis(0), &views).map_err(|_| EstimateError::NoRows)
    };
    let (z, y) = (stack(|f| f.z.view())?, stack(|f| f.y.view())?);
    let (rss, n) = (kept.iter().map(|f| f.rss).sum(), kept.iter().map(|f| f.n).sum());
    Sample { z, y, rss, n }.compressed()
}

/// Fits every candidate to all folds but one, for each fold, and measures it on that one.
///
/// # Errors
/// Fewer than two folds, folds of different shapes, those of [`Fitting::fit`].
pub fn cross_validate(
    structures: &[Structure],
    folds: &[Sample],
    method: &Method,
    mut normal: impl FnMut() -> f64,
) -> Result<CrossValidation> {
    if folds.len() < 2 {
        let (option, value) = ("folds", folds.len().to_string());
        return Err(EstimateError::BadOption { option, value, mend: "at least 2 are needed" });
    }
    let options = FitOptions::bare(method.clone());
    let mut errors = vec![Vec::with_capacity(folds.len()); structures.len()];
    for (left_out, fold) in folds.iter().enumerate() {
        let sample = joined(folds, left_out)?;
        for (structure, errors) in structures.iter().zip(&mut errors) {
            let model = Fitting::new(structure, &options).normal(&mut normal).fit(&sample)?;
            errors.push(fold.objective(&model.fit.w.view()));
        }
    }
    let equations: Vec<f64> = folds.iter().map(|f| f.n * f.outputs() as f64).collect();
    let (k, all) = (folds.len() as f64, equations.iter().sum::<f64>());
    let mean: Vec<f64> = errors.iter().map(|e| e.iter().sum::<f64>() / all).collect();
    let standard_error = errors.iter().zip(&mean).map(|(errors, mean)| {
        let squares = errors.iter().zip(&equations).map(|(e, n)| (e / n - mean).powi(2));
        (squares.sum::<f64>() / (k - 1.0) / k).sqrt()
    });
    Ok(CrossValidation { standard_error: standard_error.collect(), mean })
}

fn held_out<'a>(evidence: &'a Evidence) -> Result<&'a CrossValidation> {
    let found = evidence.held_out.map_or(0, |h| h.mean.len());
    check_count("held-out errors", found, evidence.structures.len())?;
    evidence.held_out.ok_or(EstimateError::NoRows)
}

fn verdict(held_out: &CrossValidation, chosen: usize) -> Verdict {
    Verdict { values: held_out.mean.clone(), errors: held_out.standard_error.clone(), chosen }
}

/// The standard error of the smallest mean.
fn error_of_least(held_out: &CrossValidation) -> (f64, f64) {
    let smallest = least(&held_out.mean);
    let place = held_out.mean.iter().position(|&m| m == smallest).unwrap_or(0);
    (smallest, held_out.standard_error.get(place).copied().unwrap_or(0.0))
}

/// The smallest mean.
pub(super) fn smallest(evidence: &Evidence) -> Result<Verdict> {
    let held_out = held_out(evidence)?;
    let (smallest, error) = error_of_least(held_out);
    let chosen = evidence.most_parsimonious(&held_out.mean, smallest + EQUAL * error)?;
    Ok(verdict(held_out, chosen))
}

/// The fewest dimensions, then naive parameters, within one standard error of the smallest mean.
pub(super) fn one_standard_error(evidence: &Evidence) -> Result<Verdict> {
    let held_out = held_out(evidence)?;
    let (smallest, error) = error_of_least(held_out);
    let size = |i: usize| -> Result<(usize, usize)> {
        Ok((evidence.structures[i].df()?, evidence.structures[i].naive_parameters()))
    };
    let mut best: Option<(usize, (usize, usize))> = None;
    for i in (0..held_out.mean.len()).filter(|&i| held_out.mean[i] <= smallest + error) {
        let size = size(i)?;
        if best.is_none_or(|(_, least)| size < least) {
            best = Some((i, size));
        }
    }
    let chosen = best.ok_or(EstimateError::NoRows)?.0;
    Ok(verdict(held_out, chosen))
}
