//! Elementary operations on N-way arrays.

use ndarray::{
    Array, Array1, Array2, ArrayBase, ArrayD, ArrayView2, ArrayViewD, Data, DataMut, Dimension,
    IntoDimension, IxDyn,
};

use crate::{Result, TensorError};

fn check_mode(mode: usize, order: usize) -> Result<()> {
    if mode < order { Ok(()) } else { Err(TensorError::NoSuchMode { mode, order }) }
}

/// A C-order array of `shape` from its entries.
///
/// # Panics
/// If the number of entries is not that of the shape: for callers where they match by construction.
#[expect(clippy::unreachable, reason = "the entries come from an array of the same size")]
pub fn shaped<D: Dimension>(shape: impl IntoDimension<Dim = D>, flat: Vec<f64>) -> Array<f64, D> {
    let shape = shape.into_dimension();
    debug_assert_eq!(shape.size(), flat.len());
    match Array::from_shape_vec(shape, flat) {
        Ok(array) => array,
        Err(error) => unreachable!("entries and shape of one array disagree: {error}"),
    }
}

/// A `rows × columns` view of entries in C order.
///
/// # Panics
/// If the number of entries is not that of the shape: for callers where they match by construction.
#[expect(clippy::unreachable, reason = "a wrong view would give plausible numbers")]
pub fn matrix_view((rows, columns): (usize, usize), flat: &[f64]) -> ArrayView2<'_, f64> {
    match ArrayView2::from_shape((rows, columns), flat) {
        Ok(view) => view,
        Err(error) => unreachable!("internal error: {} entries for {rows} x {columns}: {error}", flat.len()),
    }
}

/// The entries of an array in C order, in place.
///
/// # Panics
/// If the array is in another order: for arrays that are made in C order.
#[expect(clippy::unreachable, reason = "no entries would give plausible numbers")]
pub fn c_order<S: Data<Elem = f64>, D: Dimension>(a: &ArrayBase<S, D>) -> &[f64] {
    match a.as_slice() {
        Some(entries) => entries,
        None => unreachable!("internal error: an array of shape {:?} is not in C order", a.shape()),
    }
}

/// As [`c_order`], to be changed.
///
/// # Panics
/// As [`c_order`].
#[expect(clippy::unreachable, reason = "no entries would give plausible numbers")]
pub fn c_order_mut<S: DataMut<Elem = f64>, D: Dimension>(a: &mut ArrayBase<S, D>) -> &mut [f64] {
    if !a.is_standard_layout() {
        unreachable!("internal error: an array of shape {:?} is not in C order", a.shape());
    }
    match a.as_slice_mut() {
        Some(entries) => entries,
        None => unreachable!("internal error: an array in C order has no slice"),
    }
}

/// The entries in C order.
pub fn entries<S: Data<Elem = f64>, D: Dimension>(a: &ArrayBase<S, D>) -> Vec<f64> {
    a.iter().copied().collect()
}

/// Mode-`mode` unfolding: `d_mode × ∏_{i≠mode} d_i`, the other modes in C order (as TensorLy's).
///
/// # Errors
/// A mode that the tensor does not have.
pub fn unfold(tensor: &ArrayViewD<f64>, mode: usize) -> Result<Array2<f64>> {
    check_mode(mode, tensor.ndim())?;
    let rows = tensor.shape()[mode];
    let cols = tensor.shape().iter().enumerate().filter(|&(i, _)| i != mode).map(|(_, &d)| d).product();
    Ok(shaped((rows, cols), entries(&move_axis_to_front(tensor, mode))))
}

/// Inverse of [`unfold`]: puts a `d_mode × rest` matrix back into a tensor of `shape`.
///
/// # Errors
/// A mode that the shape does not have, or a matrix of another size than the shape asks for.
pub fn fold(matrix: &ArrayView2<f64>, mode: usize, shape: &[usize]) -> Result<ArrayD<f64>> {
    check_mode(mode, shape.len())?;
    let rest: usize = shape.iter().enumerate().filter(|&(i, _)| i != mode).map(|(_, &d)| d).product();
    if matrix.dim() != (shape[mode], rest) {
        return Err(TensorError::ShapeMismatch {
            operation: "fold",
            left: matrix.shape().to_vec(),
            right: shape.to_vec(),
            mend: format!("the matrix has to be {}x{rest}", shape[mode]),
        });
    }
    let mut moved_shape = vec![shape[mode]];
    moved_shape.extend(shape.iter().enumerate().filter(|&(i, _)| i != mode).map(|(_, &d)| d));
    let moved = shaped(IxDyn(&moved_shape), entries(matrix));
    let mut axes: Vec<usize> = (1..shape.len()).collect();
    axes.insert(mode, 0);
    Ok(moved.permuted_axes(IxDyn(&axes)).as_standard_layout().into_owned())
}

fn move_axis_to_front<'a>(tensor: &ArrayViewD<'a, f64>, mode: usize) -> ArrayViewD<'a, f64> {
    let mut axes: Vec<usize> = (0..tensor.ndim()).filter(|&i| i != mode).collect();
    axes.insert(0, mode);
    tensor.clone().permuted_axes(IxDyn(&axes))
}

