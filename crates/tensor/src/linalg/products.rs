//! Products of matrices (`dgemm`, `dgemv`, `dsyrk`, `dtrmm`).

use cblas_sys::{CBLAS_LAYOUT, CBLAS_TRANSPOSE, CBLAS_UPLO};
use ndarray::{Array2, ArrayView2};

/// A matrix in a slice, C order with `leading` entries from row to row, or the transpose of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub entries: &'a [f64],
    pub rows: usize,
    pub cols: usize,
    pub leading: usize,
    pub transposed: bool,
}

impl Matrix<'_> {
    /// The matrix that begins `offset` entries later.
    pub fn from(&self, offset: usize) -> Self {
        Self { entries: &self.entries[offset..], ..*self }
    }

    /// Whether the slice holds all entries.
    fn fits(&self) -> bool {
        let (outer, inner) = if self.transposed { (self.cols, self.rows) } else { (self.rows, self.cols) };
        outer == 0 || inner == 0 || (outer - 1) * self.leading + inner <= self.entries.len()
    }

    fn steps(&self) -> (usize, usize) {
        if self.transposed { (1, self.leading) } else { (self.leading, 1) }
    }
}

/// Products of fewer multiplications are written out: a call of BLAS costs more.
const SMALL_PRODUCT: usize = 64;

/// `out = a b`, `out` in C order.
pub(crate) fn multiply(a: &Matrix, b: &Matrix, out: &mut [f64]) {
    let (rows, inner, cols) = (a.rows, a.cols, b.cols);
    assert!(b.rows == inner && a.fits() && b.fits() && out.len() == rows * cols);
    if rows * inner * cols <= SMALL_PRODUCT {
        let ((ar, ac), (br, bc)) = (a.steps(), b.steps());
        for (place, v) in out.iter_mut().enumerate() {
            let (i, j) = (place / cols, place % cols);
            *v = (0..inner).map(|k| a.entries[i * ar + k * ac] * b.entries[k * br + j * bc]).sum();
        }
        return;
    }
    let side = |m: &Matrix| {
        if m.transposed { CBLAS_TRANSPOSE::CblasTrans } else { CBLAS_TRANSPOSE::CblasNoTrans }
    };
    // SAFETY: both slices hold their matrices and out holds rows × cols entries, as asserted.
    unsafe {
        cblas_sys::cblas_dgemm(
            CBLAS_LAYOUT::CblasRowMajor,
            side(a),
            side(b),
            rows as i32,
            cols as i32,
            inner as i32,
            1.0,
            a.entries.as_ptr(),
            a.leading as i32,
            b.entries.as_ptr(),
            b.leading as i32,
            0.0,
            out.as_mut_ptr(),
            cols as i32,
        );
    }
}

/// Copies the upper triangle of a square matrix to the lower one.
pub fn symmetrise(a: &mut Array2<f64>) {
    for i in 0..a.nrows() {
        for j in 0..i {
            a[[i, j]] = a[[j, i]];
        }
    }
}

/// Gram matrix `aᵀa` (`m × m`) of an `n × m` matrix.
pub fn gram(a: &ArrayView2<f64>) -> Array2<f64> {
    let mut g = Array2::zeros((a.ncols(), a.ncols()));
    add_gram(&mut g, &a.as_standard_layout().view());
    symmetrise(&mut g);
    g
}

/// Row stride of a matrix whose rows are contiguous.
fn leading(a: &ArrayView2<f64>) -> i32 {
    assert!(a.ncols() <= 1 || a.strides()[1] == 1, "rows have to be contiguous");
    assert!(a.nrows() <= 1 || a.strides()[0] >= a.ncols() as isize, "rows have to lie one after the other");
    a.strides()[0].max(a.ncols() as isize).max(1) as i32
}

