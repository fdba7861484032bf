//! Levenberg–Marquardt on all factors at once (Moré 1978; damping by Nielsen 1999).
//!
//! The damping absorbs the gauge: directions that change no coefficient get no step. On the deviance of labels this is
//! damped Fisher scoring, and Newton's method where the second derivatives of the network leave the matrix positive.

use convstat_tensor::linalg::{cholesky_in_place, cholesky_solve};
use ndarray::Array2;

use super::solver::{Point, Progress, Solver, iterative};
use crate::Result;
use crate::least_squares::{LeastSquares, Linearised};
use crate::outcome::Termination;
use crate::tolerance::{Tolerance, negligible, rounding, variance_times};
use crate::trace::{Step, StepKind, Trace};

/// First damping as a share of the largest diagonal entry of the normal matrix.
const FIRST_DAMPING: f64 = 1e-3;
/// Damping never falls below this share, so that the gauge directions keep a positive pivot.
const LEAST_DAMPING: f64 = 1e-13;
/// Damping of the gauge directions, times the gradient over the size of the parameters.
const GAUGE: f64 = 2.0;
/// A curvature below this share of the largest, downwards, makes a saddle.
const SADDLE: f64 = 1e-6;
/// Tenfold increases of the damping before a matrix counts as not finite.
const MOST_RETRIES: usize = 12;
/// A step that promises more than this share of the residual variance is not tested for convergence.
const NEAR: f64 = 1e-3;

iterative!(
    /// Levenberg–Marquardt on all factors.
    LevenbergMarquardt,
    "levenberg-marquardt",
    "Levenberg–Marquardt on all factors",
    Search,
    labels: true
);

/// The search under way.
struct Search {
    at: Linearised,
    damped: Damped,
    trial: Vec<f64>,
    /// NaN before the first step.
    damping: f64,
    growth: f64,
}

impl Search {
    #[expect(clippy::unnecessary_wraps, reason = "other solvers refuse structures here")]
    fn begin(problem: &mut LeastSquares, parameters: &[f64]) -> Result<(Self, f64)> {
        let search = Self {
            at: Linearised::new(parameters.len()).with_dual(problem.structure().coefficients()),
            damped: Damped::new(parameters.len()),
            trial: parameters.to_vec(),
            damping: f64::NAN,
            growth: 2.0,
        };
        Ok((search, problem.objective(parameters)))
    }

    /// Tries steps of growing damping until one is taken or the search ends.
    fn descend(
        &mut self,
        problem: &mut LeastSquares,
        point: &mut Point,
        tolerance: &Tolerance,
        largest: f64,
        trace: &mut Trace,
    ) -> Progress {
        let sample = problem.rows();
        let at = &self.at;
        // Directions of the gauge have a curvature of the size of the gradient, of any sign.
        let gauge = (square(&at.gradient) / square(&point.parameters)).sqrt();
        let least_damping = LEAST_DAMPING * largest;
        let mut rejected = false;
        // The damping that a step without damping, which tests for convergence, stands in for.
        let mut postponed = None;
        loop {
            self.damping = self.damping.max(least_damping);
            let Some((used, is_newton)) = self.damped.solve(at, self.damping, gauge) else {
                return Progress::Done(Termination::Stalled);
            };
            let objective = point.objective;
            // Decrease that the quadratic model promises (Madsen, Nielsen & Tingleff 2004, eq. 3.14, doubled).
            let promised: f64 =
                self.damped.step.iter().zip(&at.gradient).map(|(s, g)| s * (used * s + g)).sum();
            let variance = variance_times(1.0, sample, objective);
            let tolerated = negligible(sample, objective, tolerance.near(objective, variance))
                .max(rounding(sample, objective));
            let is_damped = self.damping > least_damping && !(is_newton && used > self.damping);
            if promised <= tolerated.max(NEAR * variance) && is_damped && !rejected {
                // A damped step may promise little far from an optimum: only one without damping tells.
                postponed = Some(std::mem::replace(&mut self.damping, 0.0));
                continue;
            }
            if promised <= rounding(sample, objective) && rejected {
                return Progress::Done(Termination::Stalled);
            }
            let steps = point.parameters.iter().zip(&self.damped.step);
            self.trial.iter_mut().zip(steps).for_each(|(t, (p, s))| *t = p + s);
            let trial_objective = problem.objective(&self.trial);
            trace.tell(|| Step {
                kind: match (is_newton, used > self.damping) {
                    (true, true) => StepKind::NewtonGauge,
                    (true, false) => StepKind::Newton,
                    (false, _) => StepKind::GaussNewton,
                },
                objective: trial_objective,
                gradient_norm: Some(square(&at.gradient).sqrt()),
                damping: Some(used),
                gain: Some((objective - trial_objective) / promised),
                accepted: trial_objective < objective,
            });
            if promised <= tolerated && !rejected {
                // The last step costs nothing more.
                if trial_objective < objective {
                    point.move_to(&self.trial, trial_objective);
                }
                // Without Newton's matrix the point may be a saddle.
                let least = SADDLE * largest + 8.0 * GAUGE * gauge;
                let is_minimum = is_newton || self.damped.is_convex(at, least);
                return Progress::Done(if is_minimum {
                    Termination::Converged
                } else {
                    Termination::Stalled
                });
            }
            let gain = (objective - trial_objective) / promised;
            if gain > 0.0 {
                point.move_to(&self.trial, trial_objective);
                self.damping *= (1.0 - (2.0 * gain - 1.0).powi(3)).max(1.0 / 10.0);
                self.growth = 2.0;
                return Progress::Continue;
            }
            rejected = true;
            if let Some(before) = postponed.take() {
                self.damping = before;
                continue;
            }
            self.damping = self.damping.max(used) * self.growth;
            self.growth *= 2.0;
            if !self.damping.is_finite() || self.growth > 1e12 {
                return Progress::Done(Termination::Stalled);
            }
        }
    }
}

