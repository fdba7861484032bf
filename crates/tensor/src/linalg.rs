//! Thin wrappers over BLAS and LAPACK: the fast routine for each job.
//!
//! `dsyrk` for Gram matrices, `dpotrf` for Cholesky, `dgeqrf` for QR, `dsyevd` (divide and conquer)
//! for symmetric eigenvalues and `dgesdd` for the SVD.

use cblas_sys::{CBLAS_LAYOUT, CBLAS_TRANSPOSE, CBLAS_UPLO};
use ndarray::{Array1, Array2, ArrayView2, ShapeBuilder, s};
use ndarray_linalg::{JobSvd, QR, SVDDC};

use crate::{Result, TensorError};

fn lapack(routine: &'static str) -> impl Fn(ndarray_linalg::error::LinalgError) -> TensorError {
    move |_| TensorError::Lapack { routine, info: -1 }
}

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

/// Condition number of an upper triangular matrix in the 1-norm, estimated by `dtrcon`.
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

/// Cholesky factorisation with complete pivoting (`dpstrf`) of a symmetric positive semidefinite matrix: `RᵀR = PᵀaP`
/// with `R` of `rank × n`, upper trapezoidal, and the order of the columns, `order[k]` the column of `a` at place k.
/// Pivots below `tolerance` times the largest diagonal entry count as zero.
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
    debug_assert_eq!(info, 0);
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

/// Thin QR: `a = Q R` with `Q` of `n × k`, `R` of `k × m`, `k = min(n, m)`.
pub fn qr(a: &ArrayView2<f64>) -> Result<(Array2<f64>, Array2<f64>)> {
    a.qr().map_err(lapack("dgeqrf"))
}

/// The `R` of a QR factorisation alone (`min(n, m) × m`), by `dgeqrf` without forming `Q`.
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

/// Eigenvalues (ascending) and eigenvectors (columns) of a symmetric matrix (`dsyevd`).
pub fn eigh(a: &ArrayView2<f64>) -> Result<(Array1<f64>, Array2<f64>)> {
    let (values, v) = syevd(a, b'V')?;
    // LAPACK wrote the eigenvectors as columns in Fortran order, that is as rows here.
    Ok((values, v.reversed_axes()))
}

/// Eigenvalues (ascending) of a symmetric matrix without its eigenvectors (`dsyevd`): a third of the work of [`eigh`] or less.
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

/// Thin SVD `a = U diag(s) Vᵀ`, singular values descending (`dgesdd`); returns `(U, s, Vᵀ)`.
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
pub fn column_basis(a: &ArrayView2<f64>, rtol: f64) -> Result<(Array2<f64>, Array1<f64>)> {
    let (u, s, _) = svd(a)?;
    let rank = count_above(&s, rtol);
    Ok((u.slice(s![.., ..rank]).to_owned(), s))
}

/// Numerical rank of `a`.
pub fn rank(a: &ArrayView2<f64>, rtol: f64) -> Result<usize> {
    Ok(count_above(&svd(a)?.1, rtol))
}

fn count_above(s: &Array1<f64>, rtol: f64) -> usize {
    let largest = s.first().copied().unwrap_or(0.0);
    s.iter().filter(|&&v| v > rtol * largest && v > 0.0).count()
}

/// Minimum-norm least squares `argmin_X ‖a X − b‖` for `b` of `n × k`, by the SVD.
pub fn lstsq(a: &ArrayView2<f64>, b: &ArrayView2<f64>) -> Result<Array2<f64>> {
    let (u, s, vt) = svd(a)?;
    let k = count_above(&s, rank_tolerance(a.dim()));
    let mut c = u.slice(s![.., ..k]).t().dot(b);
    for (mut row, &v) in c.outer_iter_mut().zip(&s) {
        row /= v;
    }
    Ok(vt.slice(s![..k, ..]).t().dot(&c))
}

/// A root `C` (`rank × m`) of a symmetric positive semidefinite matrix: `CᵀC = a`, rows only for
/// eigenvalues above the rank tolerance, so that a singular matrix keeps its rank.
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