/// Adds `aᵀa` to the upper triangle of `gram` (`m × m`, C order) for `a` of `n × m` with contiguous rows or columns
/// (`dsyrk`); finish with [`symmetrise`].
///
/// # Panics
/// On other sizes or strides: for callers where they fit by construction.
pub fn add_gram(gram: &mut Array2<f64>, a: &ArrayView2<f64>) {
    let (n, m) = a.dim();
    assert!(gram.dim() == (m, m) && gram.is_standard_layout());
    if n == 0 || m == 0 {
        return;
    }
    let has_rows = a.ncols() == 1 || a.strides()[1] == 1;
    let (transpose, stride) = if has_rows {
        (CBLAS_TRANSPOSE::CblasTrans, leading(a))
    } else {
        (CBLAS_TRANSPOSE::CblasNoTrans, leading(&a.t()))
    };
    // SAFETY: gram is m×m in C order and a is n×m with the stride given.
    unsafe {
        cblas_sys::cblas_dsyrk(
            CBLAS_LAYOUT::CblasRowMajor,
            CBLAS_UPLO::CblasUpper,
            transpose,
            m as i32,
            n as i32,
            1.0,
            a.as_ptr(),
            stride,
            1.0,
            gram.as_mut_ptr(),
            m as i32,
        );
    }
}

/// Adds `aᵀb` (`m × k`, C order) to `out` for `a` of `n × m` with contiguous rows and `b` of `n × k` in C order, k from
/// their lengths.
///
/// # Panics
/// On other sizes or strides: for callers where they fit by construction.
pub fn add_transposed_product(a: &ArrayView2<f64>, b: &[f64], out: &mut [f64]) {
    let (n, m) = a.dim();
    if n == 0 || m == 0 || out.is_empty() {
        return;
    }
    let k = out.len() / m;
    assert!(out.len() == m * k && b.len() == n * k);
    let (rows, inner, cols) = (m as i32, n as i32, k as i32);
    // SAFETY: a is n×m with the row stride given, b has n·k entries and out m·k.
    unsafe {
        if k == 1 {
            let (order, transpose) = (CBLAS_LAYOUT::CblasRowMajor, CBLAS_TRANSPOSE::CblasTrans);
            let (a, lda) = (a.as_ptr(), leading(a));
            cblas_sys::cblas_dgemv(
                order,
                transpose,
                inner,
                rows,
                1.0,
                a,
                lda,
                b.as_ptr(),
                1,
                1.0,
                out.as_mut_ptr(),
                1,
            );
        } else {
            cblas_sys::cblas_dgemm(
                CBLAS_LAYOUT::CblasRowMajor,
                CBLAS_TRANSPOSE::CblasTrans,
                CBLAS_TRANSPOSE::CblasNoTrans,
                rows,
                cols,
                inner,
                1.0,
                a.as_ptr(),
                leading(a),
                b.as_ptr(),
                cols,
                1.0,
                out.as_mut_ptr(),
                cols,
            );
        }
    }
}

/// `t c` for an upper trapezoidal `t` (`k × r`, `k ≤ r`) and `c` of `r × m`, by `dtrmm` on the triangle.
///
/// # Panics
/// On other sizes: for callers where they fit by construction.
pub fn upper_product(t: &Array2<f64>, c: &Array2<f64>) -> Array2<f64> {
    let (k, r) = t.dim();
    assert!(k <= r && c.nrows() == r);
    if k < r || k == 0 {
        return t.dot(c);
    }
    let t = t.as_standard_layout();
    let mut product = c.as_standard_layout().into_owned();
    let m = product.ncols() as i32;
    // SAFETY: t is r×r and product is r×m, both contiguous in C order.
    unsafe {
        cblas_sys::cblas_dtrmm(
            CBLAS_LAYOUT::CblasRowMajor,
            cblas_sys::CBLAS_SIDE::CblasLeft,
            CBLAS_UPLO::CblasUpper,
            CBLAS_TRANSPOSE::CblasNoTrans,
            cblas_sys::CBLAS_DIAG::CblasNonUnit,
            r as i32,
            m,
            1.0,
            t.as_ptr(),
            r as i32,
            product.as_mut_ptr(),
            m.max(1),
        );
    }
    product
}
