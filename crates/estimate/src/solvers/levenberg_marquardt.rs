//! Levenberg–Marquardt on all factors at once (Moré 1978; damping by Nielsen 1999).
//!
//! The damping absorbs the gauge: directions that change no coefficient get no step.

use convstat_cnn::{Factors, Structure};
use convstat_tensor::linalg::{cholesky_in_place, cholesky_solve, gram};
use ndarray::Array1;

use super::{Limits, Solution, Termination, negligible, residual};
use crate::sample::design_times;
use crate::{Result, Sample};

/// First damping as a share of the largest diagonal entry of `AᵀA`.
const FIRST_DAMPING: f64 = 1e-3;
/// Damping never falls below this share, so that the gauge directions keep a positive pivot.
const LEAST_DAMPING: f64 = 1e-13;

pub(crate) fn solve(
    structure: &Structure,
    sample: &Sample,
    start: Factors,
    limits: Limits,
) -> Result<Solution> {
    let mut factors = start;
    let mut w = structure.coefficient_matrix(&factors)?;
    let mut r = residual(sample, &w);
    let mut objective = r.dot(&r) + sample.rss;
    let (mut damping, mut growth) = (f64::NAN, 2.0);
    let mut iterations = 0;
    let termination = 'outer: loop {
        if iterations >= limits.max_iterations {
            break Termination::MaxIterations;
        }
        iterations += 1;
        let a = design_times(&sample.z, &structure.jacobian(&factors)?);
        let normal = gram(&a.view());
        let gradient = a.t().dot(&r);
        let largest = normal.diag().iter().fold(0.0f64, |m, &v| m.max(v));
        if largest == 0.0 {
            break Termination::Stalled;
        }
        if damping.is_nan() {
            damping = FIRST_DAMPING * largest;
        }
        loop {
            damping = damping.max(LEAST_DAMPING * largest);
            let mut damped = normal.clone();
            damped.diag_mut().mapv_inplace(|v| v + damping);
            let mut step = gradient.clone();
            if cholesky_in_place(&mut damped).is_err() {
                damping *= 10.0;
                continue;
            }
            cholesky_solve(&damped, &mut step);
            // Decrease that the linear model promises: δᵀ(λδ + g) − ½… as in Madsen, Nielsen & Tingleff.
            let promised = step.dot(&(damping * &step + &gradient));
            if promised <= negligible(sample, objective, limits.tolerance) {
                // Large damping shrinks any step: only a promise at small damping means an optimum.
                if damping <= FIRST_DAMPING * largest {
                    break 'outer Termination::Converged;
                }
                break 'outer Termination::Stalled;
            }
            let trial = moved(&factors, &step);
            let trial_w = structure.coefficient_matrix(&trial)?;
            let trial_r = residual(sample, &trial_w);
            let trial_objective = trial_r.dot(&trial_r) + sample.rss;
            let gain = (objective - trial_objective) / promised;
            if gain > 0.0 {
                (factors, w, r, objective) = (trial, trial_w, trial_r, trial_objective);
                damping *= (1.0 - (2.0 * gain - 1.0).powi(3)).max(1.0 / 10.0);
                growth = 2.0;
                break;
            }
            // The promise is below what rounding of the objective can show.
            if promised <= 16.0 * f64::EPSILON * objective && damping <= FIRST_DAMPING * largest {
                break 'outer Termination::Converged;
            }
            damping *= growth;
            growth *= 2.0;
            if !damping.is_finite() || growth > 1e12 {
                break 'outer Termination::Stalled;
            }
        }
    };
    drop(w);
    Ok(Solution { factors, objective, iterations, termination })
}

/// `factors + step`, the step flat over all factors.
fn moved(factors: &Factors, step: &Array1<f64>) -> Factors {
    let mut entries = step.iter();
    factors
        .iter()
        .map(|f| {
            let mut f = f.clone();
            f.iter_mut().zip(&mut entries).for_each(|(v, s)| *v += s);
            f
        })
        .collect()
}
