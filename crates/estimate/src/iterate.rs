//! Runs an iterative solver from one point: limits, stalling, tracing, interrupts.

use crate::Result;
use crate::least_squares::LeastSquares;
use crate::outcome::Termination;
use crate::solvers::{Iterative, Point, Progress};
use crate::tolerance::Tolerance;
use crate::trace::{Step, StepKind, Trace};

/// Where an iterative solver ended.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub point: Point,
    pub iterations: usize,
    pub termination: Termination,
}

/// Steps of `solver` from `parameters` until it ends, the limit is reached or the fit is interrupted. `rival` is the best
/// objective of earlier starts.
pub(crate) fn iterate(
    solver: &dyn Iterative,
    problem: &mut LeastSquares,
    parameters: Vec<f64>,
    rival: Option<f64>,
    trace: &mut Trace,
) -> Result<Ended> {
    let (mut state, objective) = solver.begin(problem, &parameters)?;
    let mut point = Point { parameters, objective };
    let tolerance = Tolerance { share: solver.tolerance(), rival };
    trace.iteration = 0;
    trace.tell(|| Step::plain(StepKind::Start, objective));
    let mut iterations = 0;
    let mut termination = loop {
        if iterations >= solver.max_iterations() {
            break Termination::MaxIterations;
        }
        if trace.is_interrupted() {
            break Termination::Interrupted;
        }
        iterations += 1;
        trace.iteration = iterations;
        match state.step(problem, &mut point, &tolerance, trace)? {
            Progress::Continue => {}
            Progress::Done(termination) => break termination,
            Progress::Refused(termination) => {
                iterations -= 1;
                break termination;
            }
        }
    };
    if termination == Termination::Stalled && is_optimum_at_zero(problem, point.objective) {
        termination = Termination::Converged;
    }
    trace.end(iterations, point.objective, termination);
    Ok(Ended { point, iterations, termination })
}

/// Whether `W = 0` is an optimum (no responses, or no features) and its objective this one: no gradient shows the way there.
fn is_optimum_at_zero(problem: &mut LeastSquares, objective: f64) -> bool {
    let zero = vec![0.0; problem.structure().naive_parameters()];
    problem.matched_filter().iter().all(|&v| v == 0.0) && objective <= problem.objective(&zero)
}
