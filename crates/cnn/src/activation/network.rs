//! A network with an activation: what it is made of, and the windows that it reads.

use convstat_tensor::memory;
use ndarray::{Array2, ArrayView2, Axis};

use super::function::Activation;
use super::parts::Parts;
use super::places::{head_places, pools, taps};
use crate::{CnnError, Geometry, Result, Structure};

/// Convolution, activation, average pooling, fully connected layer; the kernels and the fully connected weights are
/// those of a structure.
#[derive(Debug, Clone)]
pub struct ActivatedNetwork {
    pub(super) structure: Structure,
    pub(super) activation: Activation,
    /// The kernels alone: output channels, then taps.
    pub(super) kernels: Structure,
    /// Parameters of each factor of the kernels within the structure's.
    pub(super) kernel_columns: Vec<std::ops::Range<usize>>,
    /// The same within the kernels' own parameters.
    pub(super) own_columns: Vec<std::ops::Range<usize>>,
    /// The factor with the fully connected weights, and its parameters.
    pub(super) head: usize,
    pub(super) head_columns: std::ops::Range<usize>,
    /// Place in the head of each weight in the order (position, channel, response).
    pub(super) head_places: Vec<usize>,
    /// Inputs under each convolution position and tap; none in the padding.
    pub(super) taps: Vec<Option<usize>>,
    /// Convolution positions that each pooled position averages.
    pub(super) pools: Vec<Vec<usize>>,
    pub(super) conv: usize,
    pub(super) inputs: usize,
    pub(super) positions: usize,
    pub(super) channels: usize,
}

impl ActivatedNetwork {
    /// The network of a geometry of one layer and a structure whose fully connected weights are one factor.
    ///
    /// # Errors
    /// Several layers; a structure without output channels, with factors that stand twice, or with fully connected weights
    /// in several factors (`head_ranks`).
    pub fn new(geometry: &Geometry, structure: &Structure, activation: Activation) -> Result<Self> {
        let Parts { head, positions, bonds, responses, kernels } = Parts::new(geometry, structure)?;
        let labels = &structure.network().inputs[head];
        let order = [positions, bonds.clone(), responses].concat();
        let columns = structure.columns();
        Ok(Self {
            activation,
            kernel_columns: columns
                .iter()
                .enumerate()
                .filter(|(f, _)| *f != head)
                .map(|(_, c)| c.clone())
                .collect(),
            head_places: head_places(labels, &order, structure)?,
            own_columns: kernels.columns(),
            head,
            head_columns: columns[head].clone(),
            taps: taps(geometry)?,
            pools: pools(geometry),
            conv: geometry.modes().iter().map(|m| m.layers[0].conv).product(),
            inputs: geometry.inputs(),
            positions: geometry.positions(),
            channels: structure.sizes_of(&bonds).iter().product(),
            kernels,
            structure: structure.clone(),
        })
    }

    /// The structure of kernels and fully connected weights.
    pub fn structure(&self) -> &Structure {
        &self.structure
    }

    /// The activation.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Floating-point operations of one observation's response and gradient, roughly.
    pub fn operations(&self) -> f64 {
        let convolution = 2.0 * (self.conv * self.kernels.coefficients()) as f64;
        2.0 * convolution + 4.0 * (self.positions * self.channels * self.structure.outputs()) as f64
    }

    /// Inputs `∏d`.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Convolution positions `m`.
    pub fn windows_of_one(&self) -> usize {
        self.conv
    }

    /// The windows under the kernel for `b × ∏d` inputs in C order: `b·m × L`, 0 in the padding.
    ///
    /// # Errors
    /// Inputs of another size, or too many for the memory.
    pub fn windows(&self, x: &ArrayView2<f64>) -> Result<Array2<f64>> {
        if x.ncols() != self.inputs {
            return Err(CnnError::Shape {
                what: "X",
                found: x.shape().to_vec(),
                expected: format!("[n, {}]", self.inputs),
            });
        }
        let m = self.windows_of_one();
        let l = self.taps.len() / m;
        memory::check("the windows of the inputs", &[x.nrows(), m, l])?;
        let mut windows = Array2::zeros((x.nrows() * m, l));
        for (x, mut rows) in x.outer_iter().zip(windows.axis_chunks_iter_mut(Axis(0), m)) {
            rows.iter_mut().zip(&self.taps).for_each(|(v, tap)| *v = tap.map_or(0.0, |i| x[i]));
        }
        Ok(windows)
    }
}
