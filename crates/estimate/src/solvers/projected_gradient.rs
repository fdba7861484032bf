//! Projected gradient descent on `W`, iterative hard thresholding (Rauhut, Schneider & Stojanac 2017, Linear Algebra
//! Appl. 523; Chen, Raskutti & Yuan 2019, JMLR 20(5)): `W ← P(W + η Zᵀ(y − ZW))`.
//!
//! P is the nearest member of the structure that is found. The step is that of normalised iterative hard thresholding
//! (Blumensath & Davies 2010): `η = ‖u‖²/‖Zu‖²` along a direction u of the tangent space, halved until the objective
//! falls by a share of `‖ΔW‖²/η`, as it does whenever `‖ZΔW‖² < ‖ΔW‖²/η`.

use super::solver::{Point, Progress, Solver, dot, iterative};
use crate::Result;
use crate::least_squares::LeastSquares;
use crate::outcome::Termination;
use crate::project::Projection;
use crate::tolerance::{Tolerance, rounding};
use crate::trace::{Step, StepKind, Trace};

/// Share of `‖ΔW‖²/η` by which the objective has to fall.
const SUFFICIENT: f64 = 1e-3;
/// Halvings of a step.
const MOST_HALVINGS: usize = 40;
/// Converged when so many steps together bring nothing: those of a linear rate fall slowly.
const WINDOW: usize = 5;

iterative!(
    /// Projected gradient descent on `W` (iterative hard thresholding).
    ProjectedGradient,
    "projected-gradient",
    "Projected gradient descent (iterative hard thresholding)",
    Descent
);

/// The descent under way: the coefficients, their gradient `Zᵀ(y − ZW)` and memory for the next ones.
struct Descent<'a> {
    projection: Projection<'a>,
    w: Vec<f64>,
    dual: Vec<f64>,
    next_dual: Vec<f64>,
    v: Vec<f64>,
    u: Vec<f64>,
    delta: Vec<f64>,
    trial: Vec<f64>,
    decreases: [f64; WINDOW],
    iterations: usize,
}

impl<'a> Descent<'a> {
    fn begin(problem: &mut LeastSquares<'a>, parameters: &[f64]) -> Result<(Self, f64)> {
        let structure = problem.structure();
        let vector = || vec![0.0; structure.coefficients()];
        let mut descent = Self {
            projection: Projection::new(structure, "projected-gradient")?,
            w: vector(),
            dual: vector(),
            next_dual: vector(),
            v: vector(),
            u: vector(),
            delta: vec![0.0; parameters.len()],
            trial: parameters.to_vec(),
            decreases: [f64::INFINITY; WINDOW],
            iterations: 0,
        };
        let objective = problem.dual(parameters, &mut descent.dual);
        descent.projection.environments.coefficients(parameters, &mut descent.w);
        Ok((descent, objective))
    }

    /// The first step `W + η Zᵀ(y − ZW)`, projected, that lowers the objective by enough, halved from η = `step`; its
    /// coefficients are in `u` then.
    fn search(&mut self, problem: &mut LeastSquares, point: &Point, mut step: f64) -> Result<Option<f64>> {
        for halvings in 1.. {
            let target = self.w.iter().zip(&self.dual);
            self.v.iter_mut().zip(target).for_each(|(v, (w, g))| *v = w + step * g);
            self.trial.copy_from_slice(&point.parameters);
            self.projection.nearest(&self.v, &mut self.trial)?;
            let now = problem.dual(&self.trial, &mut self.next_dual);
            self.projection.environments.coefficients(&self.trial, &mut self.u);
            let moved: f64 = self.u.iter().zip(&self.w).map(|(a, b)| (a - b).powi(2)).sum();
            if point.objective - now >= SUFFICIENT * moved / step {
                return Ok(Some(now));
            }
            // A step by no more than rounding.
            if halvings == MOST_HALVINGS || moved / step <= rounding(problem.rows(), point.objective) {
                break;
            }
            step *= 0.5;
        }
        Ok(None)
    }
}

impl Solver for Descent<'_> {
    fn step(
        &mut self,
        problem: &mut LeastSquares,
        point: &mut Point,
        tolerance: &Tolerance,
        trace: &mut Trace,
    ) -> Result<Progress> {
        self.iterations += 1;
        // A direction of the tangent space: the scaled gradient.
        let environments = &mut self.projection.environments;
        environments.pull_all(&self.dual, &point.parameters, &mut self.delta);
        let gradient_norm = dot(&self.delta, &self.delta).sqrt();
        for (f, columns) in environments.columns().to_vec().into_iter().enumerate() {
            environments.solve(f, &point.parameters, &mut self.delta[columns])?;
        }
        environments.tangent(&point.parameters, &self.delta, &mut self.u);
        let step = dot(&self.u, &self.u) / problem.image_squares(&self.u);
        if !(step > 0.0 && step.is_finite()) {
            return Ok(Progress::Done(Termination::Stalled));
        }
        let found = self.search(problem, point, step)?;
        trace.tell(|| Step {
            gradient_norm: Some(gradient_norm),
            accepted: found.is_some(),
            ..Step::plain(StepKind::ProjectedGradient, found.unwrap_or(point.objective))
        });
        let tolerated = tolerance.at(problem.rows(), point.objective);
        let Some(now) = found else {
            let is_over = self.decreases[(self.iterations + WINDOW - 2) % WINDOW]
                <= tolerated.max(rounding(problem.rows(), point.objective));
            return Ok(Progress::Done(if is_over { Termination::Converged } else { Termination::Stalled }));
        };
        self.decreases[(self.iterations - 1) % WINDOW] = point.objective - now;
        point.move_to(&self.trial, now);
        std::mem::swap(&mut self.w, &mut self.u);
        std::mem::swap(&mut self.dual, &mut self.next_dual);
        let is_over = self.decreases.iter().sum::<f64>() <= tolerated;
        Ok(if is_over { Progress::Done(Termination::Converged) } else { Progress::Continue })
    }
}
