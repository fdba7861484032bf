//! One layer of one mode, and the layers of a mode (THEORY §1).

use ndarray::Array2;

use crate::sliding_window::SlidingWindow;
use crate::{CnnError, Result};

/// One layer of one mode, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
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

/// Sizes of one layer of one mode, as a user gives them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LayerSizes {
    pub input: usize,
    pub kernel: usize,
    pub stride: usize,
    pub padding: usize,
    pub dilation: usize,
    pub pool: usize,
    pub pool_stride: usize,
}

impl Layer {
    /// Checks the sizes of a layer of mode `mode`.
    pub(crate) fn new(mode: usize, sizes: LayerSizes) -> Result<Self> {
        let LayerSizes { input, kernel, stride, padding, dilation, pool, pool_stride } = sizes;
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
        let overflow = |reason: String| CnnError::Overflow { mode, reason };
        let padded = padding
            .checked_mul(2)
            .and_then(|a| a.checked_add(input))
            .ok_or_else(|| overflow(format!("input {input} + 2 x padding {padding}")))?;
        let span = dilation
            .checked_mul(kernel - 1)
            .and_then(|s| s.checked_add(1))
            .ok_or_else(|| overflow(format!("dilation {dilation} x kernel {kernel}")))?;
        let window =
            SlidingWindow { stride, dilation, padding: (padding, padding), ..SlidingWindow::new(kernel) };
        let Some(conv) = window.positions(input) else {
            return Err(CnnError::KernelExceedsInput {
                mode,
                kernel,
                dilation,
                span,
                input,
                padding,
                padded,
            });
        };
        let window = SlidingWindow { stride: pool_stride, ..SlidingWindow::new(pool) };
        let Some(pooled) = window.positions(conv) else {
            return Err(CnnError::PoolExceedsConvolution { mode, pool, conv });
        };
        Ok(Self { input, kernel, stride, padding, dilation, pool, pool_stride, conv, pooled })
    }

    /// Rows of this layer's input that pooled position `i` and tap `a` average, one a pooling offset; rows
    /// that fall into the padding are left out (their weight `1/q` is lost, as in THEORY §1).
    fn rows(&self, i: usize, a: usize) -> impl Iterator<Item = usize> + '_ {
        (0..self.pool).filter_map(move |r| {
            let row = (i * self.pool_stride + r) * self.stride + self.dilation * a;
            row.checked_sub(self.padding).filter(|&row| row < self.input)
        })
    }
}

/// One mode of a geometry: its layers, from the first to the last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mode {
    /// The layers; at least one.
    pub layers: Vec<Layer>,
}

impl Mode {
    /// Input size `d`.
    pub fn input(&self) -> usize {
        self.layers[0].input
    }

    /// Pooled positions of the last layer, `p`.
    pub fn pooled(&self) -> usize {
        self.layers[self.layers.len() - 1].pooled
    }

    /// Sizes of one feature's index: pooled position, then the taps from the last layer to the first.
    pub fn feature_shape(&self) -> Vec<usize> {
        std::iter::once(self.pooled()).chain(self.layers.iter().rev().map(|l| l.kernel)).collect()
    }

    /// `∏ 1/q` over the layers: the weight of each row that a feature averages.
    pub fn weight(&self) -> f64 {
        self.layers.iter().map(|l| 1.0 / l.pool as f64).product()
    }

    /// For each feature, in the C order of [`Mode::feature_shape`], the input rows that it averages.
    pub fn feature_rows(&self) -> Vec<Vec<usize>> {
        let mut features: Vec<Vec<usize>> = (0..self.pooled()).map(|i| vec![i]).collect();
        for layer in self.layers.iter().rev() {
            features = features
                .iter()
                .flat_map(|positions| {
                    (0..layer.kernel).map(move |a| {
                        positions.iter().flat_map(|&i| layer.rows(i, a)).collect::<Vec<usize>>()
                    })
                })
                .collect();
        }
        features
    }

    /// `U_F ∈ R^{d × p l}`, column `i·l + a` (for deeper networks `(i·l̃ + ã)·l + a`).
    pub fn factor(&self) -> Array2<f64> {
        let features = self.feature_rows();
        let mut u = Array2::zeros((self.input(), features.len()));
        for (column, rows) in features.iter().enumerate() {
            for &row in rows {
                u[[row, column]] += self.weight();
            }
        }
        u
    }
}
