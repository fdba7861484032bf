//! Scaled gradient descent on all factors (Tong, Ma & Chi 2021, JMLR 22(150); tensors: Tong, Ma, Prater-Bennette,
//! Tripp & Chi 2022, JMLR 23(163)).
//!
//! The gradient by factor f is preconditioned by `(J_fᵀJ_f)⁻¹`, `J_f = ∂vec W/∂f`, so that the rate does not depend on how
//! well conditioned the factors are: that of `Z` is left. Steps are those of Barzilai & Borwein (1988) in the norm of the
//! preconditioner, with the nonmonotone line search of Grippo, Lampariello & Lucidi (1986).

use super::{End, Limits, Termination, dot, rounding, tolerated};
use crate::Result;
use crate::environment::Environments;
use crate::least_squares::LeastSquares;
use crate::trace::{Step, StepKind, Trace};

/// Objectives that a step is compared with, and steps that the decrease to be had is judged by.
const MEMORY: usize = 10;
/// Share of the decrease promised by the slope that a step has to bring (Armijo).
const SUFFICIENT: f64 = 1e-4;
/// Trials of a line search.
const MOST_TRIALS: usize = 60;

pub(crate) fn solve(
    problem: &mut LeastSquares,
    parameters: &mut [f64],
    limits: Limits,
    trace: &mut Trace,
) -> Result<End> {
    let mut environments = Environments::new(problem.structure())?;
    let mut dual = vec![0.0; problem.structure().coefficients()];
    let mut objective = problem.dual(parameters, &mut dual);
    trace.tell(|| Step::plain(0, StepKind::Start, objective));
    let (mut gradient, mut direction) = (vec![0.0; parameters.len()], vec![0.0; parameters.len()]);
    let (mut point, mut trial) = (parameters.to_vec(), parameters.to_vec());
    let mut best = objective;
    // The last objectives and steps, and the last slope.
    let (mut objectives, mut steps) = (Ring::new(objective), Ring::new(0.0));
    let mut last: Option<(f64, f64)> = None;
    let mut iterations = 0;
    let termination = loop {
        environments.pull_all(&dual, &point, &mut gradient);
        // The curvature along the last step, by the change of the slope along it.
        let bent = last.map(|(step, slope)| (step, slope, slope - dot(&direction, &gradient)));
        direction.copy_from_slice(&gradient);
        for (f, columns) in environments.columns().to_vec().into_iter().enumerate() {
            environments.solve(f, &point, &mut direction[columns])?;
        }
        let slope = dot(&gradient, &direction);
        let enough = tolerated(problem.rows(), objective, limits);
        // What a quadratic model with the smallest curvature that was met lately promises.
        if steps.largest() > 0.0 && slope * steps.largest() <= enough.max(rounding(problem.rows(), objective))
        {
            break Termination::Converged;
        }
        if !(slope > 0.0 && slope.is_finite()) {
            break Termination::Stalled;
        }
        if iterations >= limits.max_iterations {
            break Termination::MaxIterations;
        }
        iterations += 1;
        // No quadratic with a minimum of at least 0 has it farther away than this.
        let farthest = objective / slope;
        let mut step = match bent {
            Some((step, before, change)) if change > 0.0 => (step * before / change).min(farthest),
            _ => farthest,
        };
        let highest = objectives.largest();
        let mut trials = 0;
        let found = loop {
            trial.iter_mut().zip(point.iter().zip(&direction)).for_each(|(t, (p, d))| *t = p + step * d);
            let now = problem.dual(&trial, &mut dual);
            if now <= highest - 2.0 * SUFFICIENT * step * slope {
                break Some(now);
            }
            trials += 1;
            if trials == MOST_TRIALS {
                break None;
            }
            // The minimum of the parabola through both objectives and the slope.
            let curvature = (now - objective + 2.0 * step * slope) / (step * step);
            let minimum = slope / curvature;
            step = if minimum.is_finite() { minimum.clamp(0.1 * step, 0.5 * step) } else { 0.1 * step };
        };
        let Some(now) = found else { break Termination::Stalled };
        trace.tell(|| Step {
            gradient_norm: Some(dot(&gradient, &gradient).sqrt()),
            ..Step::plain(iterations, StepKind::ScaledGradient, now)
        });
        std::mem::swap(&mut point, &mut trial);
        objective = now;
        objectives.push(now);
        // Not the first step, which no curvature has limited.
        if last.is_some() {
            steps.push(step);
        }
        last = Some((step, slope));
        if objective < best {
            best = objective;
            parameters.copy_from_slice(&point);
        }
    };
    Ok(End { objective: best, iterations, termination })
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