/// n-mode product `tensor ×_mode matrix`: contracts mode `mode` (size d) with the columns of a
/// `q × d` matrix; the result has size q there (Kolda & Bader 2009, §2.5).
///
/// # Errors
/// A mode that the tensor does not have, or a matrix of other columns than its size.
pub fn mode_dot(tensor: &ArrayViewD<f64>, matrix: &ArrayView2<f64>, mode: usize) -> Result<ArrayD<f64>> {
    check_mode(mode, tensor.ndim())?;
    if matrix.ncols() != tensor.shape()[mode] {
        return Err(TensorError::ShapeMismatch {
            operation: "mode_dot",
            left: tensor.shape().to_vec(),
            right: matrix.shape().to_vec(),
            mend: format!("the matrix needs {} columns, the size of mode {mode}", tensor.shape()[mode]),
        });
    }
    let unfolded = unfold(tensor, mode)?;
    let product: Array2<f64> = matrix.dot(&unfolded);
    let mut shape = tensor.shape().to_vec();
    shape[mode] = matrix.nrows();
    fold(&product.view(), mode, &shape)
}

/// Successive [`mode_dot`] with one matrix a mode, starting at mode 0; `None` leaves a mode alone.
///
/// # Errors
/// Not one entry a mode, or a matrix of other columns than the size of its mode.
pub fn multi_mode_dot(tensor: &ArrayViewD<f64>, matrices: &[Option<ArrayView2<f64>>]) -> Result<ArrayD<f64>> {
    if matrices.len() != tensor.ndim() {
        return Err(TensorError::ShapeMismatch {
            operation: "multi_mode_dot",
            left: tensor.shape().to_vec(),
            right: vec![matrices.len()],
            mend: format!("give {} matrices, one a mode", tensor.ndim()),
        });
    }
    let mut result = tensor.to_owned();
    for (mode, matrix) in matrices.iter().enumerate() {
        if let Some(matrix) = matrix {
            result = mode_dot(&result.view(), matrix, mode)?;
        }
    }
    Ok(result)
}

/// Modewise Kronecker product of two tensors of the same order: mode j has size `a_j b_j`, with
/// index `i_a · b_j + i_b`. For matrices this is the usual Kronecker product.
///
/// # Errors
/// Tensors of different order.
pub fn kronecker(a: &ArrayViewD<f64>, b: &ArrayViewD<f64>) -> Result<ArrayD<f64>> {
    if a.ndim() != b.ndim() {
        return Err(TensorError::ShapeMismatch {
            operation: "kronecker",
            left: a.shape().to_vec(),
            right: b.shape().to_vec(),
            mend: "both need the same number of modes".to_owned(),
        });
    }
    let shape: Vec<usize> = a.shape().iter().zip(b.shape()).map(|(x, y)| x * y).collect();
    let mut result = ArrayD::zeros(IxDyn(&shape));
    for (block, &scale) in result.exact_chunks_mut(IxDyn(b.shape())).into_iter().zip(a) {
        ndarray::Zip::from(block).and(b).for_each(|r, &v| *r = scale * v);
    }
    Ok(result)
}

/// Column-wise Khatri–Rao product: `(∏ rows) × r`, row index in C order over the operands.
///
/// # Errors
/// Matrices of different numbers of columns.
pub fn khatri_rao(matrices: &[ArrayView2<f64>]) -> Result<Array2<f64>> {
    let Some((first, rest)) = matrices.split_first() else {
        return Ok(Array2::ones((1, 0)));
    };
    let mut result = first.to_owned();
    for m in rest {
        if m.ncols() != result.ncols() {
            return Err(TensorError::ShapeMismatch {
                operation: "khatri_rao",
                left: result.shape().to_vec(),
                right: m.shape().to_vec(),
                mend: "all matrices need the same number of columns".to_owned(),
            });
        }
        let mut next = Array2::zeros((result.nrows() * m.nrows(), m.ncols()));
        for (i, row) in result.outer_iter().enumerate() {
            for (j, other) in m.outer_iter().enumerate() {
                next.row_mut(i * m.nrows() + j).assign(&(&row * &other));
            }
        }
        result = next;
    }
    Ok(result)
}

/// Outer product: the modes of `a` followed by those of `b`.
pub fn outer(a: &ArrayViewD<f64>, b: &ArrayViewD<f64>) -> ArrayD<f64> {
    let mut shape = a.shape().to_vec();
    shape.extend_from_slice(b.shape());
    let flat: Vec<f64> = a.iter().flat_map(|&x| b.iter().map(move |&y| x * y)).collect();
    shaped(IxDyn(&shape), flat)
}

/// Inner product `<a, b>`: the sum of products of equally placed entries.
///
/// # Errors
/// Tensors of different shapes.
pub fn inner(a: &ArrayViewD<f64>, b: &ArrayViewD<f64>) -> Result<f64> {
    if a.shape() != b.shape() {
        return Err(TensorError::ShapeMismatch {
            operation: "inner",
            left: a.shape().to_vec(),
            right: b.shape().to_vec(),
            mend: "both need the same shape".to_owned(),
        });
    }
    let flat = |t: &ArrayViewD<f64>| -> Array1<f64> { t.iter().copied().collect() };
    Ok(flat(a).dot(&flat(b)))
}

/// Frobenius norm.
pub fn norm(a: &ArrayViewD<f64>) -> f64 {
    a.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Fails with the first entry that is NaN or infinite.
///
/// # Errors
/// [`TensorError::NotFinite`] with the place of the entry.
pub fn check_finite<'a>(what: &'static str, values: impl IntoIterator<Item = &'a f64>) -> Result<()> {
    match values.into_iter().enumerate().find(|(_, v)| !v.is_finite()) {
        None => Ok(()),
        Some((index, &value)) => Err(TensorError::NotFinite { what, index, value }),
    }
}
