//! Tensor-train decomposition by successive SVDs (Oseledets 2011).

use ndarray::{Array2, Array3, ArrayD, ArrayViewD, IxDyn, s};

use crate::algebra::{entries, shaped};
use crate::linalg::svd;
use crate::{Result, TensorError};

/// Product of cores `r_{j−1} × d_j × r_j` with `r_0 = r_N = 1`.
#[derive(Debug, Clone)]
pub struct TtTensor {
    /// The cores.
    pub cores: Vec<Array3<f64>>,
}

impl TtTensor {
    /// Bond ranks `r_1 … r_{N−1}`.
    pub fn ranks(&self) -> Vec<usize> {
        self.cores.iter().take(self.cores.len().saturating_sub(1)).map(|c| c.dim().2).collect()
    }

    /// The full tensor, `d_1 × … × d_N`.
    pub fn to_tensor(&self) -> ArrayD<f64> {
        let shape: Vec<usize> = self.cores.iter().map(|c| c.dim().1).collect();
        let mut acc = Array2::<f64>::ones((1, 1));
        for core in &self.cores {
            let (r, d, q) = core.dim();
            let next = acc.dot(&shaped((r, d * q), entries(core)));
            acc = shaped((next.len() / q, q), entries(&next));
        }
        shaped(IxDyn(&shape), entries(&acc))
    }
}

/// TT-SVD with bond ranks at most `ranks` (`N − 1` of them), clamped to what the shapes allow.
///
/// # Errors
/// Not one rank a bond, a rank of 0, or a failure of LAPACK.
pub fn tt_svd(tensor: &ArrayViewD<f64>, ranks: &[usize]) -> Result<TtTensor> {
    let shape = tensor.shape();
    if ranks.len() + 1 != shape.len() {
        return Err(TensorError::ShapeMismatch {
            operation: "tt_svd",
            left: shape.to_vec(),
            right: ranks.to_vec(),
            mend: format!("give {} ranks, one a bond", shape.len().saturating_sub(1)),
        });
    }
    if let Some(bond) = ranks.iter().position(|&r| r == 0) {
        return Err(TensorError::BadRank { mode: bond, rank: 0, max: shape[bond] });
    }
    let mut rest = shaped((1, tensor.len()), entries(tensor));
    let mut cores = Vec::with_capacity(shape.len());
    let mut left = 1;
    for (&d, &rank) in shape.iter().zip(ranks) {
        let cols = rest.len() / (left * d);
        let matrix = shaped((left * d, cols), entries(&rest));
        let (u, sv, vt) = svd(&matrix.view())?;
        let r = rank.min(sv.len());
        cores.push(shaped((left, d, r), entries(&u.slice(s![.., ..r]))));
        let mut next = vt.slice(s![..r, ..]).to_owned();
        for (mut row, &v) in next.outer_iter_mut().zip(&sv) {
            row *= v;
        }
        rest = next;
        left = r;
    }
    cores.push(shaped((left, shape[ranks.len()], 1), entries(&rest)));
    Ok(TtTensor { cores })
}
