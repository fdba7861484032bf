//! From ordered modules to a graph: layers one after the other, blocks with their shortcuts, gates.

use std::collections::HashSet;

use super::modules::{Kind, Module};
use super::order::{is_head, split};
use crate::{Conv, Graph, Linear, NodeId, Op};

/// Pieces of names that stand under the number of a block.
const IN_BLOCK: [&str; 12] = [
    "conv",
    "block",
    "layer",
    "downsample",
    "shortcut",
    "se",
    "conv_pw",
    "conv_dw",
    "conv_pwl",
    "conv_exp",
    "layer_scale",
    "gamma",
];

/// Layers of attention that read the same.
const QUERY: [&str; 2] = ["query", "q_proj"];
const KEY_VALUE: [&str; 4] = ["key", "k_proj", "value", "v_proj"];

/// Builds the graph.
pub(super) fn graph(name: String, modules: Vec<Module>, input: Option<&[usize]>) -> Result<Graph, String> {
    let mut chain = Chain::new(name, input);
    let is_layer = |m: &Module| matches!(m.kind, Kind::Conv { .. } | Kind::Linear { .. });
    if let Some(first) = modules.iter().find(|m| is_layer(m)) {
        let reads = first.reads();
        // Vectors and sequences have their features last.
        let has = match first.kind {
            Kind::Conv { .. } => input.and_then(<[usize]>::first),
            _ => input.and_then(<[usize]>::last),
        };
        let fits = has.is_none_or(|&n| {
            Some(n) == reads || matches!(first.kind, Kind::Linear { .. }) && product(input) == reads
        });
        if !fits {
            return Err(format!(
                "its first layer \"{}\" reads {} channels, the input {:?} has {}",
                first.path,
                reads.unwrap_or(0),
                input.unwrap_or_default(),
                has.copied().unwrap_or(0)
            ));
        }
    } else {
        return Err("no tensor named ….weight of two to five modes: no layers".to_owned());
    }
    let mut rest = modules.as_slice();
    while let Some(first) = rest.first() {
        let prefix = block(&first.path);
        let same = |m: &&Module| block(&m.path) == prefix;
        let length = rest.iter().take_while(same).count().max(1);
        let (these, after) = rest.split_at(length);
        match prefix {
            Some(prefix) => chain.block(prefix, these),
            None => chain.run(these),
        }
        rest = after;
    }
    chain.graph.outputs = vec![chain.at];
    Ok(chain.graph)
}

fn product(shape: Option<&[usize]>) -> Option<usize> {
    shape.map(|s| s.iter().product())
}

/// The name of the block that a module belongs to: up to the first number (or DenseNet's `denselayer1`) that one of the usual
/// names of a block's parts follows.
fn block(path: &str) -> Option<&str> {
    let mut end = 0;
    let mut pieces = path.split('.').peekable();
    while let Some(piece) = pieces.next() {
        end += piece.len();
        let (letters, number) = split(piece);
        let next = pieces.peek().copied().unwrap_or_default();
        let (kind, numbered) = split(next);
        let part = IN_BLOCK.contains(&next) || (numbered.is_some() && ["conv", "bn", "norm"].contains(&kind));
        if number.is_some() && (letters.is_empty() || letters == "denselayer") && part {
            return path.get(..end);
        }
        end += 1;
    }
    None
}

impl Module {
    /// Channels that it reads, of one group.
    fn reads(&self) -> Option<usize> {
        match &self.kind {
            Kind::Conv { weight, .. } | Kind::Linear { weight, .. } => weight.shape.get(1).copied(),
            Kind::Norm { channels, .. } => Some(*channels),
            _ => None,
        }
    }

    fn makes(&self) -> Option<usize> {
        match &self.kind {
            Kind::Conv { weight, .. } | Kind::Linear { weight, .. } => weight.shape.first().copied(),
            _ => None,
        }
    }

    /// A linear layer or 1×1 convolution.
    fn is_pointwise(&self) -> bool {
        match &self.kind {
            Kind::Linear { .. } => true,
            Kind::Conv { weight, .. } => weight.shape.iter().skip(2).all(|&k| k == 1),
            _ => false,
        }
    }

    fn parent(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(parent, _)| parent)
    }

    fn last(&self) -> &str {
        self.path.rsplit('.').next().unwrap_or_default()
    }
}

struct Chain {
    graph: Graph,
    names: HashSet<String>,
    /// What the next layer reads.
    at: NodeId,
    /// Its channels, if known.
    channels: Option<usize>,
    /// Whether it is a feature map.
    map: bool,
    /// Input of the block before, with its channels, if that had no shortcut.
    before: Option<(NodeId, usize)>,
}

