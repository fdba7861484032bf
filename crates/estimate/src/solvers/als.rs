//! Alternating least squares: each factor's subproblem is linear and solved exactly.

use super::solver::{Point, Progress, Solver, iterative};
use crate::alignment::{Subproblems, balance, update};
use crate::least_squares::LeastSquares;
use crate::outcome::Termination;
use crate::tolerance::{Tolerance, negligible, rounding};
use crate::trace::{Step, StepKind, Trace};
use crate::{EstimateError, Result};

iterative!(
    /// Alternating least squares. An iteration is a sweep over all factors.
    Als,
    "als",
    "Alternating least squares",
    Sweeps
);

/// Memory for the subproblems of all factors.
struct Sweeps(Subproblems);

impl Sweeps {
    fn begin(problem: &mut LeastSquares, parameters: &[f64]) -> Result<(Self, f64)> {
        let structure = problem.structure();
        if structure.has_shared_factors() {
            return Err(EstimateError::Unsuited {
                solver: "als",
                structure: structure.name().to_owned(),
                reason:
                    "a factor stands more than once, so its subproblem is not linear; use levenberg-marquardt"
                        .to_owned(),
            });
        }
        Ok((Self(Subproblems::new(problem)), problem.objective(parameters)))
    }
}

impl Solver for Sweeps {
    fn step(
        &mut self,
        problem: &mut LeastSquares,
        point: &mut Point,
        tolerance: &Tolerance,
        trace: &mut Trace,
    ) -> Result<Progress> {
        for f in 0..self.0.0.len() {
            update(problem, &mut self.0, &mut point.parameters, f)?;
        }
        balance(problem.columns(), &mut point.parameters);
        let now = problem.objective(&point.parameters);
        let decrease = point.objective - now;
        point.objective = now;
        trace.tell(|| Step::plain(StepKind::Sweep, now));
        Ok(if decrease < -rounding(problem.rows(), now) {
            Progress::Done(Termination::Stalled)
        } else if decrease <= negligible(problem.rows(), now, tolerance.share) {
            Progress::Done(Termination::Converged)
        } else {
            Progress::Continue
        })
    }
}
