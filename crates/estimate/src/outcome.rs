//! Where fits begin and how they end.

use convstat_cnn::Factors;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

/// A kind of start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Ridge estimate, each factor from the leading singular vectors of its unfolding.
    Spectral,
    /// Standard normal factors.
    Random,
    /// The true factors (simulation only).
    Oracle,
}

/// Random starts of a fit that says nothing else: with fewer, structures with many optima miss the best one too often.
///
/// Expected misses of the best optimum known with 0, 1, 3 and 10 random starts besides the spectral one, from the share of
/// 60 random starts that reach it in each data set: CP of rank 3 on 8 × 8 × 8 (n = 150, 200 data sets) 7, 1.6, 0.1 and below
/// 0.01 %; Tucker kernels on overlapping windows (T1 of the studies, n = 346 and 5000, 20 data sets) 25, 14, 7 and 1 %.
pub const RANDOM_STARTS: usize = 10;

impl Start {
    /// The spectral start, and so many random ones.
    pub fn spectral_and_random(random: usize) -> Vec<Self> {
        std::iter::once(Self::Spectral).chain(std::iter::repeat_n(Self::Random, random)).collect()
    }

    /// Its name in study files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spectral => "spectral",
            Self::Random => "random",
            Self::Oracle => "oracle",
        }
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
    /// The caller stopped the fit; the best point so far.
    Interrupted,
}

impl Termination {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Converged,
        Self::Stalled,
        Self::MaxIterations,
        Self::Schedule,
        Self::Direct,
        Self::Separated,
        Self::Interrupted,
    ];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Converged => "converged",
            Self::Stalled => "stalled",
            Self::MaxIterations => "max-iterations",
            Self::Schedule => "schedule",
            Self::Direct => "direct",
            Self::Separated => "separated",
            Self::Interrupted => "interrupted",
        }
    }

    /// Whether the solver ended at an optimum that it could show.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Converged | Self::Direct)
    }
}

/// Where one start ended.
#[derive(Debug, Clone)]
pub struct SingleFit {
    /// The start; none for direct solutions.
    pub start: Option<Start>,
    /// Residual sum of squares; for labels the deviance.
    pub objective: f64,
    /// Iterations done.
    pub iterations: usize,
    /// Why it stopped.
    pub termination: Termination,
}

/// The best of all starts.
#[derive(Debug, Clone)]
pub struct Fit {
    /// Estimated factors (empty for solvers without structure).
    pub factors: Factors,
    /// `Ŵ` as a `D × M` matrix.
    pub w: Array2<f64>,
    /// The start that won; the first listed among equals.
    pub best: SingleFit,
    /// Every start.
    pub all: Vec<SingleFit>,
    /// Objective of the best start that is not the oracle, less the best of all: above 0 only if the
    /// starts a user has ended above the optimum. `None` without an oracle start.
    pub oracle_gap: Option<f64>,
}

impl Fit {
    /// A fit without factors, which has one end.
    pub(crate) fn unstructured(w: Array2<f64>, end: SingleFit) -> Self {
        Self { factors: Factors::new(), w, all: vec![end.clone()], best: end, oracle_gap: None }
    }

    /// Whether the starts a user has missed the optimum; see [`is_optimisation_failure`].
    pub fn is_optimisation_failure(&self, n: f64) -> bool {
        is_optimisation_failure(self.oracle_gap.unwrap_or(0.0), self.best.objective, n)
    }
}

/// Objectives closer than this share of the residual variance count as the same optimum: the estimates are then
/// within a hundredth of a standard error.
pub(crate) const SAME_OPTIMUM: f64 = 1e-4;

/// Whether a gap between objectives (0 where it is rounding) is more than a negligible part of the residual
/// variance `objective / n`.
pub fn is_optimisation_failure(gap: f64, objective: f64, n: f64) -> bool {
    gap > SAME_OPTIMUM * objective / n.max(1.0)
}
