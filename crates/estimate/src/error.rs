//! What can go wrong in estimation.

use convstat_cnn::CnnError;
use convstat_tensor::TensorError;
use thiserror::Error;

/// Errors of estimation; every variant carries the numbers at fault.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum EstimateError {
    /// What feeds [`compress`](fn@crate::compress) cannot read its data.
    #[error("the data cannot be read: {reason}")]
    Data {
        /// What the reader says.
        reason: String,
    },
    /// A solver that needs the features in memory.
    #[error("solver {solver} needs all features in memory, and they are too many; use levenberg-marquardt")]
    NotInMemory {
        /// The solver.
        solver: &'static str,
    },
    /// No rows.
    #[error("the sample has no rows; at least one observation is needed")]
    NoRows,
    /// Rows of Z and y differ in number.
    #[error("X has {x} rows but y has {y}; they have to agree")]
    RowMismatch {
        /// Rows of X or Z.
        x: usize,
        /// Rows of y.
        y: usize,
    },
    /// A block of observations with the wrong number of columns.
    #[error("a block of observations has {found} columns; features and responses make {expected}")]
    BlockColumns {
        /// Its columns.
        found: usize,
        /// `D + M`.
        expected: usize,
    },
    /// Squares of the data leave the range of `f64`.
    #[error(
        "the squares of the data leave the range of f64 (overflow, or underflow to 0); divide X and y by their largest \
         absolute values first"
    )]
    Overflow,
    /// Standard errors of a fit without inference.
    #[error("the fit has no standard errors: they were not asked for, or its rows are not in memory")]
    NoInference,
    /// A sample whose arrays are not in C order.
    #[error("the arrays of the sample are not in C order; make it by Sample::new, which orders them")]
    Layout,
    /// The sample does not fit the structure.
    #[error(
        "the sample has {features} features and {outputs} responses but structure \"{structure}\" has {needed} and {needed_outputs}"
    )]
    StructureMismatch {
        /// Features of the sample.
        features: usize,
        /// Responses of the sample.
        outputs: usize,
        /// Name of the structure.
        structure: String,
        /// Features of the structure.
        needed: usize,
        /// Responses of the structure.
        needed_outputs: usize,
    },
    /// A solver that cannot do this structure.
    #[error("solver {solver} cannot fit \"{structure}\": {reason}")]
    Unsuited {
        /// The solver.
        solver: &'static str,
        /// The structure.
        structure: String,
        /// Why, and what to use.
        reason: String,
    },
    /// Nothing is left to estimate the noise from.
    #[error(
        "the fit has df = {df} and the data {equations} equations: no residual degrees of freedom are left; \
         use more observations or a smaller structure"
    )]
    NoResidualFreedom {
        /// Identified dimension.
        df: f64,
        /// Observations times responses.
        equations: f64,
    },
    /// No candidate leaves residual degrees of freedom.
    #[error(
        "none of the {candidates} candidates has df below the {equations} equations of the data; use more observations or \
         smaller structures"
    )]
    NoCandidate {
        /// Candidates.
        candidates: usize,
        /// Observations times responses.
        equations: f64,
    },
    /// An alternative hypothesis that does not contain the null hypothesis.
    #[error(
        "the alternative \"{alternative}\" does not contain the fit of the null \"{null}\" (relative distance {distance:.1e}); \
         every rank of the alternative has to be at least that of the null"
    )]
    NotNested {
        /// The null hypothesis.
        null: String,
        /// The alternative.
        alternative: String,
        /// `‖Ŵ₀ − W‖ / ‖Ŵ₀‖` for the nearest W found in the alternative.
        distance: f64,
    },
    /// Two hypotheses with the same set.
    #[error(
        "\"{null}\" and \"{alternative}\" both have df = {df}: they are the same set, and there is nothing to test; K above \
         R adds no dimension"
    )]
    SameSet {
        /// The null hypothesis.
        null: String,
        /// The alternative.
        alternative: String,
        /// Their dimension.
        df: usize,
    },
    /// A response that is no label.
    #[error(
        "the responses of row {row} are no label ({value}); give 0 or 1, and for several classes at most one 1 a row"
    )]
    BadLabel {
        /// The row, from 0.
        row: usize,
        /// An entry that is neither 0 nor 1, or the sum of the row.
        value: f64,
    },
    /// A class beyond the last.
    #[error("row {row} has class {class}; with {classes} classes it has to be between 0 and {}", classes - 1)]
    BadClass {
        /// The row, from 0.
        row: usize,
        /// Its class.
        class: usize,
        /// Number of classes.
        classes: usize,
    },
    /// An option outside its range.
    #[error("{option} = {value}; {mend}")]
    BadOption {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        mend: &'static str,
    },
    /// From geometry or structure.
    #[error(transparent)]
    Cnn(#[from] CnnError),
    /// From tensor algebra.
    #[error(transparent)]
    Tensor(#[from] TensorError),
}
