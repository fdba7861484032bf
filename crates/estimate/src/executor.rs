//! A fit near unit size: all starts, the best kept, the gap between them recorded.

use convstat_cnn::{Factors, Structure};

use crate::alignment::align;
use crate::iterate::{Ended, iterate};
use crate::labels::working_sample;
use crate::least_squares::LeastSquares;
use crate::outcome::{Fit, SingleFit, Start, Termination, is_optimisation_failure};
use crate::scale::Scale;
use crate::separation::{SEPARATED, least_information};
use crate::solvers::{Algorithm, Iterative, Method};
use crate::starts::spectral_start;
use crate::tolerance::{EXACT, rounding};
use crate::trace::Trace;
use crate::{EstimateError, Result, Rows};

/// Fits `structure` to `rows`, which are near unit size and in C order, from every start of the method and keeps the best.
///
/// `truth` are the true factors for [`Start::Oracle`]; `normal` gives standard normals for [`Start::Random`]. Labels are
/// fitted by maximum likelihood; a fit whose classes turn out to be separated ends with [`Termination::Separated`].
///
/// # Errors
/// An oracle start without truth, a solver unsuited to the structure or to labels, squares beyond the range of `f64`.
pub(crate) fn execute(
    structure: &Structure,
    rows: &dyn Rows,
    method: &Method,
    scale: &Scale,
    truth: Option<&Factors>,
    normal: &mut dyn FnMut() -> f64,
    trace: &mut Trace,
) -> Result<Fit> {
    let in_memory = rows.in_memory();
    let squares = in_memory.map_or(0.0, |s| s.z.iter().map(|v| v * v).sum());
    if !(rows.sum_of_squares() + rows.rss() + squares).is_finite() {
        return Err(EstimateError::Overflow);
    }
    trace.rss = rows.rss();
    let unsuited = |reason: String| {
        let structure = structure.name().to_owned();
        Err(EstimateError::Unsuited { solver: method.name(), structure, reason })
    };
    if rows.family().is_labels() && !method.fits_labels() {
        let family = rows.family().name();
        return unsuited(format!(
            "it minimises squares, and the responses are {family}; use levenberg-marquardt"
        ));
    }
    match method.solver().algorithm() {
        Algorithm::Iterative(solver) => from_starts(structure, rows, solver, truth, normal, trace),
        Algorithm::Direct(solver) => {
            let sample = in_memory.ok_or(EstimateError::NotInMemory { solver: method.name() })?;
            solver.solve(structure, sample, scale, trace)
        }
        Algorithm::Training => unsuited(
            "it trains networks with an activation; use levenberg-marquardt for the linear network"
                .to_owned(),
        ),
    }
}

/// Every start of an iterative solver.
fn from_starts(
    structure: &Structure,
    rows: &dyn Rows,
    solver: &dyn Iterative,
    truth: Option<&Factors>,
    normal: &mut dyn FnMut() -> f64,
    trace: &mut Trace,
) -> Result<Fit> {
    let is_labels = rows.family().is_labels();
    let mut problem = LeastSquares::new(structure, rows)?;
    // Starts for labels come from least squares on a working sample.
    let working = rows.in_memory().filter(|_| is_labels).map(working_sample).transpose()?;
    let mut pilot = working.as_ref().map(|w| LeastSquares::new(structure, w)).transpose()?;
    let mut rival: Option<f64> = None;
    let mut ended = Vec::with_capacity(solver.starts().len());
    for (place, &start) in solver.starts().iter().enumerate() {
        if place > 0 && trace.is_interrupted() {
            break;
        }
        let from = pilot.as_mut().unwrap_or(&mut problem);
        let parameters = start_point(start, from, is_labels, truth, normal)?;
        (trace.place, trace.start) = (place, Some(start));
        let end = iterate(solver, &mut problem, parameters, rival, trace)?;
        rival = Some(rival.map_or(end.point.objective, |r| r.min(end.point.objective)));
        ended.push((start, end));
    }
    let (best, mut found) = choose(&problem, &ended)?;
    let was_stopped = |(_, end): &(Start, Ended)| end.termination == Termination::Interrupted;
    if ended.len() < solver.starts().len() || ended.iter().any(was_stopped) {
        // Whichever start was best: those that did not end might be better.
        found.best.termination = Termination::Interrupted;
        return Ok(found);
    }
    if is_labels && least_information(&mut problem, &ended[best].1.point.parameters)? < SEPARATED {
        found.best.termination = Termination::Separated;
        found.all[best].termination = Termination::Separated;
    }
    Ok(found)
}

