//! Alternating least squares: each factor's subproblem is linear and solved exactly.

use convstat_cnn::{Factors, Structure};
use convstat_tensor::linalg::{cholesky_in_place, cholesky_solve, gram, lstsq};
use ndarray::{Array1, Array2, Axis};

use super::{Limits, Solution, Termination, negligible};
use crate::sample::design_times;
use crate::{EstimateError, Result, Sample};

pub(crate) fn solve(
    structure: &Structure,
    sample: &Sample,
    start: Factors,
    limits: Limits,
) -> Result<Solution> {
    if structure.has_shared_factors() {
        return Err(EstimateError::Unsuited {
            solver: "als",
            structure: structure.name().to_owned(),
            reason:
                "a factor stands more than once, so its subproblem is not linear; use levenberg-marquardt"
                    .to_owned(),
        });
    }
    let mut factors = start;
    let y: Array1<f64> = sample.y.iter().copied().collect();
    let mut objective = sample.objective(&structure.coefficient_matrix(&factors)?.view());
    let mut termination = Termination::MaxIterations;
    let mut iterations = 0;
    while iterations < limits.max_iterations {
        iterations += 1;
        for f in 0..factors.len() {
            update(structure, sample, &y, &mut factors, f)?;
        }
        balance(&mut factors);
        let now = sample.objective(&structure.coefficient_matrix(&factors)?.view());
        let decrease = objective - now;
        objective = now;
        if decrease < -16.0 * f64::EPSILON * sample.sum_of_squares() {
            termination = Termination::Stalled;
            break;
        }
        if decrease <= negligible(sample, objective, limits.tolerance) {
            termination = Termination::Converged;
            break;
        }
    }
    Ok(Solution { factors, objective, iterations, termination })
}

/// Pivots of a Cholesky factor below this share of the largest are rounding (squared, a few ε).
const SINGULAR: f64 = 1e-6;

/// Smallest over largest pivot of a Cholesky factor.
fn smallest_pivot(r: &Array2<f64>) -> f64 {
    let (low, high) = r.diag().iter().fold((f64::INFINITY, 0.0f64), |(l, h), &v| (l.min(v), h.max(v)));
    low / high
}

/// Solves the linear subproblem of one factor, the others held fixed.
fn update(
    structure: &Structure,
    sample: &Sample,
    y: &Array1<f64>,
    factors: &mut Factors,
    f: usize,
) -> Result<()> {
    let a = design_times(&sample.z, &structure.factor_jacobian(f, factors)?);
    let mut normal = gram(&a.view());
    let mut solution = a.t().dot(y);
    // A singular subproblem (K > R leaves directions free) may pass Cholesky on rounding alone: its minimum-norm
    // solution is wanted, not a huge one.
    if cholesky_in_place(&mut normal).is_ok() && smallest_pivot(&normal) > SINGULAR {
        cholesky_solve(&normal, &mut solution);
    } else {
        let target = y.view().insert_axis(Axis(1));
        solution = lstsq(&a.view(), &target)?.index_axis_move(Axis(1), 0);
    }
    factors[f].iter_mut().zip(&solution).for_each(|(v, s)| *v = *s);
    Ok(())
}

/// One pass over the factors from the last to the first, cores (no output label) before the rest:
/// gives factors known up to sign and scale the right ones.
pub(crate) fn align(structure: &Structure, sample: &Sample, factors: &mut Factors) -> Result<()> {
    let y: Array1<f64> = sample.y.iter().copied().collect();
    let output = &structure.network().output;
    let is_core = |f: usize| !structure.network().inputs[f].iter().any(|c| output.contains(c));
    let order = (0..factors.len())
        .rev()
        .filter(|&f| is_core(f))
        .chain((0..factors.len()).rev().filter(|&f| !is_core(f)));
    for f in order {
        update(structure, sample, &y, factors, f)?;
    }
    balance(factors);
    Ok(())
}

/// Gives all factors the same norm, which changes no coefficient and keeps the subproblems scaled.
fn balance(factors: &mut Factors) {
    let norms: Vec<f64> = factors.iter().map(|f| f.iter().map(|v| v * v).sum::<f64>().sqrt()).collect();
    let mean = norms.iter().map(|n| n.ln()).sum::<f64>() / norms.len() as f64;
    if mean.is_finite() {
        for (f, n) in factors.iter_mut().zip(&norms) {
            f.mapv_inplace(|v| v * (mean.exp() / n));
        }
    }
}
