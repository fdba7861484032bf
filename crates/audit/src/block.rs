//! Blocks: pieces of chains that the theory reads as one low-rank kernel tensor.

use convstat_graph::{Conv, Graph, NodeId, Op};

use crate::chain::{Chain, End, chains, last_nodes};

/// Forms of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Form {
    /// One spatial convolution over all channels.
    Convolution,
    /// One 1×1 convolution or linear layer on every position.
    Pointwise,
    /// 1×1, spatial, 1×1 (ResNet).
    Bottleneck,
    /// 1×1, grouped, 1×1 (ResNeXt).
    ResNext,
    /// 1×1, depthwise, 1×1 (MobileNetV2, ShuffleNetV2, EfficientNet).
    InvertedResidual,
    /// Grouped 1×1, depthwise, grouped 1×1 with shuffled channels (ShuffleNet).
    ShuffleNet,
    /// Depthwise, 1×1 (MobileNet).
    DepthwiseSeparable,
    /// Depthwise, 1×1, 1×1 (ConvNeXt).
    DepthwiseBottleneck,
    /// A spatial convolution, then one along another mode (R(2+1)D, separable kernels).
    Separable,
    /// 1×1, spatial (DenseNet).
    ReducedConvolution,
    /// 1×1, 1×1: a factored matrix (the MLP of a transformer).
    FactoredPointwise,
}

impl Form {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Convolution => "convolution",
            Self::Pointwise => "pointwise",
            Self::Bottleneck => "bottleneck",
            Self::ResNext => "resnext",
            Self::InvertedResidual => "inverted residual",
            Self::ShuffleNet => "shufflenet",
            Self::DepthwiseSeparable => "depthwise separable",
            Self::DepthwiseBottleneck => "depthwise bottleneck",
            Self::Separable => "separable",
            Self::ReducedConvolution => "reduced convolution",
            Self::FactoredPointwise => "factored pointwise",
        }
    }
}

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
enum Kind {
    Pointwise,
    GroupedPointwise,
    Depthwise,
    Spatial,
    Grouped,
}

