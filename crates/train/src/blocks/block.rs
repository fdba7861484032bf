//! What a block is.

use crate::Result;
use crate::layer::LayerPlan;

/// Where a block stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Input channels C.
    pub channels: usize,
    /// Output channels K.
    pub kernels: usize,
    /// Rank R on the output channels.
    pub r: usize,
    /// Kernel taps a spatial axis.
    pub kernel: Vec<usize>,
    /// Steps a spatial axis.
    pub stride: Vec<usize>,
    /// Number of the block, and of all blocks.
    pub number: (usize, usize),
}

impl Place {
    /// Spatial axes.
    pub fn axes(&self) -> usize {
        self.kernel.len()
    }

    /// Whether the block changes no shape.
    pub fn keeps_shape(&self) -> bool {
        self.channels == self.kernels && self.stride.iter().all(|s| *s == 1)
    }
}

/// What runs beside a block and is added to its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shortcut {
    /// Nothing.
    None,
    /// The input where shapes agree, nothing elsewhere (MobileNetV2).
    IfSame,
    /// The input where shapes agree, a pointwise convolution elsewhere (ResNet).
    Projected,
}

/// A block.
pub trait Block: std::fmt::Debug + Send + Sync {
    /// Its layers, in order; the activation of the last comes after the shortcut is added.
    ///
    /// # Errors
    /// Sizes that do not fit this block.
    fn layers(&self, place: &Place) -> Result<Vec<LayerPlan>>;

    /// What runs beside it.
    fn shortcut(&self) -> Shortcut {
        Shortcut::None
    }

    /// The same block as a structure of crate `cnn` (an inline table), if it is one by itself.
    fn structure(&self, place: &Place) -> Option<String>;
}

/// `[1, 3]` as TOML.
pub(super) fn list(values: &[usize]) -> String {
    format!("{values:?}")
}
