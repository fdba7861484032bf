//! Separated classes: labels whose likelihood has no maximum (Albert & Anderson 1984).
//!
//! Where some direction of the coefficients moves the linear predictors of no row to its wrong side, the likelihood rises
//! along it for ever and fitted probabilities go to 0 and 1. A solver then ends where the rise is negligible, and the
//! information along the direction is as small as what is left to gain.

use convstat_tensor::linalg::{eigh, symmetrise};
use ndarray::{Array1, Array2};

use crate::Result;
use crate::least_squares::{LeastSquares, Linearised};

/// Information along a direction, per largest squared change of a linear predictor, below which classes count as
/// separated: a standard error of a log-odds above 1000. Solvers end two orders of magnitude below it.
pub(crate) const SEPARATED: f64 = 1e-6;

/// Eigenvalues of `JᵀZᵀZJ` below this share of the largest are directions that change no predictor.
const UNSEEN: f64 = 1e-12;

/// The least information `vᵀJᵀZᵀVZJv / max (ZJv)²` of a direction v that changes linear predictors; infinite where no row
/// has a weight so small that classes could count as separated.
///
/// # Errors
/// A failure of LAPACK.
pub(crate) fn least_information(problem: &mut LeastSquares, parameters: &[f64]) -> Result<f64> {
    // The row that moves most has by itself an information of its least weight: Var u ≥ p_0 p_j u_j².
    if problem.least_weight(parameters) > SEPARATED {
        return Ok(f64::INFINITY);
    }
    let mut at = Linearised::new(parameters.len());
    problem.linearise_unweighted(parameters, &mut at);
    symmetrise(&mut at.normal);
    let (values, vectors) = eigh(&at.normal.view())?;
    let cut = UNSEEN * values.last().copied().unwrap_or(0.0);
    let first = values.iter().take_while(|v| **v <= cut).count();
    // Directions in which ZJ is orthonormal.
    let mut basis: Array2<f64> = vectors.slice(ndarray::s![.., first..]).to_owned();
    basis /= &values.slice(ndarray::s![first..]).mapv(f64::sqrt);
    if basis.ncols() == 0 {
        return Ok(f64::INFINITY);
    }
    problem.linearise(parameters, None, &mut at);
    symmetrise(&mut at.normal);
    let mut information = basis.t().dot(&at.normal.dot(&basis));
    symmetrise(&mut information);
    let (values, vectors) = eigh(&information.view())?;
    let direction: Array1<f64> = basis.dot(&vectors.column(0));
    let change = problem.largest_change(parameters, &direction.to_vec());
    Ok(values[0].max(0.0) / change)
}