impl Factor {
    fn new(graph: &Graph, node: NodeId) -> Option<Self> {
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

    fn kind(&self) -> Kind {
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
    fn axes(&self) -> Vec<usize> {
        (0..self.kernel.len()).filter(|&i| self.kernel[i] > 1).collect()
    }
}

/// A block of a network.
#[derive(Debug, Clone)]
pub struct Block {
    /// Its name: what the names of its layers have in common.
    pub name: String,
    /// Its form.
    pub form: Form,
    /// Its layers.
    pub factors: Vec<Factor>,
    /// Other nodes of it that have parameters or change values: normalisations, activations.
    pub between: Vec<NodeId>,
    /// Activations between its layers: then the exact statement holds for its linear part only.
    pub activations: Vec<String>,
    /// Whether a residual join follows.
    pub residual: bool,
}

/// A layer that is no block, and why.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Outside {
    /// Its name.
    pub name: String,
    /// What it is.
    pub what: String,
    /// Why the theory does not cover it.
    pub why: String,
    /// The node.
    #[serde(skip)]
    pub node: NodeId,
}

/// The blocks of a network in its order, and the layers that are none.
pub fn blocks(graph: &Graph) -> (Vec<Block>, Vec<Outside>) {
    let (chains, gates) = chains(graph);
    let last = last_nodes(graph);
    let mut blocks = Vec::new();
    let mut outside = Vec::new();
    let mut leave = |node: NodeId, what: &str, why: &str| {
        let name = graph.nodes[node].name.clone();
        outside.push(Outside { name, what: what.to_owned(), why: why.to_owned(), node });
    };
    for node in gates {
        leave(
            node,
            "gate",
            "it scales another branch (squeeze and excitation): a product of inputs, no tensor regression",
        );
    }
    for chain in &chains {
        let is_vector =
            |id: NodeId| matches!(graph.nodes[id].op, Op::Linear(_)) && graph.nodes[id].shape.len() <= 1;
        let is_head = |id: NodeId| is_vector(id) || last[id];
        let mut factors: Vec<Option<Factor>> =
            chain.layers.iter().map(|&id| Factor::new(graph, id)).collect();
        for (factor, &id) in factors.iter_mut().zip(&chain.layers) {
            if is_head(id) {
                leave(
                    id,
                    "head",
                    "its outputs are the network's, or it reads a vector: it is the regression on what the blocks make (the B of the theory)",
                );
                *factor = None;
            } else if factor.is_none() {
                leave(id, "transposed convolution", "its windows overlap in the output, not in the input");
            } else if factor.as_ref().is_some_and(|f| f.weights == 0) {
                leave(id, "empty layer", "it has no weights");
                *factor = None;
            }
        }
        let mut at = 0;
        while at < factors.len() {
            let run: Vec<&Factor> = factors[at..].iter().map_while(Option::as_ref).collect();
            if run.is_empty() {
                at += 1;
                continue;
            }
            let ends_chain = at + run.len() == factors.len();
            match parse(&run, ends_chain.then_some(chain.end)) {
                Ok((form, length)) => {
                    let own: Vec<Factor> = run[..length].iter().map(|f| (*f).clone()).collect();
                    blocks.push(block(graph, chain, at, form, own));
                    at += length;
                }
                Err(why) => {
                    leave(chain.layers[at], "grouped convolution", why);
                    at += 1;
                }
            }
        }
    }
    for (node, n) in graph.nodes.iter().enumerate() {
        if let Op::Other { kind, .. } = &n.op {
            let why = if kind.contains("lstm") || kind.contains("gru") || kind.contains("rnn") {
                "it is recurrent: its weights act on its own outputs"
            } else {
                "it is not linear in the input, or not with weights of its own"
            };
            leave(node, kind, why);
        }
    }
    blocks.sort_by_key(|b: &Block| b.factors[0].node);
    // Where names have nothing in common but a kind, the first layer names the block.
    let names: Vec<String> = blocks.iter().map(|b| b.name.clone()).collect();
    for block in &mut blocks {
        if names.iter().filter(|n| **n == block.name).count() > 1 {
            block.name = graph.nodes[block.factors[0].node].name.clone();
        }
    }
    outside.sort_by_key(|o| o.node);
    (blocks, outside)
}

fn block(graph: &Graph, chain: &Chain, at: usize, form: Form, factors: Vec<Factor>) -> Block {
    let last = at + factors.len() - 1;
    let names: Vec<&str> = factors.iter().map(|f| graph.nodes[f.node].name.as_str()).collect();
    Block {
        name: common_name(&names),
        form,
        between: chain.between[at..=last].concat(),
        activations: chain.activations[at..last].concat(),
        residual: last + 1 == chain.layers.len() && chain.end == End::Sum,
        factors,
    }
}

/// What dotted or slashed names have in common; the first of them where that is nothing.
fn common_name(names: &[&str]) -> String {
    let Some((first, rest)) = names.split_first() else { return String::new() };
    if rest.is_empty() {
        return (*first).to_owned();
    }
    let mut length = 0;
    for (i, c) in first.char_indices().filter(|(_, c)| "./".contains(*c)) {
        let prefix = &first[..i + c.len_utf8()];
        if rest.iter().all(|n| n.starts_with(prefix)) {
            length = i;
        }
    }
    if length == 0 { (*first).to_owned() } else { first[..length].to_owned() }
}

/// The form of the block at the start of a run of layers, and how many it takes. `end` is how the chain ends, where the run
/// ends it.
fn parse(run: &[&Factor], end: Option<End>) -> std::result::Result<(Form, usize), &'static str> {
    use Kind::{Depthwise, Grouped, GroupedPointwise, Pointwise, Spatial};
    let kinds: Vec<Kind> = run.iter().map(|f| f.kind()).collect();
    let joined = |length: usize| run.len() == length && matches!(end, Some(End::Sum | End::Concat));
    Ok(match kinds.as_slice() {
        [Pointwise, Spatial, Pointwise, ..] => (Form::Bottleneck, 3),
        [Pointwise, Grouped, Pointwise, ..] => (Form::ResNext, 3),
        [Pointwise, Depthwise, Pointwise, ..] => (Form::InvertedResidual, 3),
        [GroupedPointwise | Pointwise, Depthwise, GroupedPointwise, ..]
        | [GroupedPointwise, Depthwise, Pointwise, ..] => (Form::ShuffleNet, 3),
        [Depthwise, Pointwise, Pointwise] if joined(3) => (Form::DepthwiseBottleneck, 3),
        [Depthwise, Pointwise, ..] => (Form::DepthwiseSeparable, 2),
        [Spatial, Spatial, ..] if are_separate(run[0], run[1]) => (Form::Separable, 2),
        [Pointwise, Spatial] if joined(2) => (Form::ReducedConvolution, 2),
        [Pointwise, Pointwise] if joined(2) => (Form::FactoredPointwise, 2),
        [Pointwise, ..] => (Form::Pointwise, 1),
        [Spatial, ..] => (Form::Convolution, 1),
        [Depthwise, ..] => return Err("no layer behind it mixes its channels"),
        [Grouped | GroupedPointwise, ..] => {
            return Err("no layer of its block mixes its groups; one behind it may be a block of its own");
        }
        [] => return Err("it has no layer"),
    })
}

/// Whether two windows share no mode: their composition is then a low-rank kernel on the same window.
fn are_separate(a: &Factor, b: &Factor) -> bool {
    let (a, b) = (a.axes(), b.axes());
    !a.is_empty() && !b.is_empty() && a.iter().all(|axis| !b.contains(axis))
}