/// The factors of a start, flat.
fn start_point(
    start: Start,
    problem: &mut LeastSquares,
    is_labels: bool,
    truth: Option<&Factors>,
    normal: &mut dyn FnMut() -> f64,
) -> Result<Vec<f64>> {
    let structure = problem.structure();
    let mut parameters = match start {
        Start::Spectral => spectral_start(problem)?,
        Start::Random => {
            let point = structure.flatten(&structure.random_point(&mut *normal))?;
            scaled(problem, point)
        }
        Start::Oracle => structure.flatten(truth.ok_or(EstimateError::BadOption {
            option: "starts",
            value: "oracle".to_owned(),
            mend: "the oracle start needs the true factors, which only a simulation has; use spectral or random",
        })?)?,
    };
    // The truth of labels is left as it is: a pass of least squares would lead away from it.
    let is_ready = start == Start::Spectral || (is_labels && start == Start::Oracle);
    if !is_ready && !structure.has_shared_factors() {
        align(problem, &mut parameters)?;
    }
    Ok(parameters)
}

/// The point with fitted values of the size of the responses, so that a fit does not depend on units.
fn scaled(problem: &mut LeastSquares, mut point: Vec<f64>) -> Vec<f64> {
    let fitted = problem.fitted_squares(&point);
    let operands = problem.structure().owners().len() as f64;
    let factor = (problem.rows().sum_of_squares() / fitted).powf(0.5 / operands);
    if factor.is_finite() && factor > 0.0 {
        point.iter_mut().for_each(|v| *v *= factor);
    }
    point
}

/// The best of the starts, the first listed among equals, and its place.
fn choose(problem: &LeastSquares, ended: &[(Start, Ended)]) -> Result<(usize, Fit)> {
    let (structure, rows) = (problem.structure(), problem.rows());
    let lowest = |oracle: bool| {
        ended
            .iter()
            .filter(|(start, _)| oracle || *start != Start::Oracle)
            .map(|(_, end)| end.point.objective)
            .fold(f64::INFINITY, f64::min)
    };
    let least = lowest(true);
    let has_oracle = ended.iter().any(|(start, _)| *start == Start::Oracle);
    let rounding = rounding(rows, least) + EXACT * (rows.sum_of_squares() + rows.rss());
    let gap = |objective: f64| if objective - least > rounding { objective - least } else { 0.0 };
    let oracle_gap = (has_oracle && ended.len() > 1).then(|| gap(lowest(false)));
    // The first start at the best optimum, so that ties do not depend on the last bits.
    let is_same = |end: &Ended| {
        !is_optimisation_failure(gap(end.point.objective), least + rows.rss(), rows.observations())
    };
    let best = ended.iter().position(|(_, end)| is_same(end)).unwrap_or(0);
    let all: Vec<SingleFit> = ended
        .iter()
        .map(|(start, end)| SingleFit {
            start: Some(*start),
            objective: end.point.objective + rows.rss(),
            iterations: end.iterations,
            termination: end.termination,
        })
        .collect();
    let factors = structure.unflatten(&ended[best].1.point.parameters)?;
    let w = structure.coefficient_matrix(&factors)?;
    Ok((best, Fit { factors, w, best: all[best].clone(), all, oracle_gap }))
}
