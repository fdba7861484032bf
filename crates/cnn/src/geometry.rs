//! Sizes of a convolution, its pooling and the fixed factors `U_F` (THEORY §1).

use convstat_tensor::{algebra::kronecker, linalg, memory};
use ndarray::{Array2, ArrayD};
use serde::{Deserialize, Serialize};

use crate::modes::OutputModes;
use crate::windows::Windows;
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
}

/// One mode of a geometry, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mode {
    /// Input size `d`.
    pub input: usize,
    /// Kernel taps `l`.
    pub kernel: usize,
    /// Stride `s`.
    pub stride: usize,
    /// Padding `a` on each side.
    pub padding: usize,
    /// Dilation `e`.
    pub dilation: usize,
    /// Pooling window `q`.
    pub pool: usize,
    /// Pooling stride `t`.
    pub pool_stride: usize,
    /// Convolution output `m = ⌊(d + 2a − e(l−1) − 1)/s⌋ + 1`.
    pub conv: usize,
    /// Pooled output `p = ⌊(m − q)/t⌋ + 1`.
    pub pooled: usize,
}

impl Mode {
    /// Input rows that pooled position `i` and tap `a` average, one a pooling offset; rows that fall
    /// into the padding are left out (their weight `1/q` is lost, as in THEORY §1).
    pub fn rows(&self, i: usize, a: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.pool).filter_map(move |r| {
            let row = (i * self.pool_stride + r) * self.stride + self.dilation * a;
            row.checked_sub(self.padding).filter(|&row| row < self.input)
        })
    }

    /// `U_F ∈ R^{d × p l}`, column `i·l + a`.
    pub fn factor(&self) -> Array2<f64> {
        let mut u = Array2::zeros((self.input, self.pooled * self.kernel));
        for i in 0..self.pooled {
            for a in 0..self.kernel {
                for row in self.rows(i, a) {
                    u[[row, i * self.kernel + a]] += 1.0 / self.pool as f64;
                }
            }
        }
        u
    }
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
        entry("kernel", &Some(spec.kernel.clone()))?;
        entry("stride", &spec.stride)?;
        entry("padding", &spec.padding)?;
        entry("dilation", &spec.dilation)?;
        entry("pool", &spec.pool)?;
        entry("pool_stride", &spec.pool_stride)?;
        let get =
            |values: &Option<Vec<usize>>, j: usize, default: usize| values.as_ref().map_or(default, |v| v[j]);
        let modes = (0..n)
            .map(|j| {
                let pool = get(&spec.pool, j, 1);
                mode(
                    j,
                    [
                        spec.input[j],
                        spec.kernel[j],
                        get(&spec.stride, j, 1),
                        get(&spec.padding, j, 0),
                        get(&spec.dilation, j, 1),
                        pool,
                        get(&spec.pool_stride, j, pool),
                    ],
                )
            })
            .collect::<Result<Vec<_>>>()?;
        let geometry = Self { modes };
        memory::check("one input", &geometry.input_shape())?;
        memory::check(
            "one transformed input",
            &[geometry.positions_shape(), geometry.kernel_shape()].concat(),
        )?;
        Ok(geometry)
    }

    /// The modes.
    pub fn modes(&self) -> &[Mode] {
        &self.modes
    }

    /// `d_1 … d_N`.
    pub fn input_shape(&self) -> Vec<usize> {
        self.modes.iter().map(|m| m.input).collect()
    }

    /// `l_1 … l_N`.
    pub fn kernel_shape(&self) -> Vec<usize> {
        self.modes.iter().map(|m| m.kernel).collect()
    }

    /// `p_1 … p_N`.
    pub fn positions_shape(&self) -> Vec<usize> {
        self.modes.iter().map(|m| m.pooled).collect()
    }

    /// `∏ d_j`.
    pub fn inputs(&self) -> usize {
        self.input_shape().iter().product()
    }

    /// Pooled positions `P = ∏ p_j`.
    pub fn positions(&self) -> usize {
        self.positions_shape().iter().product()
    }

    /// Kernel taps `L = ∏ l_j`.
    pub fn taps(&self) -> usize {
        self.kernel_shape().iter().product()
    }

    /// `D = P L`, the number of transformed features.
    pub fn features(&self) -> usize {
        self.positions() * self.taps()
    }

    /// Output modes for a structure with `outputs` responses.
    pub fn output_modes(&self, outputs: usize) -> OutputModes {
        OutputModes { positions: self.positions_shape(), taps: self.kernel_shape(), outputs }
    }

    /// `U_F^{(j)}` for every mode.
    pub fn factors(&self) -> Vec<Array2<f64>> {
        self.modes.iter().map(Mode::factor).collect()
    }

    /// The map `X → Z` by windows.
    pub fn windows(&self) -> Windows {
        Windows::new(self)
    }

    /// Place in `(p_1…p_N, l_1…l_N)` order of each index in `((p_1,l_1)…(p_N,l_N))` order.
    pub(crate) fn interleaved_to_split(&self) -> Vec<usize> {
        let n = self.modes.len();
        let split_shape: Vec<usize> = [self.positions_shape(), self.kernel_shape()].concat();
        let mut stride = vec![1; 2 * n];
        for i in (0..2 * n - 1).rev() {
            stride[i] = stride[i + 1] * split_shape[i + 1];
        }
        let mut places = vec![0];
        for (j, m) in self.modes.iter().enumerate() {
            let mut next = Vec::with_capacity(places.len() * m.pooled * m.kernel);
            for &place in &places {
                for i in 0..m.pooled {
                    for a in 0..m.kernel {
                        next.push(place + i * stride[j] + a * stride[n + j]);
                    }
                }
            }
            places = next;
        }
        places
    }

    /// `Σ_Z = (⊗_j U_F^{(j)})ᵀ(⊗_j U_F^{(j)})` (`D × D`), the second moment of `Z` when the inputs have
    /// identity covariance.
    pub fn second_moment(&self) -> Result<Array2<f64>> {
        let d = self.features();
        memory::check("the second moment of Z", &[d, d])?;
        let mut kron = ArrayD::ones(ndarray::IxDyn(&[1, 1]));
        for u in self.factors() {
            let g = u.t().dot(&u).into_dyn();
            kron = kronecker(&kron.view(), &g.view())?;
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

    /// Smallest and largest squared singular value `c_u, C_u` of `⊗_j U_F^{(j)}` over its `D` columns
    /// (0 if the columns are dependent).
    pub fn factor_spectrum(&self) -> Result<(f64, f64)> {
        let mut range = (1.0, 1.0);
        for u in self.factors() {
            let (values, _) = linalg::eigh(&u.t().dot(&u).view())?;
            let largest = values.last().copied().unwrap_or(0.0);
            let cut = largest * linalg::rank_tolerance(u.dim());
            let smallest = values.first().copied().filter(|&v| v > cut).unwrap_or(0.0);
            range = (range.0 * smallest, range.1 * largest);
        }
        Ok(range)
    }
}

fn mode(mode: usize, sizes: [usize; 7]) -> Result<Mode> {
    let [input, kernel, stride, padding, dilation, pool, pool_stride] = sizes;
    for (key, value) in [
        ("input", input),
        ("kernel", kernel),
        ("stride", stride),
        ("dilation", dilation),
        ("pool", pool),
        ("pool_stride", pool_stride),
    ] {
        if value == 0 {
            return Err(CnnError::ZeroSize { key, mode });
        }
    }
    let overflow = |reason: &str| CnnError::Overflow { mode, reason: reason.to_owned() };
    let padded = padding
        .checked_mul(2)
        .and_then(|a| a.checked_add(input))
        .ok_or_else(|| overflow(&format!("input {input} + 2 x padding {padding}")))?;
    let span = dilation
        .checked_mul(kernel - 1)
        .and_then(|s| s.checked_add(1))
        .ok_or_else(|| overflow(&format!("dilation {dilation} x kernel {kernel}")))?;
    if span > padded {
        return Err(CnnError::KernelExceedsInput { mode, kernel, dilation, span, input, padding, padded });
    }
    let conv = (padded - span) / stride + 1;
    if pool > conv {
        return Err(CnnError::PoolExceedsConvolution { mode, pool, conv });
    }
    let pooled = (conv - pool) / pool_stride + 1;
    Ok(Mode { input, kernel, stride, padding, dilation, pool, pool_stride, conv, pooled })
}
