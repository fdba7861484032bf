//! One layer of a block.

use convstat_graph::{Conv, Graph, NodeId, Op};

/// One layer of a block: its channels and its window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Factor {
    /// The node.
    pub node: NodeId,
    /// Channels it reads.
    pub inputs: usize,
    /// Channels it makes.
    pub outputs: usize,
    /// Groups that do not mix.
    pub groups: usize,
    /// Window, one entry a spatial mode; empty for linear layers.
    pub kernel: Vec<usize>,
    /// Weights, without the bias.
    pub weights: usize,
}

/// What a factor is to a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pointwise,
    GroupedPointwise,
    Depthwise,
    Spatial,
    Grouped,
}

impl Factor {
    /// The factor of a node; none if it is no layer of blocks.
    pub(crate) fn new(graph: &Graph, node: NodeId) -> Option<Self> {
        match &graph.nodes[node].op {
            Op::Conv(c) if !c.transposed => Some(Self::of_conv(node, c)),
            Op::Linear(l) => Some(Self {
                node,
                inputs: l.inputs,
                outputs: l.outputs,
                groups: 1,
                kernel: vec![],
                weights: l.inputs * l.outputs,
            }),
            _ => None,
        }
    }

    fn of_conv(node: NodeId, c: &Conv) -> Self {
        Self {
            node,
            inputs: c.inputs,
            outputs: c.outputs,
            groups: c.groups.max(1),
            kernel: c.kernel.clone(),
            weights: c.weights(),
        }
    }

    /// Entries of its window.
    pub fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    pub(crate) fn kind(&self) -> Kind {
        match (self.taps() == 1, self.groups) {
            (true, 1) => Kind::Pointwise,
            // A depthwise window of one entry is a scale a channel.
            (_, g) if g > 1 && g == self.inputs && self.outputs == self.inputs => Kind::Depthwise,
            (true, _) => Kind::GroupedPointwise,
            (false, 1) => Kind::Spatial,
            (false, _) => Kind::Grouped,
        }
    }

    /// Modes of the window that are longer than one.
    pub(crate) fn axes(&self) -> Vec<usize> {
        (0..self.kernel.len()).filter(|&i| self.kernel[i] > 1).collect()
    }
}
