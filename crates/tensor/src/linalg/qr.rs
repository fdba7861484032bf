//! QR factors (`dgeqrf`).

use ndarray::{Array2, ArrayView2, ShapeBuilder};
use ndarray_linalg::QR;

use super::failure::lapack;
use crate::{Result, TensorError};

/// Thin QR: `a = Q R` with `Q` of `n × k`, `R` of `k × m`, `k = min(n, m)`.
///
/// # Errors
/// A failure of LAPACK.
pub fn qr(a: &ArrayView2<f64>) -> Result<(Array2<f64>, Array2<f64>)> {
    a.qr().map_err(lapack("dgeqrf"))
}

/// The `R` of a QR factorisation alone (`min(n, m) × m`), by `dgeqrf` without forming `Q`.
///
/// # Errors
/// A failure of LAPACK.
pub fn qr_r(a: &ArrayView2<f64>) -> Result<Array2<f64>> {
    let (n, m) = a.dim();
    let k = n.min(m);
    if k == 0 {
        return Ok(Array2::zeros((k, m)));
    }
    let mut f = Array2::zeros((n, m).f());
    f.assign(a);
    let (rows, cols) = (n as i32, m as i32);
    let mut tau = vec![0.0; k];
    let mut info = 0;
    let mut work = vec![0.0; 1];
    for query in [true, false] {
        let lwork = if query { -1 } else { work.len() as i32 };
        // SAFETY: f is n×m in Fortran order, tau has k entries, work has the length LAPACK asked for.
        unsafe {
            lapack_sys::dgeqrf_(
                &rows,
                &cols,
                f.as_mut_ptr(),
                &rows,
                tau.as_mut_ptr(),
                work.as_mut_ptr(),
                &lwork,
                &mut info,
            );
        }
        if query {
            work = vec![0.0; work[0] as usize];
        }
    }
    if info != 0 {
        return Err(TensorError::Lapack { routine: "dgeqrf", info });
    }
    Ok(Array2::from_shape_fn((k, m), |(i, j)| if j >= i { f[[i, j]] } else { 0.0 }))
}
