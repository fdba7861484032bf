//! Solvers, one file each. A solver improves factors from a start; a new one is a file here and a
//! line in [`SolverKind`].

pub(crate) mod als;
mod levenberg_marquardt;

use convstat_cnn::{Factors, Structure};
use ndarray::{Array1, Array2};
use serde::{Deserialize, Serialize};

use crate::{Result, Sample};

/// The solvers by the name a study file uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SolverKind {
    /// Levenberg–Marquardt on all factors.
    LevenbergMarquardt,
    /// Alternating least squares.
    Als,
    /// Minimum-norm ordinary least squares without the structure.
    Ols,
    /// Ridge without the structure.
    Ridge,
}

impl SolverKind {
    /// Its name in study files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::LevenbergMarquardt => "levenberg-marquardt",
            Self::Als => "als",
            Self::Ols => "ols",
            Self::Ridge => "ridge",
        }
    }

    /// Whether the solver uses the structure.
    pub fn is_structured(self) -> bool {
        matches!(self, Self::LevenbergMarquardt | Self::Als)
    }
}

/// Why a solver stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Termination {
    /// The decrease still to be had is negligible beside the noise.
    Converged,
    /// No step decreases the objective, but no optimum is shown.
    Stalled,
    /// The iteration limit was reached.
    MaxIterations,
    /// Computed directly.
    Direct,
}

impl Termination {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::Stalled => "stalled",
            Self::MaxIterations => "max-iterations",
            Self::Direct => "direct",
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
}

/// Where a solver ended.
#[derive(Debug, Clone)]
pub(crate) struct Solution {
    pub factors: Factors,
    pub objective: f64,
    pub iterations: usize,
    pub termination: Termination,
}

pub(crate) fn run(
    solver: SolverKind,
    structure: &Structure,
    sample: &Sample,
    start: Factors,
    limits: Limits,
) -> Result<Solution> {
    match solver {
        SolverKind::Als => als::solve(structure, sample, start, limits),
        _ => levenberg_marquardt::solve(structure, sample, start, limits),
    }
}

/// `vec(y − Z W)` with the response fastest.
pub(crate) fn residual(sample: &Sample, w: &Array2<f64>) -> Array1<f64> {
    (&sample.y - &sample.z.dot(w)).iter().copied().collect()
}

/// The scale below which a decrease of the objective does not matter: the residual variance, or
/// rounding of the data where the fit is exact.
pub(crate) fn negligible(sample: &Sample, objective: f64, tolerance: f64) -> f64 {
    tolerance * objective / sample.n.max(1.0) + f64::EPSILON * f64::EPSILON * sample.sum_of_squares()
}
