//! Windows of convolutions and pools.

use convstat_cnn::SlidingWindow;

/// Sizes, one a spatial mode; a single one stands for all modes.
#[derive(Debug, Clone)]
pub(super) struct Sizes(Vec<usize>);

impl Sizes {
    /// One size for each of `modes` modes.
    pub fn expand(&self, modes: usize) -> Vec<usize> {
        self.0.iter().copied().cycle().take(modes).collect()
    }
}

impl From<usize> for Sizes {
    fn from(size: usize) -> Self {
        Self(vec![size])
    }
}

impl<const N: usize> From<[usize; N]> for Sizes {
    fn from(sizes: [usize; N]) -> Self {
        Self(sizes.to_vec())
    }
}

/// A sliding window.
#[derive(Debug, Clone)]
pub(super) struct Window {
    pub kernel: Sizes,
    pub stride: Sizes,
    /// Zeros on either side.
    pub padding: Sizes,
    /// Whether a last window that hangs over the end counts (PyTorch's `ceil_mode`).
    pub ceil: bool,
}

impl Window {
    /// A window of stride 1 with padding `⌊kernel/2⌋`, which keeps the sizes if the kernel is odd.
    pub fn new(kernel: impl Into<Sizes>) -> Self {
        let kernel = kernel.into();
        let padding = Sizes(kernel.0.iter().map(|k| k / 2).collect());
        Self { kernel, stride: 1.into(), padding, ceil: false }
    }

    /// The same with another stride.
    pub fn stride(self, stride: impl Into<Sizes>) -> Self {
        Self { stride: stride.into(), ..self }
    }

    /// The same with other padding.
    pub fn padding(self, padding: impl Into<Sizes>) -> Self {
        Self { padding: padding.into(), ..self }
    }

    /// The same, rounding the number of positions up.
    pub fn ceil(self) -> Self {
        Self { ceil: true, ..self }
    }

    /// Positions along each mode of `sizes`; or the first kernel and padded size that it does not fit in.
    pub fn positions(&self, sizes: &[usize]) -> Result<Vec<usize>, (usize, usize)> {
        let modes = sizes.len();
        let (kernel, stride, padding) =
            (self.kernel.expand(modes), self.stride.expand(modes), self.padding.expand(modes));
        sizes
            .iter()
            .zip(kernel)
            .zip(stride)
            .zip(padding)
            .map(|(((&size, kernel), stride), p)| {
                let window = SlidingWindow { kernel, stride, dilation: 1, padding: (p, p), ceil: self.ceil };
                window.positions(size).ok_or((kernel, size + 2 * p))
            })
            .collect()
    }
}
