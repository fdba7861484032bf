//! How a kernel slides over the spatial axes: sizes, strides, padding, dilation.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::{EngineError, Result};

/// Stride, padding and dilation of a convolution, one entry a spatial axis, and its groups of channels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConvSpec {
    /// Steps between output positions.
    pub stride: Vec<usize>,
    /// Zeros before and after each axis.
    pub padding: Vec<usize>,
    /// Steps between kernel taps.
    pub dilation: Vec<usize>,
    /// Groups of channels; output group g reads input group g.
    pub groups: usize,
}

impl ConvSpec {
    /// Stride 1, no padding, one group, over `axes` spatial axes.
    pub fn plain(axes: usize) -> Self {
        Self { stride: vec![1; axes], padding: vec![0; axes], dilation: vec![1; axes], groups: 1 }
    }

    /// Padding that keeps the size of the axes at stride 1 for odd kernels.
    pub fn same(kernel: &[usize], stride: &[usize]) -> Self {
        Self {
            stride: stride.to_vec(),
            padding: kernel.iter().map(|k| k / 2).collect(),
            dilation: vec![1; kernel.len()],
            groups: 1,
        }
    }
}

/// Window of a pool, one entry a spatial axis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolSpec {
    /// Sizes.
    pub kernel: Vec<usize>,
    /// Steps.
    pub stride: Vec<usize>,
    /// Entries before and after each axis: zeros that count for averages, nothing for maxima.
    pub padding: Vec<usize>,
}

impl PoolSpec {
    /// The window over activations of shape `shape` (`N, spatial…, C`).
    ///
    /// # Errors
    /// A window that does not fit.
    pub fn window(&self, shape: &[usize]) -> Result<Window> {
        let input = &shape[1..shape.len() - 1];
        Window::new(input, &self.kernel, &self.stride, &self.padding, &vec![1; input.len()])
    }
}

/// A kernel over three axes; fewer axes stand last, with sizes of 1 before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Window {
    /// Input sizes.
    pub input: [usize; 3],
    /// Kernel sizes.
    pub kernel: [usize; 3],
    /// Steps.
    pub stride: [usize; 3],
    /// Padding.
    pub padding: [usize; 3],
    /// Dilation.
    pub dilation: [usize; 3],
    /// Output sizes.
    pub output: [usize; 3],
}

fn three(values: &[usize], fill: usize) -> [usize; 3] {
    let mut all = [fill; 3];
    all[3 - values.len()..].copy_from_slice(values);
    all
}

impl Window {
    /// The window of `kernel` taps over `input`, both with one entry a spatial axis.
    ///
    /// # Errors
    /// More than three axes, lists of other lengths, zeros, a kernel larger than the padded input.
    pub fn new(
        input: &[usize],
        kernel: &[usize],
        stride: &[usize],
        padding: &[usize],
        dilation: &[usize],
    ) -> Result<Self> {
        let axes = input.len();
        if axes > 3 || [kernel, stride, padding, dilation].iter().any(|v| v.len() != axes) {
            return Err(EngineError::shape(
                "window",
                format!(
                    "input {input:?}, kernel {kernel:?}, stride {stride:?}, padding {padding:?}, dilation {dilation:?}: \
                     all need one entry a spatial axis, three axes at most"
                ),
            ));
        }
        let (input, kernel) = (three(input, 1), three(kernel, 1));
        let (stride, padding, dilation) = (three(stride, 1), three(padding, 0), three(dilation, 1));
        let mut output = [0; 3];
        for j in 0..3 {
            if [input[j], kernel[j], stride[j], dilation[j]].contains(&0) {
                return Err(EngineError::shape(
                    "window",
                    format!("a size, stride or dilation of 0 on axis {j}"),
                ));
            }
            let reach = dilation[j] * (kernel[j] - 1) + 1;
            let padded = input[j] + 2 * padding[j];
            if reach > padded {
                return Err(EngineError::shape(
                    "window",
                    format!(
                        "a kernel that reaches over {reach} entries does not fit into {} entries padded by {}; use a \
                         smaller kernel or fewer strides",
                        input[j], padding[j]
                    ),
                ));
            }
            output[j] = (padded - reach) / stride[j] + 1;
        }
        Ok(Self { input, kernel, stride, padding, dilation, output })
    }

    /// Input positions.
    pub fn inputs(&self) -> usize {
        self.input.iter().product()
    }

    /// Output positions.
    pub fn outputs(&self) -> usize {
        self.output.iter().product()
    }

    /// Kernel taps.
    pub fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    /// Whether every output position reads exactly the input position of the same number.
    pub fn is_pointwise(&self) -> bool {
        self.taps() == 1 && self.stride == [1; 3] && self.padding == [0; 3]
    }

    /// The input entry on axis j that tap `tap` of output `at` reads, if it is not padding.
    pub fn entry(&self, j: usize, at: usize, tap: usize) -> Option<usize> {
        let place = at * self.stride[j] + tap * self.dilation[j];
        (place >= self.padding[j] && place - self.padding[j] < self.input[j]).then(|| place - self.padding[j])
    }

    /// Taps of output `at` on axis j that do not fall in the padding.
    pub fn valid_taps(&self, j: usize, at: usize) -> Range<usize> {
        let (place, e) = (at * self.stride[j], self.dilation[j]);
        let first = self.padding[j].saturating_sub(place).div_ceil(e).min(self.kernel[j]);
        let end = (self.input[j] + self.padding[j]).saturating_sub(place).div_ceil(e);
        first..end.clamp(first, self.kernel[j])
    }

    /// Output position as indices on the three axes.
    pub fn place(&self, position: usize) -> [usize; 3] {
        let [_, h, w] = self.output;
        [position / (h * w), position / w % h, position % w]
    }
}
