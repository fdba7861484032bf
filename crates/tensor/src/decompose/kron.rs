//! Sums of Kronecker products (Van Loan & Pitsianis 1993), for tensors.

use ndarray::{Array2, ArrayD, ArrayViewD, IxDyn, s};

use crate::algebra::{entries, shaped};
use crate::linalg::svd;
use crate::{Result, TensorError};

/// Best approximation `Σ_{k<terms} B_k ⊗ A_k` in Frobenius norm, `⊗` the modewise Kronecker product
/// with index `i_b · a_j + i_a`: the rank-`terms` SVD of the rearranged tensor (blocks × within block).
///
/// `outer` is the shape of the `B_k`; that of the `A_k` is the quotient. Each pair shares the
/// singular value evenly. Returns the pairs `(B_k, A_k)`.
///
/// # Errors
/// An outer shape that does not divide the tensor's, or a failure of LAPACK.
pub fn kronecker_sum(
    tensor: &ArrayViewD<f64>,
    outer: &[usize],
    terms: usize,
) -> Result<Vec<(ArrayD<f64>, ArrayD<f64>)>> {
    let shape = tensor.shape();
    let fits = outer.len() == shape.len() && outer.iter().zip(shape).all(|(&b, &d)| b > 0 && d % b == 0);
    if !fits {
        return Err(TensorError::ShapeMismatch {
            operation: "kronecker_sum",
            left: shape.to_vec(),
            right: outer.to_vec(),
            mend: "each size of the second shape has to divide that of the first".to_owned(),
        });
    }
    let inner: Vec<usize> = shape.iter().zip(outer).map(|(d, b)| d / b).collect();
    let matrix = rearrange(tensor, outer, &inner);
    let (u, sv, vt) = svd(&matrix.view())?;
    if terms == 0 || terms > sv.len() {
        return Err(TensorError::BadRank { mode: 0, rank: terms, max: sv.len() });
    }
    Ok((0..terms)
        .map(|k| {
            let scale = sv[k].sqrt();
            let b = u.slice(s![.., k]).iter().map(|x| x * scale).collect();
            let a = vt.slice(s![k, ..]).iter().map(|x| x * scale).collect();
            (shaped(IxDyn(outer), b), shaped(IxDyn(&inner), a))
        })
        .collect())
}

/// Puts entry `(i_b a_j + i_a)_j` at row `(i_b)` and column `(i_a)`.
fn rearrange(tensor: &ArrayViewD<f64>, outer: &[usize], inner: &[usize]) -> Array2<f64> {
    let n = outer.len();
    let split: Vec<usize> = outer.iter().zip(inner).flat_map(|(&b, &a)| [b, a]).collect();
    let axes: Vec<usize> = (0..n).map(|j| 2 * j).chain((0..n).map(|j| 2 * j + 1)).collect();
    let blocks = shaped(IxDyn(&split), entries(tensor));
    let flat = entries(&blocks.permuted_axes(IxDyn(&axes)));
    shaped((outer.iter().product(), inner.iter().product()), flat)
}
