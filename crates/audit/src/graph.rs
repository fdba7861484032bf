//! A network as a graph of operations: what every reader makes and all else works on.
//!
//! Shapes leave out the batch: `[channels, spatial …]` for feature maps, `[…, features]` for sequences and vectors. Only
//! activations are edges; parameters belong to their operation.

use bytes::Bytes;
use half::{bf16, f16};
use ndarray::{ArrayD, IxDyn};

use crate::{AuditError, Result};

/// Place of a node in [`Graph::nodes`].
pub type NodeId = usize;

/// A network; nodes stand after those they read.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// Name of the network, or of its file.
    pub name: String,
    /// Its operations.
    pub nodes: Vec<Node>,
    /// What it returns.
    pub outputs: Vec<NodeId>,
}

/// One operation.
#[derive(Debug, Clone)]
pub struct Node {
    /// Its name, as the file has it (unique: it is how a user finds the layer again).
    pub name: String,
    /// What it does.
    pub op: Op,
    /// The activations it reads.
    pub inputs: Vec<NodeId>,
    /// Shape of its output without the batch; empty where it is not known.
    pub shape: Vec<usize>,
}

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

/// Kinds of numbers that files hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// 8-byte floats.
    F64,
    /// 4-byte floats.
    F32,
    /// IEEE half floats.
    F16,
    /// bfloat16.
    BF16,
    /// Signed bytes (quantised; the scale is left out).
    I8,
    /// Unsigned bytes (quantised).
    U8,
}

impl Numbers {
    /// Bytes of one.
    pub fn size(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
            Self::I8 | Self::U8 => 1,
        }
    }
}

/// A weight as its file holds it: a piece of the file's bytes, converted when it is read.
#[derive(Debug, Clone)]
pub struct Weight {
    shape: Vec<usize>,
    numbers: Numbers,
    bytes: Bytes,
    /// Modes in the order of the operation, as places in `shape`; none if they stand so.
    order: Option<Vec<usize>>,
}

impl Weight {
    /// A weight of `shape` in little-endian C order.
    ///
    /// # Errors
    /// The bytes are not as many as the shape says.
    pub fn new(name: &str, shape: Vec<usize>, numbers: Numbers, bytes: Bytes) -> Result<Self> {
        let entries = shape.iter().try_fold(numbers.size(), |n, &s| n.checked_mul(s));
        if entries != Some(bytes.len()) {
            let reason = format!(
                "its weight has {} bytes, shape {shape:?} of {} bytes an entry needs another number",
                bytes.len(),
                numbers.size()
            );
            return Err(AuditError::BadGraph { node: name.to_owned(), reason });
        }
        Ok(Self { shape, numbers, bytes, order: None })
    }

    /// The same with its modes in another order (`order[i]` is the place of mode i in the file), for matrices that are stored
    /// transposed.
    #[must_use]
    pub fn permuted(self, order: Vec<usize>) -> Self {
        Self { order: Some(order), ..self }
    }

    /// Its shape, in the order of the operation.
    pub fn shape(&self) -> Vec<usize> {
        match &self.order {
            None => self.shape.clone(),
            Some(order) => order.iter().map(|&i| self.shape[i]).collect(),
        }
    }

    /// The kind of its numbers.
    pub fn numbers(&self) -> Numbers {
        self.numbers
    }

    /// Whether its numbers are the weights themselves, not quantised ones.
    pub fn is_float(&self) -> bool {
        !matches!(self.numbers, Numbers::I8 | Numbers::U8)
    }

    /// Its entries.
    pub fn to_array(&self) -> ArrayD<f32> {
        let at = |chunk: &[u8]| match (self.numbers, chunk) {
            (Numbers::F64, &[a, b, c, d, e, f, g, h]) => f64::from_le_bytes([a, b, c, d, e, f, g, h]) as f32,
            (Numbers::F32, &[a, b, c, d]) => f32::from_le_bytes([a, b, c, d]),
            (Numbers::F16, &[a, b]) => f16::from_le_bytes([a, b]).to_f32(),
            (Numbers::BF16, &[a, b]) => bf16::from_le_bytes([a, b]).to_f32(),
            (Numbers::I8, &[a]) => f32::from(a.cast_signed()),
            (Numbers::U8, &[a]) => f32::from(a),
            _ => f32::NAN,
        };
        let entries: Vec<f32> = self.bytes.chunks_exact(self.numbers.size()).map(at).collect();
        // The constructor has checked the number of bytes.
        let stored = ArrayD::from_shape_vec(IxDyn(&self.shape), entries)
            .unwrap_or_else(|_| ArrayD::zeros(IxDyn(&vec![0; self.shape.len()])));
        match &self.order {
            None => stored,
            Some(order) => stored.permuted_axes(IxDyn(order)),
        }
    }
}

impl Node {
    /// Trained parameters.
    pub fn parameters(&self) -> usize {
        match &self.op {
            Op::Conv(c) => c.parameters(),
            Op::Linear(l) => l.parameters(),
            Op::Norm { parameters, .. }
            | Op::Activation { parameters, .. }
            | Op::Other { parameters, .. } => *parameters,
            _ => 0,
        }
    }

    /// Multiply–accumulates of one input: those of convolutions and matrix products; bias, normalisation and activations are
    /// none (as fvcore and torchvision count). 0 where the shape is not known.
    pub fn macs(&self) -> u64 {
        let entries = self.shape.iter().map(|&s| s as u64).product::<u64>();
        match &self.op {
            _ if self.shape.is_empty() => 0,
            // Each output of a convolution is a window's; each input of a transposed one is spread over a window.
            Op::Conv(c) if c.outputs > 0 && !c.transposed => entries / c.outputs as u64 * c.weights() as u64,
            Op::Conv(c) if c.outputs > 0 => {
                let strides: usize = c.stride.iter().product();
                entries / c.outputs as u64 / strides.max(1) as u64 * c.weights() as u64
            }
            Op::Linear(l) => entries * l.inputs as u64,
            Op::Other { macs, .. } => *macs,
            _ => 0,
        }
    }
}

impl Graph {
    /// Appends an operation and returns its place.
    pub fn add(&mut self, name: impl Into<String>, op: Op, inputs: Vec<NodeId>, shape: Vec<usize>) -> NodeId {
        self.nodes.push(Node { name: name.into(), op, inputs, shape });
        self.nodes.len() - 1
    }

    /// The nodes that read each node.
    pub fn readers(&self) -> Vec<Vec<NodeId>> {
        let mut readers = vec![Vec::new(); self.nodes.len()];
        for (id, node) in self.nodes.iter().enumerate() {
            for &input in &node.inputs {
                readers[input].push(id);
            }
        }
        readers
    }

    /// Trained parameters of all nodes.
    pub fn parameters(&self) -> usize {
        self.nodes.iter().map(Node::parameters).sum()
    }

    /// Multiply–accumulates of one input.
    pub fn macs(&self) -> u64 {
        self.nodes.iter().map(Node::macs).sum()
    }
}
