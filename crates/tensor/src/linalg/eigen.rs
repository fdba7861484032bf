//! Eigenvalues of symmetric matrices by divide and conquer (`dsyevd`).

use ndarray::{Array1, Array2, ArrayView2};

use crate::{Result, TensorError};

/// Eigenvalues (ascending) and eigenvectors (columns) of a symmetric matrix (`dsyevd`).
///
/// # Errors
/// A failure of LAPACK.
pub fn eigh(a: &ArrayView2<f64>) -> Result<(Array1<f64>, Array2<f64>)> {
    let (values, v) = syevd(a, b'V')?;
    // LAPACK wrote the eigenvectors as columns in Fortran order, that is as rows here.
    Ok((values, v.reversed_axes()))
}

/// Eigenvalues (ascending) of a symmetric matrix without its eigenvectors (`dsyevd`): a third of the work of [`eigh`] or less.
///
/// # Errors
/// A failure of LAPACK.
pub fn eigvalsh(a: &ArrayView2<f64>) -> Result<Array1<f64>> {
    Ok(syevd(a, b'N')?.0)
}

/// `dsyevd` with its `jobz`; the second array is what it leaves in place of the matrix.
fn syevd(a: &ArrayView2<f64>, jobz: u8) -> Result<(Array1<f64>, Array2<f64>)> {
    let n = a.nrows();
    let mut v = a.as_standard_layout().into_owned();
    let mut values = Array1::zeros(n);
    if n == 0 {
        return Ok((values, v));
    }
    let order = n as i32;
    let mut info = 0;
    let (mut work, mut iwork) = (vec![0.0; 1], vec![0i32; 1]);
    for query in [true, false] {
        let (lwork, liwork) = if query { (-1, -1) } else { (work.len() as i32, iwork.len() as i32) };
        // SAFETY: v is n×n, values has n entries, the work arrays have the lengths LAPACK asked for.
        unsafe {
            lapack_sys::dsyevd_(
                &(jobz as std::ffi::c_char),
                &(b'L' as std::ffi::c_char),
                &order,
                v.as_mut_ptr(),
                &order,
                values.as_mut_ptr(),
                work.as_mut_ptr(),
                &lwork,
                iwork.as_mut_ptr(),
                &liwork,
                &mut info,
            );
        }
        if query {
            work = vec![0.0; work[0] as usize];
            iwork = vec![0; iwork[0] as usize];
        }
    }
    if info != 0 {
        return Err(TensorError::Lapack { routine: "dsyevd", info });
    }
    Ok((values, v))
}
