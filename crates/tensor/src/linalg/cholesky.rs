//! Cholesky factors (`dpotrf`, `dpstrf`) and solves with them.

use ndarray::{Array2, ArrayView2, s};

use crate::{Result, TensorError};

/// Upper Cholesky factor `R` with `RᵀR = a`, below zero.
///
/// # Errors
/// [`TensorError::NotPositiveDefinite`] with the order of the first bad minor.
pub fn cholesky(a: &ArrayView2<f64>) -> Result<Array2<f64>> {
    let mut r = a.to_owned();
    cholesky_in_place(&mut r)?;
    for i in 0..r.nrows() {
        r.slice_mut(s![i, ..i]).fill(0.0);
    }
    Ok(r)
}

/// As [`cholesky`], in place; the lower triangle is left as it was.
///
/// # Panics
/// If `a` is not square and in C order.
///
/// # Errors
/// As [`cholesky`].
pub fn cholesky_in_place(a: &mut Array2<f64>) -> Result<()> {
    assert!(a.is_square() && a.is_standard_layout());
    let n = a.nrows() as i32;
    let mut info = 0;
    // A row-major upper triangle is a column-major lower one.
    // SAFETY: a is n×n in C order; dpotrf touches the named triangle only.
    unsafe {
        lapack_sys::dpotrf_(&(b'L' as std::ffi::c_char), &n, a.as_mut_ptr(), &n.max(1), &mut info);
    }
    match info {
        0 => Ok(()),
        i => Err(TensorError::NotPositiveDefinite { size: n as usize, minor: i.unsigned_abs() as usize }),
    }
}

/// Cholesky factorisation with complete pivoting (`dpstrf`) of a symmetric positive semidefinite matrix: `RᵀR = PᵀaP`
/// with `R` of `rank × n`, upper trapezoidal, and the order of the columns, `order[k]` the column of `a` at place k.
/// Pivots below `tolerance` times the largest diagonal entry count as zero.
///
/// # Errors
/// A failure of LAPACK.
pub fn pivoted_cholesky(a: &ArrayView2<f64>, tolerance: f64) -> Result<(Array2<f64>, Vec<usize>)> {
    let n = a.nrows();
    let mut r = a.to_owned();
    let (mut pivots, mut work) = (vec![0i32; n], vec![0.0; 2 * n]);
    let (order, mut rank, mut info) = (n as i32, 0i32, 0i32);
    let largest = a.diag().iter().fold(0.0f64, |m, &v| m.max(v));
    // A row-major upper triangle is a column-major lower one.
    // SAFETY: r is n×n in C order, pivots has n entries and work 2n.
    unsafe {
        lapack_sys::dpstrf_(
            &(b'L' as std::ffi::c_char),
            &order,
            r.as_mut_ptr(),
            &order.max(1),
            pivots.as_mut_ptr(),
            &mut rank,
            &(tolerance * largest),
            work.as_mut_ptr(),
            &mut info,
        );
    }
    if info < 0 {
        return Err(TensorError::Lapack { routine: "dpstrf", info });
    }
    let rank = if info == 0 { n } else { rank as usize };
    for i in 0..rank {
        r.slice_mut(s![i, ..i]).fill(0.0);
    }
    Ok((r.slice_move(s![..rank, ..]), pivots.into_iter().map(|p| p as usize - 1).collect()))
}

/// Solves `RᵀR x = b` in place from the factor of [`cholesky`].
///
/// # Panics
/// If `b` has not the size of `R`.
pub fn cholesky_solve(r: &Array2<f64>, b: &mut [f64]) {
    assert!(r.is_square() && r.is_standard_layout() && r.nrows() == b.len());
    let (n, one) = (r.nrows() as i32, 1);
    let mut info = 0;
    // SAFETY: r is n×n and b has n entries, both contiguous.
    unsafe {
        lapack_sys::dpotrs_(
            &(b'L' as std::ffi::c_char),
            &n,
            &one,
            r.as_ptr(),
            &n.max(1),
            b.as_mut_ptr(),
            &n.max(1),
            &mut info,
        );
    }
    assert!(info == 0, "internal error: dpotrs says {info}");
}
