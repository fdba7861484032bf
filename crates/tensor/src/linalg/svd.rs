//! Singular values (`dgesdd`), ranks and least squares.

use ndarray::{Array1, Array2, ArrayView2, s};
use ndarray_linalg::{JobSvd, SVDDC};

use super::failure::lapack;
use crate::{Result, TensorError};

/// Thin SVD `a = U diag(s) Vᵀ`, singular values descending (`dgesdd`); returns `(U, s, Vᵀ)`.
///
/// # Errors
/// A failure of LAPACK.
pub fn svd(a: &ArrayView2<f64>) -> Result<(Array2<f64>, Array1<f64>, Array2<f64>)> {
    if a.is_empty() {
        let (n, m) = a.dim();
        return Ok((Array2::zeros((n, 0)), Array1::zeros(0), Array2::zeros((0, m))));
    }
    let a = a.as_standard_layout();
    let (u, s, vt) = a.svddc(JobSvd::Some).map_err(lapack("dgesdd"))?;
    match (u, vt) {
        (Some(u), Some(vt)) => Ok((u, s, vt)),
        _ => Err(TensorError::Lapack { routine: "dgesdd", info: -1 }),
    }
}

/// Relative threshold below which a singular value counts as zero: `max(n, m) · ε`, as NumPy's.
pub fn rank_tolerance(shape: (usize, usize)) -> f64 {
    shape.0.max(shape.1) as f64 * f64::EPSILON
}

/// Orthonormal basis (`n × rank`) of the column space of `a`, and the singular values.
/// Singular values below `rtol` times the largest count as zero.
///
/// # Errors
/// A failure of LAPACK.
pub fn column_basis(a: &ArrayView2<f64>, rtol: f64) -> Result<(Array2<f64>, Array1<f64>)> {
    let (u, s, _) = svd(a)?;
    let rank = count_above(&s, rtol);
    Ok((u.slice(s![.., ..rank]).to_owned(), s))
}

/// Numerical rank of `a`.
///
/// # Errors
/// A failure of LAPACK.
pub fn rank(a: &ArrayView2<f64>, rtol: f64) -> Result<usize> {
    Ok(count_above(&svd(a)?.1, rtol))
}

fn count_above(s: &Array1<f64>, rtol: f64) -> usize {
    let largest = s.first().copied().unwrap_or(0.0);
    s.iter().filter(|&&v| v > rtol * largest && v > 0.0).count()
}

/// Minimum-norm least squares `argmin_X ‖a X − b‖` for `b` of `n × k`, by the SVD.
///
/// # Errors
/// A failure of LAPACK.
pub fn lstsq(a: &ArrayView2<f64>, b: &ArrayView2<f64>) -> Result<Array2<f64>> {
    let (u, s, vt) = svd(a)?;
    let k = count_above(&s, rank_tolerance(a.dim()));
    let mut c = u.slice(s![.., ..k]).t().dot(b);
    for (mut row, &v) in c.outer_iter_mut().zip(&s) {
        row /= v;
    }
    Ok(vt.slice(s![..k, ..]).t().dot(&c))
}
