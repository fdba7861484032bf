//! Triangular matrices: solves (`dtrsm`) and the condition number (`dtrcon`).

use cblas_sys::{CBLAS_LAYOUT, CBLAS_TRANSPOSE, CBLAS_UPLO};
use ndarray::{Array2, ArrayView2};

use crate::{Result, TensorError};

/// Condition number of an upper triangular matrix in the 1-norm, estimated by `dtrcon`.
///
/// # Errors
/// A failure of LAPACK.
pub fn condition_number(r: &ArrayView2<f64>) -> Result<f64> {
    let r = r.as_standard_layout();
    let n = r.nrows() as i32;
    if n == 0 {
        return Ok(1.0);
    }
    let (mut work, mut iwork) = (vec![0.0; 3 * r.nrows()], vec![0i32; r.nrows()]);
    let (mut reciprocal, mut info) = (0.0, 0);
    let of = |c: u8| c as std::ffi::c_char;
    // A row-major upper triangle is a column-major lower one, its transpose: hence the ∞-norm there.
    // SAFETY: r is n×n in C order; the work arrays have 3n and n entries.
    unsafe {
        lapack_sys::dtrcon_(
            &of(b'I'),
            &of(b'L'),
            &of(b'N'),
            &n,
            r.as_ptr(),
            &n,
            &mut reciprocal,
            work.as_mut_ptr(),
            iwork.as_mut_ptr(),
            &mut info,
        );
    }
    if info != 0 {
        return Err(TensorError::Lapack { routine: "dtrcon", info });
    }
    Ok(1.0 / reciprocal)
}

/// Solves `Rᵀ X = B` (lower-triangular solve) for upper-triangular `R`; `B` is `n × m`.
pub fn solve_upper_transposed(r: &ArrayView2<f64>, b: &ArrayView2<f64>) -> Array2<f64> {
    triangular(r, b, CBLAS_TRANSPOSE::CblasTrans)
}

/// Solves `R X = B` for upper-triangular `R`; `B` is `n × m`.
pub fn solve_upper(r: &ArrayView2<f64>, b: &ArrayView2<f64>) -> Array2<f64> {
    triangular(r, b, CBLAS_TRANSPOSE::CblasNoTrans)
}

fn triangular(r: &ArrayView2<f64>, b: &ArrayView2<f64>, transpose: CBLAS_TRANSPOSE) -> Array2<f64> {
    let r = r.as_standard_layout();
    let mut x = b.as_standard_layout().into_owned();
    let (n, m) = x.dim();
    if n > 0 && m > 0 {
        // SAFETY: r is n×n and x is n×m, both contiguous in C order.
        unsafe {
            cblas_sys::cblas_dtrsm(
                CBLAS_LAYOUT::CblasRowMajor,
                cblas_sys::CBLAS_SIDE::CblasLeft,
                CBLAS_UPLO::CblasUpper,
                transpose,
                cblas_sys::CBLAS_DIAG::CblasNonUnit,
                n as i32,
                m as i32,
                1.0,
                r.as_ptr(),
                n as i32,
                x.as_mut_ptr(),
                m as i32,
            );
        }
    }
    x
}