impl Chain {
    fn new(name: String, input: Option<&[usize]>) -> Self {
        let mut graph = Graph { name, ..Graph::default() };
        let at = graph.add("input", Op::Input, vec![], input.unwrap_or_default().to_vec());
        Self {
            graph,
            names: HashSet::from(["input".to_owned()]),
            at,
            channels: None,
            map: false,
            before: None,
        }
    }

    /// Adds a node that the next layer reads.
    fn push(&mut self, name: &str, op: Op, inputs: Vec<NodeId>, shape: Vec<usize>) {
        let mut unique = name.to_owned();
        let mut copy = 1;
        while !self.names.insert(unique.clone()) {
            copy += 1;
            unique = format!("{name}#{copy}");
        }
        self.at = self.graph.add(unique, op, inputs, shape);
    }

    fn shape(&self) -> Vec<usize> {
        self.graph.nodes.get(self.at).map(|n| n.shape.clone()).unwrap_or_default()
    }

    /// Makes what stands here have `needed` channels: the concatenation of the block before with its input, or something that
    /// the names do not tell.
    fn accept(&mut self, name: &str, needed: usize) {
        let has = self.channels.unwrap_or(needed);
        if has == needed {
            self.channels = Some(needed);
            return;
        }
        match self.before {
            Some((before, channels)) if channels.checked_add(has) == Some(needed) => {
                self.push(&format!("{name}.concat"), Op::Concat { axis: 0 }, vec![before, self.at], vec![]);
            }
            _ => {
                let unknown = Op::Other { kind: "unknown".to_owned(), parameters: 0, macs: 0 };
                self.push(&format!("{name}.unknown"), unknown, vec![self.at], vec![]);
            }
        }
        self.before = None;
        self.channels = Some(needed);
    }

