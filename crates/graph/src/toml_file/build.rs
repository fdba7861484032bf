//! Adds operations to a graph, with their shapes, and checks them.

use std::collections::HashSet;

use convstat_text::suggestion;

use super::windows::{MOST_CHANNELS, Windows};
use crate::{Conv, Graph, Linear, NodeId, Op};

/// Limits beyond which sums over a graph could overflow.
const MOST_NODES: usize = 1 << 16;
const MOST_ENTRIES: usize = 1 << 46;
const MOST_MACS: u128 = 1 << 47;

const NORMS: [&str; 5] = ["batch", "layer", "group", "instance", "none"];

const ACTIVATIONS: [&str; 19] = [
    "relu",
    "relu6",
    "leaky_relu",
    "prelu",
    "elu",
    "selu",
    "celu",
    "gelu",
    "silu",
    "mish",
    "hardswish",
    "hardsigmoid",
    "hardtanh",
    "sigmoid",
    "tanh",
    "softmax",
    "softplus",
    "softsign",
    "none",
];

/// Result of one layer; its error becomes one with the place in the file.
pub(super) type Checked<T> = std::result::Result<T, String>;

pub(super) struct Builder {
    pub graph: Graph,
    names: HashSet<String>,
}

/// A convolution that is to be added.
pub(super) struct NewConv {
    pub outputs: usize,
    pub groups: usize,
    pub windows: Windows,
    pub bias: bool,
    /// Transposed, and if so with padding "same".
    pub transposed: Option<bool>,
}

impl NewConv {
    /// A convolution without bias.
    pub fn plain(outputs: usize, windows: Windows) -> Self {
        Self { outputs, groups: 1, windows, bias: false, transposed: None }
    }
}

/// `limit` checked for a number of channels.
pub(super) fn channels(key: &str, n: usize) -> Checked<usize> {
    if (1..=MOST_CHANNELS).contains(&n) {
        return Ok(n);
    }
    Err(format!("{key} = {n}: it has to be between 1 and {MOST_CHANNELS}"))
}

impl Builder {
    pub fn new(name: String) -> Self {
        Self { graph: Graph { name, ..Graph::default() }, names: HashSet::new() }
    }

    /// Shape of what a node returns.
    pub fn shape(&self, node: NodeId) -> Checked<&[usize]> {
        self.graph.nodes.get(node).map(|n| n.shape.as_slice()).ok_or_else(|| "it reads no layer".to_owned())
    }

    /// Channels and spatial sizes of a feature map.
    pub fn map(&self, node: NodeId) -> Checked<(usize, &[usize])> {
        match self.shape(node)? {
            [channels, sizes @ ..] if !sizes.is_empty() => Ok((*channels, sizes)),
            shape => Err(format!(
                "it needs a feature map (channels and spatial modes), and its input has shape {shape:?}; put it before \
                 what flattens"
            )),
        }
    }

    pub fn push(&mut self, name: String, op: Op, inputs: Vec<NodeId>, shape: Vec<usize>) -> Checked<NodeId> {
        if self.graph.nodes.len() >= MOST_NODES {
            return Err(format!("more than {MOST_NODES} operations"));
        }
        if !self.names.insert(name.clone()) {
            return Err(format!("two operations have the name \"{name}\"; give the layer another name"));
        }
        let entries = shape.iter().try_fold(1usize, |n, &s| n.checked_mul(s));
        if entries.is_none_or(|n| n > MOST_ENTRIES) {
            return Err(format!("shape {shape:?} of {name} has more than {MOST_ENTRIES} entries"));
        }
        Ok(self.graph.add(name, op, inputs, shape))
    }

    pub fn conv(&mut self, name: String, from: NodeId, new: NewConv) -> Checked<NodeId> {
        let (inputs, sizes) = self.map(from)?;
        let outputs = channels("out", new.outputs)?;
        let groups = new.groups;
        if groups == 0 || inputs % groups != 0 || outputs % groups != 0 {
            return Err(format!(
                "groups = {groups}: it has to divide {inputs} input and {outputs} output channels"
            ));
        }
        let left = match new.transposed {
            None => new.windows.leave(sizes)?,
            Some(same) => new.windows.leave_transposed(sizes, same)?,
        };
        // Each position of the output (transposed: of the input) costs all weights once.
        let product = |list: &[usize]| {
            list.iter().map(|&n| n as u128).try_fold(1u128, u128::checked_mul).unwrap_or(u128::MAX)
        };
        let positions = product(if new.transposed.is_some() { sizes } else { &left });
        let weights =
            (inputs as u128 * (outputs / groups) as u128).saturating_mul(product(&new.windows.kernel));
        if weights.saturating_mul(positions) > MOST_MACS {
            return Err(format!("{name} needs more than {MOST_MACS} multiply-accumulates; check its sizes"));
        }
        let mut shape = vec![outputs];
        shape.extend(left);
        let Windows { kernel, stride, dilation, padding } = new.windows;
        let conv = Conv {
            inputs,
            outputs,
            groups,
            kernel,
            stride,
            padding,
            dilation,
            bias: new.bias,
            transposed: new.transposed.is_some(),
            weight: None,
        };
        self.push(name, Op::Conv(conv), vec![from], shape)
    }

