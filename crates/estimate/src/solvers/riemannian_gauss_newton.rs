//! Riemannian Gauss–Newton (Luo & Zhang 2021, arXiv 2104.12031): least squares over the tangent space at `W`, then back
//! to the structure by projection.
//!
//! For a structure that is no manifold (CP, and any network at a point of deficient rank) the column space of `J` stands
//! for the tangent space. A step that does not lower the objective is halved; it descends, so that the method never
//! diverges.

use convstat_tensor::linalg::{cholesky_in_place, cholesky_solve};
use ndarray::Array2;

use super::solver::{Point, Progress, Solver, dot, iterative};
use crate::Result;
use crate::least_squares::{LeastSquares, Linearised};
use crate::outcome::Termination;
use crate::project::Projection;
use crate::tolerance::{Tolerance, rounding};
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

iterative!(
    /// Riemannian Gauss–Newton: least squares over the tangent space, then projection.
    RiemannianGaussNewton,
    "riemannian-gauss-newton",
    "Riemannian Gauss–Newton",
    Search
);

/// The search under way.
struct Search<'a> {
    projection: Projection<'a>,
    w: Vec<f64>,
    v: Vec<f64>,
    u: Vec<f64>,
    at: Linearised,
    matrix: Array2<f64>,
    step: Vec<f64>,
    trial: Vec<f64>,
}

impl<'a> Search<'a> {
    fn begin(problem: &mut LeastSquares<'a>, parameters: &[f64]) -> Result<(Self, f64)> {
        let structure = problem.structure();
        let vector = || vec![0.0; structure.coefficients()];
        let at = Linearised::new(parameters.len());
        let search = Self {
            projection: Projection::new(structure, "riemannian-gauss-newton")?,
            w: vector(),
            v: vector(),
            u: vector(),
            matrix: Array2::zeros(at.normal.dim()),
            at,
            step: parameters.to_vec(),
            trial: parameters.to_vec(),
        };
        Ok((search, problem.objective(parameters)))
    }
}

impl Solver for Search<'_> {
    fn step(
        &mut self,
        problem: &mut LeastSquares,
        point: &mut Point,
        tolerance: &Tolerance,
        trace: &mut Trace,
    ) -> Result<Progress> {
        problem.linearise(&point.parameters, None, &mut self.at);
        if !solve_normal(&self.at, &mut self.matrix, &mut self.step) {
            return Ok(Progress::Done(Termination::Stalled));
        }
        // Decrease of the objective on the tangent space.
        let promised = dot(&self.step, &self.at.gradient);
        let tolerated = tolerance.at(problem.rows(), point.objective);
        self.projection.environments.coefficients(&point.parameters, &mut self.w);
        self.projection.environments.tangent(&point.parameters, &self.step, &mut self.u);
        let mut length = 1.0;
        for _ in 0..MOST_HALVINGS {
            let target = self.w.iter().zip(&self.u);
            self.v.iter_mut().zip(target).for_each(|(v, (w, u))| *v = w + length * u);
            let target = point.parameters.iter().zip(&self.step);
            self.trial.iter_mut().zip(target).for_each(|(t, (p, s))| *t = p + length * s);
            self.projection.nearest(&self.v, &mut self.trial)?;
            let now = problem.objective(&self.trial);
            let is_taken = point.objective - now >= SUFFICIENT * length * promised;
            trace.tell(|| Step {
                gradient_norm: Some(dot(&self.at.gradient, &self.at.gradient).sqrt()),
                gain: Some((point.objective - now) / promised),
                accepted: is_taken,
                ..Step::plain(StepKind::Tangent, now)
            });
            if is_taken {
                point.move_to(&self.trial, now);
            }
            if promised <= tolerated {
                return Ok(Progress::Done(Termination::Converged));
            }
            if is_taken {
                return Ok(Progress::Continue);
            }
            if length * promised <= rounding(problem.rows(), point.objective) {
                break;
            }
            length *= 0.5;
        }
        Ok(Progress::Done(Termination::Stalled))
    }
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