    /// Modules one after the other.
    fn run(&mut self, modules: &[Module]) {
        let mut rest = modules;
        let mut source = (self.at, self.channels, self.map);
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            if let Some(second) = after.first().filter(|second| self.is_gate(first, second)) {
                self.gate(first, second);
                rest = after.get(1..).unwrap_or_default();
                continue;
            }
            // Queries, keys and values read the same; what attention makes of them has the values' shape.
            if QUERY.contains(&first.last()) {
                source = (self.at, self.channels, self.map);
            } else if KEY_VALUE.contains(&first.last()) {
                let others = self.at;
                (self.at, self.channels, self.map) = source;
                self.module(first);
                let kind = if ["value", "v_proj"].contains(&first.last()) { "attention" } else { "scores" };
                let op = Op::Other { kind: kind.to_owned(), parameters: 0, macs: 0 };
                let shape = self.shape();
                self.push(&format!("{}.{kind}", first.parent()), op, vec![others, self.at], shape);
                continue;
            }
            self.module(first);
        }
    }

    fn module(&mut self, module: &Module) {
        let name = module.path.as_str();
        match &module.kind {
            Kind::Conv { .. } => self.conv(module),
            Kind::Linear { .. } => self.linear(module),
            Kind::Norm { channels, parameters, running } => {
                self.accept(name, *channels);
                let kind = if *running { "batch" } else { "layer" }.to_owned();
                let shape = self.shape();
                self.push(name, Op::Norm { kind, parameters: *parameters }, vec![self.at], shape);
            }
            Kind::Activation { parameters } => {
                let op = Op::Activation { kind: "prelu".to_owned(), parameters: *parameters };
                let shape = self.shape();
                self.push(name, op, vec![self.at], shape);
            }
            Kind::Other { parameters } => {
                let kind = module.last().to_owned();
                let shape = self.shape();
                self.push(name, Op::Other { kind, parameters: *parameters, macs: 0 }, vec![self.at], shape);
            }
        }
    }

    fn conv(&mut self, module: &Module) {
        let Kind::Conv { weight, bias } = &module.kind else { return };
        let [first, second, kernel @ ..] = weight.shape.as_slice() else { return };
        let lower = module.path.to_lowercase();
        let up = ["transpose", "deconv", "up"].iter().any(|word| lower.contains(word));
        let transposed = up && self.channels == Some(*first) && first != second;
        let (outputs, per_group) = if transposed { (*second, *first) } else { (*first, *second) };
        let whole = !module.is_pointwise();
        let groups = match self.channels {
            Some(has) if whole && has % per_group == 0 && outputs % (has / per_group).max(1) == 0 => {
                (has / per_group).max(1)
            }
            // Depthwise, on what the names do not tell.
            Some(has) if whole && has > 1 && per_group == 1 => outputs,
            _ => 1,
        };
        self.accept(&module.path, per_group.saturating_mul(groups));
        let conv = Conv {
            inputs: per_group.saturating_mul(groups),
            outputs,
            groups,
            kernel: kernel.to_vec(),
            stride: vec![1; kernel.len()],
            padding: vec![(0, 0); kernel.len()],
            dilation: vec![1; kernel.len()],
            bias: *bias,
            transposed,
            weight: weight.weight(),
        };
        self.push(&module.path, Op::Conv(conv), vec![self.at], vec![]);
        (self.channels, self.map) = (Some(outputs), true);
    }

    fn linear(&mut self, module: &Module) {
        let Kind::Linear { weight, bias } = &module.kind else { return };
        let &[outputs, inputs] = weight.shape.as_slice() else { return };
        let name = module.path.as_str();
        let has = self.channels.unwrap_or(inputs);
        let shape = self.shape();
        let entries: usize = shape.iter().product();
        let vector = shape.len() > 1
            && self.graph.nodes.len() == 1
            && entries == inputs
            && shape.last() != Some(&inputs);
        if vector || (self.map && inputs != has && inputs % has.max(1) == 0) {
            self.push(
                &format!("{name}.flatten"),
                Op::Move { kind: "flatten".to_owned() },
                vec![self.at],
                vec![inputs],
            );
            (self.channels, self.map) = (Some(inputs), false);
        } else if self.map && inputs == has && is_head(name) {
            let pool = Op::Pool { kind: "average".to_owned(), global: true };
            self.push(&format!("{name}.pool"), pool, vec![self.at], vec![inputs]);
            self.map = false;
        }
        self.accept(name, inputs);
        let mut shape = self.shape();
        if let Some(last) = shape.last_mut() {
            *last = outputs;
        }
        let op = Op::Linear(Linear { inputs, outputs, bias: *bias, weight: weight.weight() });
        self.push(name, op, vec![self.at], shape);
        self.channels = Some(outputs);
    }

    /// Whether two modules are a squeeze-and-excitation gate on what stands here.
    fn is_gate(&self, first: &Module, second: &Module) -> bool {
        let under_se = first.parent().rsplit('.').next().is_some_and(|p| p.starts_with("se"));
        let pair = [("fc1", "fc2"), ("conv_reduce", "conv_expand")].contains(&(first.last(), second.last()));
        let narrow = first.makes() < first.reads();
        first.parent() == second.parent()
            && (under_se || pair)
            && narrow
            && first.is_pointwise()
            && second.is_pointwise()
            && self.channels.is_some()
            && first.reads() == self.channels
            && second.makes() == self.channels
    }

    fn gate(&mut self, first: &Module, second: &Module) {
        let (from, channels, map, shape) = (self.at, self.channels, self.map, self.shape());
        let parent = first.parent().to_owned();
        let pool = Op::Pool { kind: "average".to_owned(), global: true };
        self.push(&format!("{parent}.pool"), pool, vec![from], vec![]);
        self.module(first);
        self.module(second);
        let sigmoid = Op::Activation { kind: "sigmoid".to_owned(), parameters: 0 };
        self.push(&format!("{parent}.sigmoid"), sigmoid, vec![self.at], vec![]);
        self.push(&format!("{parent}.multiply"), Op::Multiply, vec![from, self.at], shape);
        (self.channels, self.map) = (channels, map);
    }

    /// Modules of one block, with its shortcut.
    fn block(&mut self, prefix: &str, modules: &[Module]) {
        let is_side = |m: &Module| {
            let rest = m.path.get(prefix.len()..).unwrap_or_default().trim_start_matches('.');
            ["downsample", "shortcut"].contains(&rest.split('.').next().unwrap_or_default())
        };
        let split = modules.iter().position(is_side).unwrap_or(modules.len());
        let (main, side) = modules.split_at(split);
        // What the block before left open is settled by the first module here.
        if let (Some(first), Some(has)) = (main.first(), self.channels)
            && let Some(needed) = first.reads().filter(|&n| n > 0 && (has % n != 0 || first.is_pointwise()))
        {
            self.accept(&first.path, needed);
        }
        let (from, entry, map) = (self.at, self.channels, self.map);
        self.run(main);
        let (end, left) = (self.at, self.channels);
        let has_layer = main.iter().any(|m| m.makes().is_some());
        self.before = None;
        if !side.is_empty() {
            (self.at, self.channels, self.map) = (from, entry, map);
            self.run(side);
            let op = match (self.channels == left, left) {
                (true, Some(_)) => Op::Add,
                _ => Op::Other { kind: "unknown".to_owned(), parameters: 0, macs: 0 },
            };
            self.push(&format!("{prefix}.add"), op, vec![end, self.at], vec![]);
            (self.channels, self.map) = (left, true);
        } else if has_layer && from != end {
            let dense = prefix.rsplit('.').next().is_some_and(|p| p.starts_with("denselayer"));
            match entry {
                Some(entry) if Some(entry) == left && !dense => {
                    let shape = self.shape();
                    self.push(&format!("{prefix}.add"), Op::Add, vec![end, from], shape);
                }
                Some(entry) => self.before = Some((from, entry)),
                None => {}
            }
        }
    }
}