impl Solver for Search {
    fn step(
        &mut self,
        problem: &mut LeastSquares,
        point: &mut Point,
        tolerance: &Tolerance,
        trace: &mut Trace,
    ) -> Result<Progress> {
        problem.linearise(&point.parameters, None, &mut self.at);
        let largest = self.at.normal.diag().iter().fold(0.0f64, |m, &v| m.max(v));
        if largest == 0.0 || !largest.is_finite() {
            return Ok(Progress::Done(Termination::Stalled));
        }
        if self.damping.is_nan() {
            self.damping = FIRST_DAMPING * largest;
        }
        problem.curvature(&self.at.dual, &point.parameters, &mut self.damped.curvature);
        Ok(self.descend(problem, point, tolerance, largest, trace))
    }
}

fn square(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum()
}

/// Memory for damped steps.
struct Damped {
    matrix: Array2<f64>,
    curvature: Array2<f64>,
    step: Vec<f64>,
}

impl Damped {
    fn new(parameters: usize) -> Self {
        let square = || Array2::zeros((parameters, parameters));
        Self { matrix: square(), curvature: square(), step: vec![0.0; parameters] }
    }

    /// Newton's step `(normal − curvature + damping I)^{-1} gradient` where that matrix is positive definite, else
    /// without the curvature; the damping used and whether it is Newton's, none if nothing is finite.
    fn solve(&mut self, at: &Linearised, damping: f64, gauge: f64) -> Option<(f64, bool)> {
        let with_gauge = damping.max(GAUGE * gauge);
        self.matrix.assign(&at.normal);
        self.matrix -= &self.curvature;
        if self.factor(&at.gradient, with_gauge) {
            return Some((with_gauge, true));
        }
        // More damping if rounding makes the normal matrix indefinite.
        let mut damping = damping;
        for _ in 0..MOST_RETRIES {
            self.matrix.assign(&at.normal);
            if self.factor(&at.gradient, damping) {
                return Some((damping, false));
            }
            damping *= 10.0;
        }
        None
    }

    /// Whether Newton's matrix has no eigenvalue below `−least`.
    fn is_convex(&mut self, at: &Linearised, least: f64) -> bool {
        self.matrix.assign(&at.normal);
        self.matrix -= &self.curvature;
        self.matrix.diag_mut().mapv_inplace(|v| v + least);
        cholesky_in_place(&mut self.matrix).is_ok()
    }

    fn factor(&mut self, gradient: &[f64], damping: f64) -> bool {
        self.matrix.diag_mut().mapv_inplace(|v| v + damping);
        if cholesky_in_place(&mut self.matrix).is_err() {
            return false;
        }
        self.step.copy_from_slice(gradient);
        cholesky_solve(&self.matrix, &mut self.step);
        true
    }
}
