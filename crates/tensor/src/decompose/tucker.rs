//! Tucker decomposition: HOSVD and HOOI (De Lathauwer, De Moor & Vandewalle 2000).

use ndarray::{Array2, ArrayD, ArrayView2, ArrayViewD, s};

use crate::algebra::{multi_mode_dot, norm, unfold};
use crate::linalg::{eigh, svd};
use crate::{Result, TensorError};

/// `core ×_1 factors[0] … ×_N factors[N−1]`.
#[derive(Debug, Clone)]
pub struct TuckerTensor {
    /// Core, `r_1 × … × r_N`.
    pub core: ArrayD<f64>,
    /// Factors, `d_j × r_j`, with orthonormal columns.
    pub factors: Vec<Array2<f64>>,
}

impl TuckerTensor {
    /// The full tensor, `d_1 × … × d_N`.
    ///
    /// # Errors
    /// Factors that do not fit the core.
    pub fn to_tensor(&self) -> Result<ArrayD<f64>> {
        let matrices: Vec<Option<ArrayView2<f64>>> = self.factors.iter().map(|f| Some(f.view())).collect();
        multi_mode_dot(&self.core.view(), &matrices)
    }
}

/// Leading `r` left singular vectors of `a`.
fn leading(a: &Array2<f64>, r: usize) -> Result<Array2<f64>> {
    if a.ncols() > 4 * a.nrows() {
        // Wide: the eigenvectors of a aᵀ are cheaper, and the subspace is all that is wanted.
        let (_, v) = eigh(&a.dot(&a.t()).view())?;
        let m = a.nrows();
        return Ok(v.slice(s![.., m - r..;-1]).to_owned());
    }
    let (u, _, _) = svd(&a.view())?;
    if u.ncols() >= r {
        return Ok(u.slice(s![.., ..r]).to_owned());
    }
    // Fewer columns than r: complete to an orthonormal basis.
    let (_, v) = eigh(&a.dot(&a.t()).view())?;
    let m = a.nrows();
    Ok(v.slice(s![.., m - r..;-1]).to_owned())
}

fn check_ranks(shape: &[usize], ranks: &[usize]) -> Result<()> {
    if ranks.len() != shape.len() {
        return Err(TensorError::ShapeMismatch {
            operation: "Tucker decomposition",
            left: shape.to_vec(),
            right: ranks.to_vec(),
            mend: format!("give {} ranks, one a mode", shape.len()),
        });
    }
    for (mode, (&rank, &max)) in ranks.iter().zip(shape).enumerate() {
        if rank == 0 || rank > max {
            return Err(TensorError::BadRank { mode, rank, max });
        }
    }
    Ok(())
}

fn project(tensor: &ArrayViewD<f64>, factors: &[Array2<f64>], skip: Option<usize>) -> Result<ArrayD<f64>> {
    let matrices: Vec<Option<ArrayView2<f64>>> =
        factors.iter().enumerate().map(|(j, f)| (Some(j) != skip).then(|| f.t())).collect();
    multi_mode_dot(tensor, &matrices)
}

/// Truncated higher-order SVD: each factor holds the leading left singular vectors of its unfolding.
///
/// # Errors
/// Not one rank a mode, a rank of 0 or above the mode's size, or a failure of LAPACK.
pub fn hosvd(tensor: &ArrayViewD<f64>, ranks: &[usize]) -> Result<TuckerTensor> {
    check_ranks(tensor.shape(), ranks)?;
    let factors: Vec<Array2<f64>> =
        ranks.iter().enumerate().map(|(j, &r)| leading(&unfold(tensor, j)?, r)).collect::<Result<_>>()?;
    Ok(TuckerTensor { core: project(tensor, &factors, None)?, factors })
}

/// Higher-order orthogonal iteration: the best Tucker approximation by alternating SVDs from
/// [`hosvd`], until the norm of the core changes by less than `tolerance` (relative).
///
/// # Errors
/// As [`hosvd`].
pub fn hooi(
    tensor: &ArrayViewD<f64>,
    ranks: &[usize],
    max_iterations: usize,
    tolerance: f64,
) -> Result<TuckerTensor> {
    let mut result = hosvd(tensor, ranks)?;
    let mut previous = norm(&result.core.view());
    for _ in 0..max_iterations {
        for (j, &r) in ranks.iter().enumerate() {
            let projected = project(tensor, &result.factors, Some(j))?;
            result.factors[j] = leading(&unfold(&projected.view(), j)?, r)?;
        }
        result.core = project(tensor, &result.factors, None)?;
        let now = norm(&result.core.view());
        if (now - previous).abs() <= tolerance * now {
            break;
        }
        previous = now;
    }
    Ok(result)
}