    pub fn linear(&mut self, name: String, from: NodeId, out: usize, bias: bool) -> Checked<NodeId> {
        let mut shape = self.shape(from)?.to_vec();
        let outputs = channels("out", out)?;
        let Some(last) = shape.last_mut() else { return Err("it reads a shape without modes".to_owned()) };
        let inputs = std::mem::replace(last, outputs);
        let entries = shape.iter().map(|&n| n as u128).product::<u128>();
        if entries.saturating_mul(inputs as u128) > MOST_MACS {
            return Err(format!(
                "{inputs} features to {outputs} need more than {MOST_MACS} multiply-accumulates; pool before"
            ));
        }
        self.push(name, Op::Linear(Linear { inputs, outputs, bias, weight: None }), vec![from], shape)
    }

    /// Normalisation; nothing for "none".
    pub fn norm(&mut self, name: String, from: NodeId, kind: &str) -> Checked<NodeId> {
        if !NORMS.contains(&kind) {
            return Err(format!("unknown norm \"{kind}\"{}", suggestion(kind, NORMS.into_iter())));
        }
        if kind == "none" {
            return Ok(from);
        }
        let shape = self.shape(from)?.to_vec();
        let channels = shape.first().copied().unwrap_or(0);
        self.push(name, Op::Norm { kind: kind.to_owned(), parameters: 2 * channels }, vec![from], shape)
    }

    /// Activation; nothing for "none".
    pub fn activation(&mut self, name: String, from: NodeId, kind: &str) -> Checked<NodeId> {
        if !ACTIVATIONS.contains(&kind) {
            return Err(format!(
                "unknown activation \"{kind}\"{}",
                suggestion(kind, ACTIVATIONS.into_iter())
            ));
        }
        if kind == "none" {
            return Ok(from);
        }
        let shape = self.shape(from)?.to_vec();
        // PyTorch's default: one slope for all channels.
        let parameters = usize::from(kind == "prelu");
        self.push(name, Op::Activation { kind: kind.to_owned(), parameters }, vec![from], shape)
    }

    pub fn global_pool(&mut self, name: String, from: NodeId, kind: &str) -> Checked<NodeId> {
        let (channels, sizes) = self.map(from)?;
        let mut shape = vec![1; sizes.len() + 1];
        if let Some(first) = shape.first_mut() {
            *first = channels;
        }
        self.push(name, Op::Pool { kind: kind.to_owned(), global: true }, vec![from], shape)
    }

    pub fn pool(&mut self, name: String, from: NodeId, kind: &str, windows: &Windows) -> Checked<NodeId> {
        let (channels, sizes) = self.map(from)?;
        let mut shape = vec![channels];
        shape.extend(windows.leave(sizes)?);
        self.push(name, Op::Pool { kind: kind.to_owned(), global: false }, vec![from], shape)
    }

    pub fn flatten(&mut self, name: String, from: NodeId) -> Checked<NodeId> {
        let entries = self.shape(from)?.iter().product();
        channels("features after flattening", entries)?;
        self.push(name, Op::Move { kind: "flatten".to_owned() }, vec![from], vec![entries])
    }

    /// Sum or product of branches of one shape; a product also with `[channels, 1 …]` gates.
    pub fn join(&mut self, name: String, from: Vec<NodeId>, op: Op) -> Checked<NodeId> {
        let shapes: Vec<Vec<usize>> =
            from.iter().map(|&f| self.shape(f).map(<[usize]>::to_vec)).collect::<Checked<_>>()?;
        let largest = shapes.iter().max_by_key(|s| s.iter().product::<usize>()).cloned().unwrap_or_default();
        let gates = matches!(op, Op::Multiply);
        let fits = |s: &Vec<usize>| {
            let gate =
                s.len() == largest.len() && s.first() == largest.first() && s.iter().skip(1).all(|&n| n == 1);
            *s == largest || (gates && gate)
        };
        if !shapes.iter().all(fits) {
            return Err(format!("branches of shapes {shapes:?} do not fit together; they have to be equal"));
        }
        self.push(name, op, from, largest)
    }

    /// Branches side by side along the channels.
    pub fn concat(&mut self, name: String, from: Vec<NodeId>) -> Checked<NodeId> {
        let shapes: Vec<Vec<usize>> =
            from.iter().map(|&f| self.shape(f).map(<[usize]>::to_vec)).collect::<Checked<_>>()?;
        let sizes = |s: &[usize]| s.iter().skip(1).copied().collect::<Vec<_>>();
        let rest = shapes.first().map(|s| sizes(s)).unwrap_or_default();
        if shapes.iter().any(|s| sizes(s) != rest) {
            return Err(format!(
                "branches of shapes {shapes:?} do not fit side by side; all but the channels have to be equal"
            ));
        }
        let together = shapes.iter().filter_map(|s| s.first()).sum();
        let mut shape = vec![channels("channels of all branches together", together)?];
        shape.extend(rest);
        self.push(name, Op::Concat { axis: 0 }, from, shape)
    }
}
