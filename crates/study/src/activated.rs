//! Networks with an activation: that of an estimate and that of the truth.

use convstat_cnn::{ActivatedNetwork, Activation, Factors, Geometry, Structure};
use convstat_runner::stream;
use convstat_tensor::linalg::{qr_r, svd};
use ndarray::{Array2, s};
use rand_distr::{Distribution, StandardNormal};

use crate::Result;

/// Inputs that stand for the law of the inputs in the dimension, times the parameters.
const INPUTS_A_PARAMETER: usize = 4;

/// Singular values below this share of the largest count as zero; true zeros are at rounding level.
const RANK_TOLERANCE: f64 = 1e-9;

/// The network that is trained and the one of the truth.
#[derive(Debug)]
pub struct Activated {
    /// The network that is trained.
    pub network: ActivatedNetwork,
    /// The network of the truth.
    pub truth: ActivatedNetwork,
}

impl Activated {
    /// From the structures of the setting and of its truth.
    ///
    /// # Errors
    /// See [`ActivatedNetwork::new`].
    pub fn new(
        geometry: &Geometry,
        own: &Structure,
        truth: &Structure,
        activation: Activation,
    ) -> Result<Self> {
        let network = |s| ActivatedNetwork::new(geometry, s, activation);
        Ok(Self { network: network(own)?, truth: network(truth)? })
    }

    /// The truth's factors in the network that is trained; see [`ActivatedNetwork::embed`].
    ///
    /// # Errors
    /// A truth that the network does not hold.
    pub fn embed(&self, factors: &Factors, normal: impl FnMut() -> f64) -> Result<Factors> {
        Ok(self.network.embed(&self.truth, factors, normal)?)
    }

    /// Dimension of the functions near a generic point: the rank of `∂f(X_i)/∂θ` over generic inputs.
    ///
    /// # Errors
    /// A Jacobian that does not fit into memory.
    pub fn dimension(&self) -> Result<usize> {
        let structure = self.network.structure();
        let point = structure.flatten(&structure.generic_point())?;
        let mut rng = stream(0, "generic inputs", structure.name(), 0);
        let n = INPUTS_A_PARAMETER * point.len();
        let inputs = self.network.inputs();
        let x = Array2::from_shape_simple_fn((n, inputs), || StandardNormal.sample(&mut rng));
        let windows = self.network.windows(&x.view())?;
        let (basis, _) = tangent(&self.network.jacobian(&point, &windows.view())?, n)?;
        Ok(basis.ncols())
    }
}

/// Basis of the directions of parameters that change `f` on the n inputs of a Jacobian (`n M × parameters`; the basis
/// `parameters × df`), and the root of the mean over inputs of `∇f∇fᵀ`, summed over responses, in it (`df × df`).
pub(crate) fn tangent(jacobian: &Array2<f64>, inputs: usize) -> Result<(Array2<f64>, Array2<f64>)> {
    let (_, values, vt) = svd(&qr_r(&jacobian.view())?.view())?;
    let cut = RANK_TOLERANCE * values.first().copied().unwrap_or(0.0);
    let df = values.iter().filter(|v| **v > cut).count();
    let root = values.slice(s![..df]).mapv(|v| v / (inputs as f64).sqrt());
    Ok((vt.slice(s![..df, ..]).t().to_owned(), Array2::from_diag(&root)))
}
