//! A network as a graph of operations: what every reader makes and all else works on.
//!
//! Shapes leave out the batch: `[channels, spatial …]` for feature maps, `[…, features]` for sequences and vectors. Only
//! activations are edges; parameters belong to their operation.

use crate::operation::Op;

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
