//! Summaries: root mean squared errors with Monte Carlo standard errors beside theory, a row a cell.

use convstat_cnn::Activation;
use convstat_theory::Bounds;

use crate::cell_theory::CellTheory;
use crate::coverage::CellCoverage;
use crate::selected::CellSelection;

/// Measurement and theory of one cell.
#[derive(Debug, Clone)]
pub struct CellSummary {
    /// Identity of the cell.
    pub cell: String,
    /// Names.
    pub setting: String,
    /// Design.
    pub design: String,
    /// Structure.
    pub structure: String,
    /// Solver.
    pub solver: String,
    /// Observations.
    pub n: u64,
    /// Sample complexity.
    pub d_m: usize,
    /// Identified dimension (mean over truths, rounded).
    pub df: usize,
    /// Naive parameters.
    pub naive: usize,
    /// Output channels `K`, where the family has them.
    pub kernels: Option<usize>,
    /// Rank on the output channels `R`.
    pub rank: Option<usize>,
    /// Errors of the replicates that count, prediction norm.
    pub errors_pred: Vec<f64>,
    /// The same in Frobenius norm.
    pub errors_frob: Vec<f64>,
    /// `√E‖Σ_Z^{1/2}(Ŵ − W*)‖²` and its MCSE.
    pub pred: (f64, f64),
    /// `√E‖Ŵ − W*‖_F²` and its MCSE.
    pub frob: (f64, f64),
    /// Replicates that ended in an error and count in no mean.
    pub errors: usize,
    /// Fits that ended without showing an optimum (they count in the means); not those that a training schedule ends.
    pub not_converged: usize,
    /// Fits whose starts, the oracle left out, missed the optimum.
    pub optimisation_failures: usize,
    /// What stands between convolution and pooling, if the network is trained.
    pub activation: Option<Activation>,
    /// Whether the solver has starts, of which the best may miss the optimum.
    pub has_starts: bool,
    /// Median time of a replicate, its data and all its starts; the only column that differs between runs.
    pub seconds: f64,
    /// What confidence statements cover, in studies with a table `[inference]`.
    pub coverage: Option<CellCoverage>,
    /// Which structures were chosen, where the estimator selects.
    pub selection: Option<CellSelection>,
    /// Theory.
    pub theory: CellTheory,
}

impl CellSummary {
    /// `√(d_M/n)`.
    pub fn sqrt_dm_over_n(&self) -> f64 {
        (self.d_m as f64 / self.n as f64).sqrt()
    }

    /// Replicates that count.
    pub fn replicates(&self) -> usize {
        self.errors_pred.len()
    }
}

/// A row a cell, in the order of the plan; cells without replicates are left out.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// The cells.
    pub cells: Vec<CellSummary>,
    /// The bounds of their theory.
    pub bounds: Bounds,
    /// Probability with which the explicit bounds hold.
    pub confidence: f64,
    /// Cells of the plan that have no replicate yet.
    pub missing_cells: usize,
    /// Replicates of the plan that are not there yet.
    pub missing_replicates: usize,
}
