//! Sizes of a convolution, its pooling and the fixed factors `U_F` (THEORY §1).

use convstat_tensor::{algebra::kronecker, linalg, memory};
use ndarray::{Array2, ArrayD};
use serde::{Deserialize, Serialize};

use crate::layer::{Layer, LayerSizes, Mode};
use crate::modes::OutputModes;
use crate::windows::{ModeWindows, Windows};
use crate::{CnnError, Result};

/// A geometry as a user writes it: arrays with one entry a mode.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeometrySpec {
    /// Input sizes `d_j`.
    pub input: Vec<usize>,
    /// Kernel sizes `l_j`; a channel mode has `l_j = d_j`.
    pub kernel: Vec<usize>,
    /// Strides `s_j` (default 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Vec<usize>>,
    /// Zero padding `a_j` on each side (default 0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<Vec<usize>>,
    /// Dilations `e_j` (default 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dilation: Option<Vec<usize>>,
    /// Average-pooling windows `q_j` (default 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Vec<usize>>,
    /// Pooling strides `t_j` (default: the window).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_stride: Option<Vec<usize>>,
    /// Further convolution and pooling layers, from the first to the last (THEORY §1, "Deeper").
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deeper: Vec<LayerSpec>,
}

/// A further layer as a user writes it; its input is the pooled output of the layer before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerSpec {
    /// Kernel sizes.
    pub kernel: Vec<usize>,
    /// Strides (default 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Vec<usize>>,
    /// Zero padding on each side (default 0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<Vec<usize>>,
    /// Dilations (default 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dilation: Option<Vec<usize>>,
    /// Average-pooling windows (default 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Vec<usize>>,
    /// Pooling strides (default: the window).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_stride: Option<Vec<usize>>,
}

/// A checked geometry: convolution, average pooling, and where the fully connected layer reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Geometry {
    modes: Vec<Mode>,
}

