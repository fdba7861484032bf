//! Roots of symmetric positive semidefinite matrices.

use ndarray::{Array2, ArrayView2, s};

use super::eigen::eigh;
use super::svd::rank_tolerance;
use crate::{Result, TensorError};

/// A root `C` (`rank × m`) of a symmetric positive semidefinite matrix: `CᵀC = a`, rows only for
/// eigenvalues above the rank tolerance, so that a singular matrix keeps its rank.
///
/// # Errors
/// A failure of LAPACK.
pub fn psd_root(a: &ArrayView2<f64>) -> Result<Array2<f64>> {
    let (values, vectors) = eigh(a)?;
    let largest = values.last().copied().unwrap_or(0.0).max(0.0);
    // Eigenvalues are squares of singular values: the tolerance on the root is the square root of this.
    let cut = largest * rank_tolerance(a.dim());
    let first = values.iter().filter(|&&v| v <= cut).count();
    let mut root = vectors.slice(s![.., first..]).t().to_owned();
    for (mut row, &v) in root.outer_iter_mut().zip(values.iter().skip(first)) {
        row *= v.sqrt();
    }
    Ok(root)
}

/// The root `C` (`rank × m`) of a symmetric positive semidefinite matrix, `CᵀC = a`, in row echelon form with positive
/// leading entries: Cholesky's, with columns left out that depend on those before them. There is one such root, also of a
/// singular matrix, where a root by eigenvectors and QR depends on rounding. Without BLAS, so that its bits are the same on
/// every machine.
///
/// # Errors
/// The matrix is not square.
pub fn echelon_root(a: &ArrayView2<f64>) -> Result<Array2<f64>> {
    let m = a.nrows();
    if a.ncols() != m {
        return Err(TensorError::ShapeMismatch {
            operation: "echelon_root",
            left: vec![m],
            right: vec![a.ncols()],
            mend: "give a square matrix".to_owned(),
        });
    }
    let mut rest = a.as_standard_layout().into_owned();
    let largest = rest.diag().iter().fold(0.0f64, |l, &v| l.max(v));
    let cut = largest * rank_tolerance((m, m));
    let mut root = Array2::zeros((m, m));
    let mut rank = 0;
    for i in 0..m {
        let pivot = rest[[i, i]];
        if pivot <= cut {
            continue;
        }
        let scale = 1.0 / pivot.sqrt();
        let mut row = root.row_mut(rank);
        row.slice_mut(s![i..]).zip_mut_with(&rest.slice(s![i, i..]), |r, &v| *r = v * scale);
        rank += 1;
        for j in i + 1..m {
            let factor = row[j];
            if factor != 0.0 {
                rest.slice_mut(s![j, j..]).zip_mut_with(&row.slice(s![j..]), |v, &r| *v -= factor * r);
            }
        }
    }
    Ok(root.slice_move(s![..rank, ..]))
}
