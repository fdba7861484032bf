//! Kinds of operations, with the sizes that define them.

use crate::weight::Weight;

/// Kinds of operations.
#[derive(Debug, Clone)]
pub enum Op {
    /// An input of the network.
    Input,
    /// Convolution of any number of spatial modes.
    Conv(Conv),
    /// Fully connected layer on the last mode (Gemm, MatMul with constant weights), at every place of the modes before it.
    Linear(Linear),
    /// Normalisation: batch, layer, group, instance, local response.
    Norm {
        /// Its name, for instance `batch`.
        kind: String,
        /// Trained parameters: scale and shift; running statistics are none.
        parameters: usize,
    },
    /// A function entry by entry, for instance `relu`.
    Activation {
        /// Its name, lower case, as PyTorch spells it.
        kind: String,
        /// Trained parameters (PReLU).
        parameters: usize,
    },
    /// Maximum or mean over windows, global ones too.
    Pool {
        /// `max` or `average`.
        kind: String,
        /// Whether the window is the whole map.
        global: bool,
    },
    /// Sum of branches (a residual join), or with a constant.
    Add,
    /// Product of branches (gates, squeeze and excitation), or with a constant.
    Multiply,
    /// Branches side by side along a mode (counted without the batch).
    Concat {
        /// The mode; 0 is the channels.
        axis: usize,
    },
    /// Entries moved, none changed: reshape, flatten, transpose, slice, pad, channel shuffle, split.
    Move {
        /// Its name, for instance `shuffle`.
        kind: String,
    },
    /// Anything else: recurrent layers, attention products, control flow.
    Other {
        /// Its name.
        kind: String,
        /// Trained parameters.
        parameters: usize,
        /// Multiply–accumulates of one input, if they are known.
        macs: u64,
    },
}

/// A convolution. One entry a spatial mode in each list.
#[derive(Debug, Clone, Default)]
pub struct Conv {
    /// Channels it reads.
    pub inputs: usize,
    /// Channels it makes.
    pub outputs: usize,
    /// Groups of channels that do not mix.
    pub groups: usize,
    /// Kernel sizes.
    pub kernel: Vec<usize>,
    /// Strides.
    pub stride: Vec<usize>,
    /// Padding before and after.
    pub padding: Vec<(usize, usize)>,
    /// Dilations.
    pub dilation: Vec<usize>,
    /// Whether it has a bias.
    pub bias: bool,
    /// Whether it is transposed (a deconvolution).
    pub transposed: bool,
    /// Its kernel `outputs × inputs/groups × kernel…` (transposed: `inputs × outputs/groups × kernel…`), if the file holds it.
    pub weight: Option<Weight>,
}

impl Conv {
    /// Whether every window is one position: 1×1.
    pub fn is_pointwise(&self) -> bool {
        self.kernel.iter().all(|&k| k == 1)
    }

    /// Whether each channel is filtered alone.
    pub fn is_depthwise(&self) -> bool {
        self.groups > 1 && self.groups == self.inputs
    }

    /// Weights, without the bias.
    pub fn weights(&self) -> usize {
        let channels = if self.transposed {
            self.inputs * (self.outputs / self.groups.max(1))
        } else {
            self.outputs * (self.inputs / self.groups.max(1))
        };
        channels * self.kernel.iter().product::<usize>()
    }

    /// Trained parameters.
    pub fn parameters(&self) -> usize {
        self.weights() + if self.bias { self.outputs } else { 0 }
    }
}

/// A fully connected layer.
#[derive(Debug, Clone, Default)]
pub struct Linear {
    /// Features it reads.
    pub inputs: usize,
    /// Features it makes.
    pub outputs: usize,
    /// Whether it has a bias.
    pub bias: bool,
    /// Its matrix `outputs × inputs`, if the file holds it.
    pub weight: Option<Weight>,
}

impl Linear {
    /// Trained parameters.
    pub fn parameters(&self) -> usize {
        self.inputs * self.outputs + if self.bias { self.outputs } else { 0 }
    }
}
