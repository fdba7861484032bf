//! Solvers, one file each. A solver improves factors from a start; a new one is a file here and a
//! line in [`SolverKind`].

pub(crate) mod als;
mod levenberg_marquardt;
pub(crate) mod nuclear_norm;
mod projected_gradient;
mod riemannian_gauss_newton;
mod scaled_gradient;

use serde::{Deserialize, Serialize};

use crate::least_squares::LeastSquares;
use crate::trace::Trace;
use crate::{EstimateError, Result, Rows};

/// The solvers by the name a study file uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SolverKind {
    /// Levenberg–Marquardt on all factors.
    LevenbergMarquardt,
    /// Alternating least squares.
    Als,
    /// Scaled gradient descent on all factors.
    ScaledGradient,
    /// Projected gradient descent on `W` (iterative hard thresholding).
    ProjectedGradient,
    /// Riemannian Gauss–Newton: least squares over the tangent space, then projection.
    RiemannianGaussNewton,
    /// Least squares with a nuclear-norm penalty on one unfolding of `W`, the only use made of the structure.
    NuclearNorm,
    /// Minimum-norm ordinary least squares without the structure.
    Ols,
    /// Ridge without the structure.
    Ridge,
    /// First-order training of a network with an activation ([`train`](fn@crate::train)).
    Adam,
}

impl SolverKind {
    /// Its name in study files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::LevenbergMarquardt => "levenberg-marquardt",
            Self::Als => "als",
            Self::ScaledGradient => "scaled-gradient",
            Self::ProjectedGradient => "projected-gradient",
            Self::RiemannianGaussNewton => "riemannian-gauss-newton",
            Self::NuclearNorm => "nuclear-norm",
            Self::Ols => "ols",
            Self::Ridge => "ridge",
            Self::Adam => "adam",
        }
    }

    /// Whether the solver shrinks: its estimates are biased by amounts of the size of their standard errors.
    pub fn shrinks(self) -> bool {
        matches!(self, Self::NuclearNorm | Self::Ridge)
    }

    /// Whether the solver fits the factors of the structure.
    pub fn is_structured(self) -> bool {
        !matches!(self, Self::NuclearNorm | Self::Ols | Self::Ridge)
    }
}

/// Why a solver stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Termination {
    /// The decrease still to be had is negligible beside the noise.
    Converged,
    /// No step decreases the objective, but no optimum is shown.
    Stalled,
    /// The iteration limit was reached.
    MaxIterations,
    /// The training schedule ended; no optimum is shown.
    Schedule,
    /// Computed directly.
    Direct,
    /// Labels whose likelihood has no maximum: classes are separated, and coefficients diverge.
    Separated,
}

impl Termination {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::Stalled => "stalled",
            Self::MaxIterations => "max-iterations",
            Self::Schedule => "schedule",
            Self::Direct => "direct",
            Self::Separated => "separated",
        }
    }

    /// Whether the solver ended at an optimum that it could show.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Converged | Self::Direct)
    }
}

/// Limits of the iterative solvers.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Most iterations (sweeps for ALS).
    pub max_iterations: usize,
    /// Converged when the decrease still to be had is below this share of the residual variance, so
    /// that the error left is far below one standard error.
    pub tolerance: f64,
    /// The best objective of earlier starts: near it there is no need to converge further than to tell whether this
    /// start ends below it.
    pub rival: Option<f64>,
}

/// Objectives closer than this share of the residual variance count as the same optimum: the estimates are then
/// within a hundredth of a standard error.
pub(crate) const SAME_OPTIMUM: f64 = 1e-4;

impl Limits {
    /// The tolerance at an objective with this residual variance.
    fn tolerance_near(&self, objective: f64, variance: f64) -> f64 {
        match self.rival {
            Some(rival) if (objective - rival).abs() <= 0.5 * SAME_OPTIMUM * variance => {
                self.tolerance.max(0.25 * SAME_OPTIMUM)
            }
            _ => self.tolerance,
        }
    }
}

/// [`negligible`] with the tolerance that the limits give at this objective.
fn tolerated(sample: &dyn Rows, objective: f64, limits: Limits) -> f64 {
    let variance = (objective + sample.rss()) / sample.observations().max(1.0);
    negligible(sample, objective, limits.tolerance_near(objective, variance))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Where a solver ended; the factors are changed in place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    /// `‖y − ZW‖²` without the sample's `rss`; for labels the deviance.
    pub objective: f64,
    pub iterations: usize,
    pub termination: Termination,
}

pub(crate) fn run(
    solver: SolverKind,
    problem: &mut LeastSquares,
    parameters: &mut [f64],
    limits: Limits,
    trace: &mut Trace,
) -> Result<End> {
    let mut end = match solver {
        SolverKind::Als => als::solve(problem, parameters, limits, trace)?,
        SolverKind::ScaledGradient => scaled_gradient::solve(problem, parameters, limits, trace)?,
        SolverKind::ProjectedGradient => projected_gradient::solve(problem, parameters, limits, trace)?,
        SolverKind::RiemannianGaussNewton => {
            riemannian_gauss_newton::solve(problem, parameters, limits, trace)?
        }
        SolverKind::LevenbergMarquardt | SolverKind::NuclearNorm | SolverKind::Ols | SolverKind::Ridge => {
            levenberg_marquardt::solve(problem, parameters, limits, trace)
        }
        SolverKind::Adam => {
            return Err(EstimateError::Unsuited {
                solver: "adam",
                structure: problem.structure().name().to_owned(),
                reason:
                    "it trains networks with an activation; use levenberg-marquardt for the linear network"
                        .to_owned(),
            });
        }
    };
    if end.termination == Termination::Stalled && is_optimum_at_zero(problem, end.objective) {
        end.termination = Termination::Converged;
    }
    trace.end(end.iterations, end.objective, end.termination);
    Ok(end)
}

/// Whether `W = 0` is an optimum (no responses, or no features) and its objective this one: no gradient shows the way there.
fn is_optimum_at_zero(problem: &mut LeastSquares, objective: f64) -> bool {
    let zero = vec![0.0; problem.structure().naive_parameters()];
    problem.matched_filter().iter().all(|&v| v == 0.0) && objective <= problem.objective(&zero)
}

/// Least deviance an observation that decreases are measured by: where classes are separated it goes to 0.
const LEAST_DEVIANCE: f64 = 1e-4;

/// A share of the residual variance at an objective; for labels of the deviance an observation, about 1 and so of the size
/// of decreases that mean nothing statistically.
pub(crate) fn variance_times(share: f64, sample: &dyn Rows, objective: f64) -> f64 {
    let variance = share * (objective + sample.rss()) / sample.observations().max(1.0);
    if sample.family().is_labels() { variance.max(share * LEAST_DEVIANCE) } else { variance }
}

/// The scale below which a decrease of the objective does not matter: the residual variance, or
/// rounding of the data where the fit is exact.
pub(crate) fn negligible(sample: &dyn Rows, objective: f64, tolerance: f64) -> f64 {
    variance_times(tolerance, sample, objective) + f64::EPSILON * f64::EPSILON * sample.sum_of_squares()
}

/// Roundings that add up in an objective.
const ROUNDINGS: f64 = 64.0;

/// Differences of objectives `‖y − ZW‖²` that rounding makes: residuals are differences of numbers of the size of y.
pub(crate) fn rounding(sample: &dyn Rows, objective: f64) -> f64 {
    let unit = ROUNDINGS * f64::EPSILON;
    let size = sample.sum_of_squares();
    unit * objective + f64::EPSILON * (size * objective).sqrt()
}
