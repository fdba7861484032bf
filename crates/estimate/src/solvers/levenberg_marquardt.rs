//! Levenberg–Marquardt on all factors at once (Moré 1978; damping by Nielsen 1999).
//!
//! The damping absorbs the gauge: directions that change no coefficient get no step.

use convstat_cnn::{Factors, Structure};
use convstat_tensor::linalg::{cholesky_in_place, cholesky_solve, gram};
use ndarray::{Array1, Array2};

use super::{Limits, Solution, Termination, negligible, residual};
use crate::sample::design_times;
use crate::{Result, Sample};

/// First damping as a share of the largest diagonal entry of `AᵀA`.
const FIRST_DAMPING: f64 = 1e-3;
/// Damping never falls below this share, so that the gauge directions keep a positive pivot.
const LEAST_DAMPING: f64 = 1e-13;
/// A promised decrease below this many roundings of the objective cannot be shown.
const ROUNDING: f64 = 256.0;
/// Tenfold increases of the damping before a matrix counts as not finite.
const MOST_RETRIES: usize = 12;

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
        if largest == 0.0 || !largest.is_finite() {
            break Termination::Stalled;
        }
        // What a step without damping promises is the distance from an optimum, however large the damping is.
        let Some(free) = damped_step(&normal, &gradient, LEAST_DAMPING * largest) else {
            break Termination::Stalled;
        };
        let rounding = ROUNDING * f64::EPSILON * objective;
        if free.dot(&gradient) <= negligible(sample, objective, limits.tolerance).max(rounding) {
            break Termination::Converged;
        }
        if damping.is_nan() {
            damping = FIRST_DAMPING * largest;
        }
        loop {
            damping = damping.max(LEAST_DAMPING * largest);
            let Some(step) = damped_step(&normal, &gradient, damping) else {
                break 'outer Termination::Stalled;
            };
            // Decrease that the linear model promises (Madsen, Nielsen & Tingleff 2004, eq. 3.14, doubled).
            let promised = step.dot(&(damping * &step + &gradient));
            if promised <= f64::EPSILON * objective {
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

/// `(normal + damping I)^{-1} gradient`, with more damping if rounding makes the matrix indefinite; none if it is not
/// finite.
fn damped_step(normal: &Array2<f64>, gradient: &Array1<f64>, damping: f64) -> Option<Array1<f64>> {
    let mut damping = damping;
    for _ in 0..MOST_RETRIES {
        let mut damped = normal.clone();
        damped.diag_mut().mapv_inplace(|v| v + damping);
        if cholesky_in_place(&mut damped).is_ok() {
            let mut step = gradient.clone();
            cholesky_solve(&damped, &mut step);
            return Some(step);
        }
        damping *= 10.0;
    }
    None
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