impl Geometry {
    /// Checks a description.
    ///
    /// # Errors
    /// Every [`CnnError`] about sizes, with the mode and the numbers.
    pub fn new(spec: &GeometrySpec) -> Result<Self> {
        let n = spec.input.len();
        if n == 0 {
            return Err(CnnError::NoModes);
        }
        let entry = |key: &'static str, values: &Option<Vec<usize>>| match values {
            Some(v) if v.len() != n => Err(CnnError::ModeCount { key, found: v.len(), expected: n }),
            _ => Ok(()),
        };
        let mut modes: Vec<Mode> = Vec::with_capacity(n);
        let first = LayerSpec {
            kernel: spec.kernel.clone(),
            stride: spec.stride.clone(),
            padding: spec.padding.clone(),
            dilation: spec.dilation.clone(),
            pool: spec.pool.clone(),
            pool_stride: spec.pool_stride.clone(),
        };
        for spec_layer in std::iter::once(&first).chain(&spec.deeper) {
            entry("kernel", &Some(spec_layer.kernel.clone()))?;
            entry("stride", &spec_layer.stride)?;
            entry("padding", &spec_layer.padding)?;
            entry("dilation", &spec_layer.dilation)?;
            entry("pool", &spec_layer.pool)?;
            entry("pool_stride", &spec_layer.pool_stride)?;
            let get = |values: &Option<Vec<usize>>, j: usize, default: usize| {
                values.as_ref().map_or(default, |v| v[j])
            };
            for j in 0..n {
                let pool = get(&spec_layer.pool, j, 1);
                let sizes = LayerSizes {
                    input: modes.get(j).map_or(spec.input[j], Mode::pooled),
                    kernel: spec_layer.kernel[j],
                    stride: get(&spec_layer.stride, j, 1),
                    padding: get(&spec_layer.padding, j, 0),
                    dilation: get(&spec_layer.dilation, j, 1),
                    pool,
                    pool_stride: get(&spec_layer.pool_stride, j, pool),
                };
                let layer = Layer::new(j, sizes)?;
                match modes.get_mut(j) {
                    Some(mode) => mode.layers.push(layer),
                    None => modes.push(Mode { layers: vec![layer] }),
                }
            }
        }
        let geometry = Self { modes };
        memory::check("one input", &geometry.input_shape())?;
        memory::check(
            "one transformed input",
            &[geometry.positions_shape(), geometry.kernel_shape()].concat(),
        )?;
        for mode in &geometry.modes {
            // Pools of several layers multiply, and rows in the padding are looked at before they are left out.
            let pools = mode.layers.iter().map(|l| l.pool);
            memory::check(
                "the windows of one mode",
                &mode.feature_shape().into_iter().chain(pools).collect::<Vec<_>>(),
            )?;
        }
        Ok(geometry)
    }

    /// The modes.
    pub fn modes(&self) -> &[Mode] {
        &self.modes
    }

    /// `d_1 … d_N`.
    pub fn input_shape(&self) -> Vec<usize> {
        self.modes.iter().map(Mode::input).collect()
    }

    /// Number of convolution and pooling layers.
    pub fn layers(&self) -> usize {
        self.modes[0].layers.len()
    }

    /// `l_1 … l_N` (for deeper networks the last layer's taps first, `l̃_1 … l̃_N, l_1 … l_N`).
    pub fn kernel_shape(&self) -> Vec<usize> {
        (0..self.layers()).rev().flat_map(|h| self.modes.iter().map(move |m| m.layers[h].kernel)).collect()
    }

    /// `p_1 … p_N`.
    pub fn positions_shape(&self) -> Vec<usize> {
        self.modes.iter().map(Mode::pooled).collect()
    }

    /// `∏ d_j`.
    pub fn inputs(&self) -> usize {
        self.input_shape().iter().product()
    }

    /// Pooled positions `P = ∏ p_j`.
    pub fn positions(&self) -> usize {
        self.positions_shape().iter().product()
    }

    /// Kernel taps `L = ∏ l_j` (over all layers).
    pub fn taps(&self) -> usize {
        self.kernel_shape().iter().product()
    }

    /// `D = P L`, the number of transformed features.
    pub fn features(&self) -> usize {
        self.positions() * self.taps()
    }

    /// Output modes for a structure with `outputs` responses.
    pub fn output_modes(&self, outputs: usize) -> OutputModes {
        OutputModes {
            positions: self.positions_shape(),
            taps: self.kernel_shape(),
            layers: self.layers(),
            outputs,
        }
    }

    /// `U_F^{(j)}` for every mode.
    ///
    /// # Errors
    /// One that does not fit into memory.
    pub fn factors(&self) -> Result<Vec<Array2<f64>>> {
        let factor = |mode: &Mode| {
            memory::check(
                "the factor U_F of one mode",
                &[&[mode.input()], &mode.feature_shape()[..]].concat(),
            )?;
            Ok(mode.factor())
        };
        self.modes.iter().map(factor).collect()
    }

    /// `U_F^{(j)⊤} U_F^{(j)}` for every mode.
    fn grams(&self) -> Result<Vec<Array2<f64>>> {
        let gram = |u: Array2<f64>| {
            memory::check("U_F'U_F of one mode", &[u.ncols(), u.ncols()])?;
            Ok(u.t().dot(&u))
        };
        self.factors()?.into_iter().map(gram).collect()
    }

    /// The map `X → Z` by windows.
    pub fn windows(&self) -> Windows {
        let modes = self
            .modes
            .iter()
            .map(|m| ModeWindows { input: m.input(), weight: m.weight(), rows: m.feature_rows() })
            .collect();
        Windows::new(modes, self.interleaved_to_split(), self.input_shape())
    }

    /// Place in `(p_1…p_N, l_1…l_N)` order of each index in `((p_1,l_1)…(p_N,l_N))` order.
    fn interleaved_to_split(&self) -> Vec<usize> {
        let n = self.modes.len();
        let split_shape: Vec<usize> = [self.positions_shape(), self.kernel_shape()].concat();
        let mut stride = vec![1; split_shape.len()];
        for i in (0..split_shape.len() - 1).rev() {
            stride[i] = stride[i + 1] * split_shape[i + 1];
        }
        let mut places = vec![0];
        for (j, m) in self.modes.iter().enumerate() {
            for (k, size) in m.feature_shape().into_iter().enumerate() {
                let stride = stride[j + k * n];
                places =
                    places.iter().flat_map(|&place| (0..size).map(move |v| place + v * stride)).collect();
            }
        }
        places
    }

    /// `Σ_Z = (⊗_j U_F^{(j)})ᵀ(⊗_j U_F^{(j)})` (`D × D`), the second moment of `Z` when the inputs have
    /// identity covariance.
    ///
    /// # Errors
    /// One that does not fit into memory.
    pub fn second_moment(&self) -> Result<Array2<f64>> {
        let d = self.features();
        memory::check("the second moment of Z", &[d, d])?;
        let mut kron = ArrayD::ones(ndarray::IxDyn(&[1, 1]));
        for g in self.grams()? {
            kron = kronecker(&kron.view(), &g.into_dyn().view())?;
        }
        let place = self.interleaved_to_split();
        let mut sigma = Array2::zeros((d, d));
        for (i, &pi) in place.iter().enumerate() {
            for (j, &pj) in place.iter().enumerate() {
                sigma[[pi, pj]] = kron[[i, j]];
            }
        }
        Ok(sigma)
    }

    /// Rank of `⊗_j U_F^{(j)}`, that of `Σ_Z`.
    ///
    /// # Errors
    /// A failure of LAPACK, or factors that do not fit into memory.
    pub fn feature_rank(&self) -> Result<usize> {
        self.grams()?.iter().try_fold(1, |product, g| Ok(product * linalg::psd_root(&g.view())?.nrows()))
    }

    /// Smallest and largest squared singular value `c_u, C_u` of `⊗_j U_F^{(j)}` over its `D` columns
    /// (0 if the columns are dependent).
    ///
    /// # Errors
    /// As [`Geometry::feature_rank`].
    pub fn factor_spectrum(&self) -> Result<(f64, f64)> {
        let mut range = (1.0, 1.0);
        for (mode, g) in self.modes.iter().zip(self.grams()?) {
            let (values, _) = linalg::eigh(&g.view())?;
            let largest = values.last().copied().unwrap_or(0.0);
            let cut = largest * linalg::rank_tolerance((mode.input(), g.ncols()));
            let smallest = values.first().copied().filter(|&v| v > cut).unwrap_or(0.0);
            range = (range.0 * smallest, range.1 * largest);
        }
        Ok(range)
    }
}
