//! Canonical polyadic decomposition by alternating least squares (Carroll & Chang 1970, Harshman 1970).

use ndarray::{Array1, Array2, ArrayD, ArrayView2, ArrayViewD, Axis, IxDyn, s};

use crate::algebra::{khatri_rao, norm, shaped, unfold};
use crate::linalg::{lstsq, svd};
use crate::{Result, TensorError};

/// `Σ_r weights[r] · factors[0][:, r] ∘ … ∘ factors[N−1][:, r]`, columns of unit norm.
#[derive(Debug, Clone)]
pub struct CpTensor {
    /// One weight a component.
    pub weights: Array1<f64>,
    /// Factors, `d_j × r`.
    pub factors: Vec<Array2<f64>>,
    /// Whether the relative change fell below the tolerance.
    pub converged: bool,
    /// Sweeps done.
    pub iterations: usize,
}

impl CpTensor {
    /// The full tensor, `d_1 × … × d_N`.
    ///
    /// # Errors
    /// Factors that do not fit together.
    pub fn to_tensor(&self) -> Result<ArrayD<f64>> {
        let shape: Vec<usize> = self.factors.iter().map(Array2::nrows).collect();
        let views: Vec<ArrayView2<f64>> = self.factors.iter().map(|f| f.view()).collect();
        Ok(shaped(IxDyn(&shape), khatri_rao(&views)?.dot(&self.weights).to_vec()))
    }
}

/// CP of rank `rank` by ALS from the leading singular vectors of the unfoldings (deterministic;
/// columns beyond a mode's size start from fixed pseudo-random numbers).
///
/// # Errors
/// A rank of 0, or a failure of LAPACK.
pub fn cp_als(
    tensor: &ArrayViewD<f64>,
    rank: usize,
    max_iterations: usize,
    tolerance: f64,
) -> Result<CpTensor> {
    if rank == 0 {
        return Err(TensorError::BadRank { mode: 0, rank, max: tensor.len() });
    }
    let order = tensor.ndim();
    let unfolded: Vec<Array2<f64>> = (0..order).map(|j| unfold(tensor, j)).collect::<Result<_>>()?;
    let mut factors: Vec<Array2<f64>> = unfolded
        .iter()
        .enumerate()
        .map(|(j, m)| {
            let (u, _, _) = svd(&m.view())?;
            let mut f =
                Array2::from_shape_fn((m.nrows(), rank), |(i, r)| pseudo_normal((j * rank + r) * 7919 + i));
            let k = u.ncols().min(rank);
            f.slice_mut(s![.., ..k]).assign(&u.slice(s![.., ..k]));
            Ok(f)
        })
        .collect::<Result<_>>()?;
    let mut weights = Array1::ones(rank);
    let total = norm(tensor).powi(2);
    let (mut previous, mut converged, mut iterations) = (f64::INFINITY, false, 0);
    while iterations < max_iterations && !converged {
        iterations += 1;
        let mut error = 0.0;
        for j in 0..order {
            let others: Vec<ArrayView2<f64>> =
                factors.iter().enumerate().filter(|&(i, _)| i != j).map(|(_, f)| f.view()).collect();
            let design = khatri_rao(&others)?;
            let mttkrp = unfolded[j].dot(&design);
            let gram =
                others.iter().fold(Array2::ones((rank, rank)), |acc: Array2<f64>, f| acc * f.t().dot(f));
            let solution = lstsq(&gram.view(), &mttkrp.t())?.reversed_axes();
            error = total - 2.0 * (&solution * &mttkrp).sum() + (&solution.t().dot(&solution) * &gram).sum();
            weights = solution.map_axis(Axis(0), |c| c.dot(&c).sqrt());
            let scale = weights.mapv(|w| if w > 0.0 { 1.0 / w } else { 1.0 });
            factors[j] = solution * &scale;
        }
        converged = (previous - error).abs() <= tolerance * total;
        previous = error;
    }
    Ok(CpTensor { weights, factors, converged, iterations })
}

/// A fixed sequence with mean 0 and unit spread, to fill start columns without a generator.
fn pseudo_normal(i: usize) -> f64 {
    let x = (i as f64 + 1.0) * 0.618_033_988_749_894_9;
    (x.fract() - 0.5) * 12f64.sqrt()
}
