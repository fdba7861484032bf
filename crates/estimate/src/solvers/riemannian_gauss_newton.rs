//! Riemannian Gauss–Newton (Luo & Zhang 2021, arXiv 2104.12031): least squares over the tangent space at `W`, then back
//! to the structure by projection.
//!
//! For a structure that is no manifold (CP, and any network at a point of deficient rank) the column space of `J` stands
//! for the tangent space. A step that does not lower the objective is halved; it descends, so that the method never
//! diverges.

use convstat_tensor::linalg::{cholesky_in_place, cholesky_solve};
use ndarray::Array2;

use super::{End, Limits, Termination, dot, rounding, tolerated};
use crate::Result;
use crate::least_squares::{LeastSquares, Linearised};
use crate::project::Projection;
use crate::trace::{Step, StepKind, Trace};

/// Damping of the normal equations as a share of their largest diagonal entry: directions that change no coefficient
/// (the gauge) get no step, the others lose nothing.
const DAMPING: f64 = 1e-13;
/// Tenfold increases of the damping before a matrix counts as not finite.
const MOST_RETRIES: usize = 12;
/// Share of the decrease promised that a step has to bring.
const SUFFICIENT: f64 = 1e-4;
/// Halvings of a step.
const MOST_HALVINGS: usize = 40;

pub(crate) fn solve(
    problem: &mut LeastSquares,
    parameters: &mut [f64],
    limits: Limits,
    trace: &mut Trace,
) -> Result<End> {
    let structure = problem.structure();
    let mut projection = Projection::new(structure, "riemannian-gauss-newton")?;
    let vector = || vec![0.0; structure.coefficients()];
    let (mut w, mut v, mut u) = (vector(), vector(), vector());
    let mut at = Linearised::new(parameters.len());
    let mut matrix = Array2::zeros(at.normal.dim());
    let mut step = parameters.to_vec();
    let mut trial = parameters.to_vec();
    let mut objective = problem.objective(parameters);
    trace.tell(|| Step::plain(0, StepKind::Start, objective));
    let mut iterations = 0;
    let termination = 'outer: loop {
        if iterations >= limits.max_iterations {
            break Termination::MaxIterations;
        }
        iterations += 1;
        problem.linearise(parameters, None, &mut at);
        if !solve_normal(&at, &mut matrix, &mut step) {
            break Termination::Stalled;
        }
        // Decrease of the objective on the tangent space.
        let promised = dot(&step, &at.gradient);
        let rows = problem.rows();
        let enough = tolerated(rows, objective, limits);
        projection.environments.coefficients(parameters, &mut w);
        projection.environments.tangent(parameters, &step, &mut u);
        let mut length = 1.0;
        for _ in 0..MOST_HALVINGS {
            v.iter_mut().zip(w.iter().zip(&u)).for_each(|(v, (w, u))| *v = w + length * u);
            trial.iter_mut().zip(parameters.iter().zip(&step)).for_each(|(t, (p, s))| *t = p + length * s);
            projection.nearest(&v, &mut trial)?;
            let now = problem.objective(&trial);
            let is_taken = objective - now >= SUFFICIENT * length * promised;
            trace.tell(|| Step {
                gradient_norm: Some(dot(&at.gradient, &at.gradient).sqrt()),
                gain: Some((objective - now) / promised),
                accepted: is_taken,
                ..Step::plain(iterations, StepKind::Tangent, now)
            });
            if is_taken {
                parameters.copy_from_slice(&trial);
                objective = now;
            }
            if promised <= enough {
                break 'outer Termination::Converged;
            }
            if is_taken {
                continue 'outer;
            }
            if length * promised <= rounding(problem.rows(), objective) {
                break;
            }
            length *= 0.5;
        }
        break Termination::Stalled;
    };
    Ok(End { objective, iterations, termination })
}

/// `step = (normal + damping)⁻¹ gradient`; false if nothing is finite.
fn solve_normal(at: &Linearised, matrix: &mut Array2<f64>, step: &mut [f64]) -> bool {
    let largest = at.normal.diag().iter().fold(0.0f64, |m, &v| m.max(v));
    if largest == 0.0 || !largest.is_finite() {
        return false;
    }
    let mut damping = DAMPING * largest;
    for _ in 0..MOST_RETRIES {
        matrix.assign(&at.normal);
        matrix.diag_mut().mapv_inplace(|d| d + damping);
        if cholesky_in_place(matrix).is_ok() {
            step.copy_from_slice(&at.gradient);
            cholesky_solve(matrix, step);
            return step.iter().all(|v| v.is_finite());
        }
        damping *= 10.0;
    }
    false
}
