//! Which structures an estimator chose in a cell.

/// Which structures an estimator chose in a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct CellSelection {
    /// Share of the replicates that chose the true structure, and its binomial standard error.
    pub right: (f64, f64),
    /// Mean value chosen of the key that varies, and its MCSE; NaN where several keys vary.
    pub mean: (f64, f64),
    /// That key, and its value in the truth if the truth is among the candidates.
    pub key: Option<(String, Option<usize>)>,
}
