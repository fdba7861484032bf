//! Where a solver begins.

use convstat_tensor::linalg::gram;
use convstat_tensor::memory;

use crate::Result;
use crate::iterate::iterate;
use crate::least_squares::LeastSquares;
use crate::solvers::LevenbergMarquardt;
use crate::spectral::{ModeRoots, aligned, mode_roots};
use crate::trace::Trace;
use crate::unstructured::pilot;

/// The spectral start: the pilot's factors, then one pass of linear subproblems for signs and scales.
pub(crate) fn spectral_start(problem: &mut LeastSquares) -> Result<Vec<f64>> {
    let Some(sample) = problem.rows().in_memory() else {
        let w = problem.matched_filter();
        return aligned(problem, &w.into(), &ModeRoots::new());
    };
    let d = sample.features();
    let side = if sample.z.nrows() >= d { d } else { 0 };
    memory::check("the second moment of the features", &[side, side])?;
    let moment = (side > 0).then(|| gram(&sample.z.view()));
    let pilot = pilot(sample, moment.as_ref())?;
    // Where the second moment is singular, undoing its root would blow up the noise.
    let roots = moment.map_or_else(|| Ok(ModeRoots::new()), |m| mode_roots(problem.structure(), &m))?;
    let first = aligned(problem, &pilot, &roots)?;
    // Fewer compressed rows than features: the second moment is singular and the pilot far from W, whose unfolding of low
    // rank may be found all the same.
    if sample.z.nrows() >= sample.features() || sample.n <= sample.features() as f64 {
        return Ok(first);
    }
    let Ok(Some(relaxed)) = problem.structure().relaxed() else { return Ok(first) };
    // The stage is optional: not where it is much larger than the structure.
    if relaxed.naive_parameters() > RELAXED_SIZE * problem.structure().naive_parameters() {
        return Ok(first);
    }
    let mut wider = LeastSquares::new(&relaxed, sample)?;
    let parameters = aligned(&mut wider, &pilot, &roots)?;
    let solver = LevenbergMarquardt {
        max_iterations: RELAXED_ITERATIONS,
        tolerance: RELAXED_TOLERANCE,
        ..LevenbergMarquardt::from_starts(Vec::new())
    };
    let found = iterate(&solver, &mut wider, parameters, None, &mut Trace::none())?.point.parameters;
    let second = aligned(problem, &relaxed.contract(&relaxed.unflatten(&found)?)?, &roots)?;
    Ok(if problem.objective(&second) < problem.objective(&first) { second } else { first })
}

/// Most parameters of the relaxed fit, as a multiple of the structure's.
const RELAXED_SIZE: usize = 16;

/// Most iterations of the relaxed fit, and its tolerance: it only leads to a start.
const RELAXED_ITERATIONS: usize = 30;
const RELAXED_TOLERANCE: f64 = 1e-2;
