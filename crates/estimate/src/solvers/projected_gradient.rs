//! Projected gradient descent on `W`, iterative hard thresholding (Rauhut, Schneider & Stojanac 2017, Linear Algebra
//! Appl. 523; Chen, Raskutti & Yuan 2019, JMLR 20(5)): `W ← P(W + η Zᵀ(y − ZW))`.
//!
//! P is the nearest member of the structure that is found. The step is that of normalised iterative hard thresholding
//! (Blumensath & Davies 2010): `η = ‖u‖²/‖Zu‖²` along a direction u of the tangent space, halved until the objective
//! falls by a share of `‖ΔW‖²/η`, as it does whenever `‖ZΔW‖² < ‖ΔW‖²/η`.

use super::{End, Limits, Termination, dot, rounding, tolerated};
use crate::Result;
use crate::least_squares::LeastSquares;
use crate::project::Projection;
use crate::trace::{Step, StepKind, Trace};

/// Share of `‖ΔW‖²/η` by which the objective has to fall.
const SUFFICIENT: f64 = 1e-3;
/// Halvings of a step.
const MOST_HALVINGS: usize = 40;
/// Converged when so many steps together bring nothing: those of a linear rate fall slowly.
const WINDOW: usize = 5;

pub(crate) fn solve(
    problem: &mut LeastSquares,
    parameters: &mut [f64],
    limits: Limits,
    trace: &mut Trace,
) -> Result<End> {
    let structure = problem.structure();
    let mut projection = Projection::new(structure, "projected-gradient")?;
    let vector = || vec![0.0; structure.coefficients()];
    let (mut w, mut dual, mut next_dual, mut v, mut u) = (vector(), vector(), vector(), vector(), vector());
    let mut delta = vec![0.0; parameters.len()];
    let mut trial = parameters.to_vec();
    let mut objective = problem.dual(parameters, &mut dual);
    trace.tell(|| Step::plain(0, StepKind::Start, objective));
    projection.environments.coefficients(parameters, &mut w);
    let mut decreases = [f64::INFINITY; WINDOW];
    let mut iterations = 0;
    let termination = loop {
        if iterations >= limits.max_iterations {
            break Termination::MaxIterations;
        }
        iterations += 1;
        // A direction of the tangent space: the scaled gradient.
        projection.environments.pull_all(&dual, parameters, &mut delta);
        let gradient_norm = dot(&delta, &delta).sqrt();
        for (f, columns) in projection.environments.columns().to_vec().into_iter().enumerate() {
            projection.environments.solve(f, parameters, &mut delta[columns])?;
        }
        projection.environments.tangent(parameters, &delta, &mut u);
        let mut step = dot(&u, &u) / problem.image_size(&u);
        if !(step > 0.0 && step.is_finite()) {
            break Termination::Stalled;
        }
        let mut halvings = 0;
        let found = loop {
            v.iter_mut().zip(w.iter().zip(&dual)).for_each(|(v, (w, g))| *v = w + step * g);
            trial.copy_from_slice(parameters);
            projection.nearest(&v, &mut trial)?;
            let now = problem.dual(&trial, &mut next_dual);
            projection.environments.coefficients(&trial, &mut u);
            let moved: f64 = u.iter().zip(&w).map(|(a, b)| (a - b).powi(2)).sum();
            if objective - now >= SUFFICIENT * moved / step {
                break Some(now);
            }
            halvings += 1;
            // A step by no more than rounding.
            if halvings == MOST_HALVINGS || moved / step <= rounding(problem.rows(), objective) {
                break None;
            }
            step *= 0.5;
        };
        trace.tell(|| Step {
            gradient_norm: Some(gradient_norm),
            accepted: found.is_some(),
            ..Step::plain(iterations, StepKind::ProjectedGradient, found.unwrap_or(objective))
        });
        let enough = tolerated(problem.rows(), objective, limits);
        let Some(now) = found else {
            let is_over = decreases[(iterations + WINDOW - 2) % WINDOW]
                <= enough.max(rounding(problem.rows(), objective));
            break if is_over { Termination::Converged } else { Termination::Stalled };
        };
        decreases[(iterations - 1) % WINDOW] = objective - now;
        objective = now;
        parameters.copy_from_slice(&trial);
        std::mem::swap(&mut w, &mut u);
        std::mem::swap(&mut dual, &mut next_dual);
        if decreases.iter().sum::<f64>() <= enough {
            break Termination::Converged;
        }
    };
    Ok(End { objective, iterations, termination })
}
