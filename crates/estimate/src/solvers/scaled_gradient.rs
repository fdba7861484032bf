//! Scaled gradient descent on all factors (Tong, Ma & Chi 2021, JMLR 22(150); tensors: Tong, Ma, Prater-Bennette,
//! Tripp & Chi 2022, JMLR 23(163)).
//!
//! The gradient by factor f is preconditioned by `(J_fᵀJ_f)⁻¹`, `J_f = ∂vec W/∂f`, so that the rate does not depend on how
//! well conditioned the factors are: that of `Z` is left. Steps are those of Barzilai & Borwein (1988) in the norm of the
//! preconditioner, with the nonmonotone line search of Grippo, Lampariello & Lucidi (1986).

use super::solver::{Point, Progress, Solver, dot, iterative};
use crate::Result;
use crate::environment::Environments;
use crate::least_squares::LeastSquares;
use crate::outcome::Termination;
use crate::tolerance::{Tolerance, rounding};
use crate::trace::{Step, StepKind, Trace};

/// Objectives that a step is compared with, and steps that the decrease to be had is judged by.
const MEMORY: usize = 10;
/// Share of the decrease promised by the slope that a step has to bring (Armijo).
const SUFFICIENT: f64 = 1e-4;
/// Trials of a line search.
const MOST_TRIALS: usize = 60;

iterative!(
    /// Scaled gradient descent on all factors.
    ScaledGradient,
    "scaled-gradient",
    "Scaled gradient descent on all factors",
    Descent
);

/// The descent under way; objectives need not fall, so that its point is not always the best one.
struct Descent<'a> {
    environments: Environments<'a>,
    point: Vec<f64>,
    objective: f64,
    /// `Zᵀ(y − ZW)` at the point.
    dual: Vec<f64>,
    gradient: Vec<f64>,
    direction: Vec<f64>,
    /// Of the gradient along the direction.
    slope: f64,
    /// The slope along the last direction, before and after the last step, and the step.
    last: Option<Last>,
    trial: Vec<f64>,
    objectives: Ring,
    steps: Ring,
}

#[derive(Clone, Copy)]
struct Last {
    step: f64,
    before: f64,
    after: f64,
}

impl<'a> Descent<'a> {
    fn begin(problem: &mut LeastSquares<'a>, parameters: &[f64]) -> Result<(Self, f64)> {
        let zeros = vec![0.0; parameters.len()];
        let mut dual = vec![0.0; problem.structure().coefficients()];
        let objective = problem.dual(parameters, &mut dual);
        let mut descent = Self {
            environments: Environments::new(problem.structure())?,
            point: parameters.to_vec(),
            objective,
            dual,
            gradient: zeros.clone(),
            direction: zeros,
            slope: f64::NAN,
            last: None,
            trial: parameters.to_vec(),
            objectives: Ring::new(objective),
            steps: Ring::new(0.0),
        };
        descent.environments.pull_all(&descent.dual, &descent.point, &mut descent.gradient);
        descent.aim()?;
        Ok((descent, objective))
    }

    /// The preconditioned gradient as the next direction.
    fn aim(&mut self) -> Result<()> {
        self.direction.copy_from_slice(&self.gradient);
        for (f, columns) in self.environments.columns().to_vec().into_iter().enumerate() {
            self.environments.solve(f, &self.point, &mut self.direction[columns])?;
        }
        self.slope = dot(&self.gradient, &self.direction);
        Ok(())
    }

    /// The step along the direction that brings enough, and the objective there.
    fn search(&mut self, problem: &mut LeastSquares) -> Option<(f64, f64)> {
        let (objective, slope) = (self.objective, self.slope);
        // No quadratic with a minimum of at least 0 has it farther away than this.
        let farthest = objective / slope;
        // The curvature along the last step, by the change of the slope along it.
        let mut step = match self.last {
            Some(l) if l.before - l.after > 0.0 => (l.step * l.before / (l.before - l.after)).min(farthest),
            _ => farthest,
        };
        let highest = self.objectives.largest();
        for _ in 0..MOST_TRIALS {
            let target = self.point.iter().zip(&self.direction);
            self.trial.iter_mut().zip(target).for_each(|(t, (p, d))| *t = p + step * d);
            let now = problem.dual(&self.trial, &mut self.dual);
            if now <= highest - 2.0 * SUFFICIENT * step * slope {
                return Some((step, now));
            }
            // The minimum of the parabola through both objectives and the slope.
            let curvature = (now - objective + 2.0 * step * slope) / (step * step);
            let minimum = slope / curvature;
            step = if minimum.is_finite() { minimum.clamp(0.1 * step, 0.5 * step) } else { 0.1 * step };
        }
        None
    }
}

impl Solver for Descent<'_> {
    fn step(
        &mut self,
        problem: &mut LeastSquares,
        best: &mut Point,
        tolerance: &Tolerance,
        trace: &mut Trace,
    ) -> Result<Progress> {
        if !(self.slope > 0.0 && self.slope.is_finite()) {
            return Ok(Progress::Refused(Termination::Stalled));
        }
        let Some((step, now)) = self.search(problem) else { return Ok(Progress::Done(Termination::Stalled)) };
        trace.tell(|| Step {
            gradient_norm: Some(dot(&self.gradient, &self.gradient).sqrt()),
            ..Step::plain(StepKind::ScaledGradient, now)
        });
        std::mem::swap(&mut self.point, &mut self.trial);
        self.objective = now;
        self.objectives.push(now);
        // Not the first step, which no curvature has limited.
        if self.last.is_some() {
            self.steps.push(step);
        }
        if now < best.objective {
            best.move_to(&self.point, now);
        }
        self.environments.pull_all(&self.dual, &self.point, &mut self.gradient);
        self.last = Some(Last { step, before: self.slope, after: dot(&self.direction, &self.gradient) });
        self.aim()?;
        let tolerated = tolerance.at(problem.rows(), now);
        // What a quadratic model with the smallest curvature that was met lately promises.
        let longest = self.steps.largest();
        Ok(if longest > 0.0 && self.slope * longest <= tolerated.max(rounding(problem.rows(), now)) {
            Progress::Done(Termination::Converged)
        } else if !(self.slope > 0.0 && self.slope.is_finite()) {
            Progress::Done(Termination::Stalled)
        } else {
            Progress::Continue
        })
    }
}

/// The last numbers.
struct Ring {
    values: [f64; MEMORY],
    next: usize,
}

impl Ring {
    fn new(value: f64) -> Self {
        Self { values: [value; MEMORY], next: 0 }
    }

    fn push(&mut self, value: f64) {
        self.values[self.next] = value;
        self.next = (self.next + 1) % MEMORY;
    }

    fn largest(&self) -> f64 {
        self.values.iter().fold(f64::NEG_INFINITY, |m, &v| m.max(v))
    }
}
