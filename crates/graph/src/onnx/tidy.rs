//! Puts together again what exporters take apart.

use super::builder::Fact;
use crate::{Graph, Node, NodeId, Op};

/// Operations of a formula that is recognised.
const MOST_PIECES: usize = 12;

/// A graph on which patterns are replaced.
struct Net {
    nodes: Vec<Node>,
    facts: Vec<Fact>,
    readers: Vec<Vec<NodeId>>,
    returned: Vec<bool>,
    dead: Vec<bool>,
}

/// The graph with patterns replaced by what they are.
pub(super) fn tidy(name: String, nodes: Vec<Node>, facts: Vec<Fact>, outputs: Vec<NodeId>) -> Graph {
    let mut readers = vec![Vec::new(); nodes.len()];
    for (id, node) in nodes.iter().enumerate() {
        for &input in &node.inputs {
            if let Some(readers) = readers.get_mut(input) {
                readers.push(id);
            }
        }
    }
    let mut returned = vec![false; nodes.len()];
    for &id in &outputs {
        if let Some(flag) = returned.get_mut(id) {
            *flag = true;
        }
    }
    let dead = vec![false; nodes.len()];
    let mut net = Net { nodes, facts, readers, returned, dead };
    let passes: [fn(&mut Net, NodeId) -> Option<()>; 8] = [
        Net::bias,
        Net::hard_sigmoid,
        Net::gate,
        Net::hard_swish,
        Net::gelu,
        Net::layer_norm,
        Net::group_norm,
        Net::shuffle,
    ];
    for pass in passes {
        for id in 0..net.nodes.len() {
            if net.dead.get(id) == Some(&false) {
                pass(&mut net, id);
            }
        }
    }
    // Scale, then shift.
    for _ in 0..2 {
        for id in 0..net.nodes.len() {
            net.affine(id);
        }
    }
    net.compact(name, outputs)
}

impl Net {
    fn op(&self, id: NodeId) -> Option<&Op> {
        self.nodes.get(id).map(|n| &n.op)
    }

    fn inputs(&self, id: NodeId) -> &[NodeId] {
        self.nodes.get(id).map_or(&[], |n| &n.inputs[..])
    }

    /// The one input of a node that has one.
    fn before(&self, id: NodeId) -> Option<NodeId> {
        match self.inputs(id) {
            &[one] => Some(one),
            _ => None,
        }
    }

    /// The one reader of a node that has one.
    fn after(&self, id: NodeId) -> Option<NodeId> {
        match self.readers.get(id)?[..] {
            [one] => Some(one),
            _ => None,
        }
    }

    fn fact(&self, id: NodeId) -> Option<&Fact> {
        self.facts.get(id)
    }

    fn is_activation(&self, id: NodeId, name: &str) -> bool {
        matches!(self.op(id), Some(Op::Activation { kind, .. }) if kind == name)
    }

    fn is_move(&self, id: NodeId, name: &str) -> bool {
        matches!(self.op(id), Some(Op::Move { kind }) if kind == name)
    }

    /// Whether a node adds a number.
    fn adds(&self, id: NodeId) -> Option<f64> {
        let fact =
            self.fact(id).filter(|_| matches!(self.op(id), Some(Op::Add)) && self.before(id).is_some())?;
        Some(fact.number?).filter(|_| fact.kind == "Add")
    }

    /// The factor of a node that multiplies with a number or divides by one.
    fn scales(&self, id: NodeId) -> Option<f64> {
        let fact = self
            .fact(id)
            .filter(|_| matches!(self.op(id), Some(Op::Multiply)) && self.before(id).is_some())?;
        let number = fact.number?;
        Some(if fact.kind == "Div" { 1.0 / number } else { number })
    }

    /// Both factors of a product, each first.
    fn factors(&self, id: NodeId) -> Option<[(NodeId, NodeId); 2]> {
        match (self.op(id)?, self.inputs(id)) {
            (Op::Multiply, &[a, b]) => Some([(a, b), (b, a)]),
            _ => None,
        }
    }

    /// Replaces `pieces` and `at`, the last of them, by one operation, if nothing else reads the pieces.
    fn replace(&mut self, at: NodeId, pieces: &[NodeId], op: Op, inputs: Vec<NodeId>) -> Option<()> {
        let within = |id: &NodeId| *id == at || pieces.contains(id);
        for &piece in pieces {
            let read = self.readers.get(piece)?;
            if self.returned.get(piece) != Some(&false) || !read.iter().all(within) {
                return None;
            }
        }
        for &id in pieces.iter().chain([&at]) {
            for input in self.inputs(id).to_vec() {
                self.readers.get_mut(input)?.retain(|r| *r != id);
            }
        }
        for &piece in pieces {
            *self.dead.get_mut(piece)? = true;
        }
        for &input in &inputs {
            self.readers.get_mut(input)?.push(at);
        }
        let node = self.nodes.get_mut(at)?;
        (node.op, node.inputs) = (op, inputs);
        Some(())
    }

    fn activate(&mut self, at: NodeId, pieces: &[NodeId], name: &str, input: NodeId) -> Option<()> {
        self.replace(at, pieces, Op::Activation { kind: name.to_owned(), parameters: 0 }, vec![input])
    }

    /// A shift by one number a channel after a layer without a bias is its bias.
    fn bias(&mut self, at: NodeId) -> Option<()> {
        let layer = self.before(at)?;
        let Some(Op::Norm { kind, parameters }) = self.op(at) else { return None };
        let (shape, channels) = (self.fact(at)?.constant.clone()?, *parameters);
        if kind != "shift" {
            return None;
        }
        let end = shape.len().checked_sub(1)?;
        let (op, place) = match self.op(layer)? {
            Op::Linear(l) if !l.bias && l.outputs == channels => {
                let mut layer = l.clone();
                layer.bias = true;
                (Op::Linear(layer), end)
            }
            Op::Conv(c) if !c.bias && c.outputs == channels => {
                let mut layer = c.clone();
                layer.bias = true;
                let modes = layer.kernel.len();
                (Op::Conv(layer), end.checked_sub(modes)?)
            }
            _ => return None,
        };
        if shape.iter().enumerate().any(|(i, &s)| s != if i == place { channels } else { 1 }) {
            return None;
        }
        let (inputs, name) = (self.inputs(layer).to_vec(), self.nodes.get(layer)?.name.clone());
        self.replace(at, &[layer], op, inputs)?;
        self.nodes.get_mut(at)?.name = name;
        Some(())
    }

    /// relu6(x + 3) / 6.
    fn hard_sigmoid(&mut self, at: NodeId) -> Option<()> {
        let clip = self.before(at).filter(|&c| self.is_activation(c, "relu6"))?;
        let add = self.before(clip).filter(|&a| self.adds(a) == Some(3.0))?;
        self.scales(at).filter(|s| (s - 1.0 / 6.0).abs() < 1e-3)?;
        let x = self.before(add)?;
        self.activate(at, &[clip, add], "hardsigmoid", x)
    }

    /// Products of x with a function of x: silu, hard swish, mish.
    fn gate(&mut self, at: NodeId) -> Option<()> {
        for (x, gate) in self.factors(at)? {
            let Some(inner) = self.before(gate) else { continue };
            let name = if self.is_activation(gate, "sigmoid") {
                "silu"
            } else if self.is_activation(gate, "hardsigmoid") {
                "hardswish"
            } else if self.is_activation(gate, "tanh") && self.is_activation(inner, "softplus") {
                if self.before(inner) == Some(x) {
                    return self.activate(at, &[gate, inner], "mish", x);
                }
                continue;
            } else {
                continue;
            };
            if inner == x {
                return self.activate(at, &[gate], name, x);
            }
        }
        None
    }

    /// x · relu6(x + 3) / 6.
    fn hard_swish(&mut self, at: NodeId) -> Option<()> {
        self.scales(at).filter(|s| (s - 1.0 / 6.0).abs() < 1e-3)?;
        let product = self.before(at)?;
        for (x, clip) in self.factors(product)? {
            let add = self.before(clip).filter(|_| self.is_activation(clip, "relu6"));
            let Some(add) = add.filter(|&a| self.adds(a) == Some(3.0) && self.before(a) == Some(x)) else {
                continue;
            };
            return self.activate(at, &[product, clip, add], "hardswish", x);
        }
        None
    }

    /// x / 2 · (1 + erf(x / √2)), or with tanh of a cubic, the factors in any order.
    fn gelu(&mut self, bend: NodeId) -> Option<()> {
        if !self.is_activation(bend, "erf") && !self.is_activation(bend, "tanh") {
            return None;
        }
        let add = self.after(bend).filter(|&a| self.adds(a) == Some(1.0))?;
        let product = self.after(add)?;
        let (other, _) = self.factors(product)?.into_iter().find(|&(_, b)| b == add)?;
        let half = |net: &Self, id| net.scales(id) == Some(0.5);
        let mut pieces = vec![bend, add];
        let (x, at) = if half(self, other) {
            pieces.push(other);
            (self.before(other)?, product)
        } else {
            let at = self.after(product).filter(|&a| half(self, a))?;
            pieces.push(product);
            (other, at)
        };
        let mut left = self.inputs(bend).to_vec();
        while let Some(id) = left.pop() {
            if id == x || pieces.contains(&id) {
                continue;
            }
            let formula = matches!(self.op(id)?, Op::Add | Op::Multiply) || self.is_activation(id, "pow");
            if !formula || pieces.len() >= MOST_PIECES {
                return None;
            }
            left.extend_from_slice(self.inputs(id));
            pieces.push(id);
        }
        self.activate(at, &pieces, "gelu", x)
    }

    /// (x − mean x) / √(mean (x − mean x)² + ε).
    fn layer_norm(&mut self, at: NodeId) -> Option<()> {
        let &[centred, root] = self.inputs(at) else { return None };
        let mean = |net: &Self, id| net.fact(id).is_some_and(|f| f.kind == "ReduceMean");
        if self.fact(at)?.kind != "Div" || !self.is_activation(root, "sqrt") {
            return None;
        }
        let epsilon = self.before(root).filter(|&e| self.adds(e).is_some())?;
        let variance = self.before(epsilon).filter(|&v| mean(self, v))?;
        let square = self.before(variance);
        let square = square.or_else(|| self.inputs(variance).first().copied())?;
        if !self.inputs(square).iter().all(|&i| i == centred) {
            return None;
        }
        let &[x, average] = self.inputs(centred) else { return None };
        if self.fact(centred)?.kind != "Sub" || !mean(self, average) || self.before(average) != Some(x) {
            return None;
        }
        let op = Op::Norm { kind: "layer".to_owned(), parameters: 0 };
        let pieces = [root, epsilon, variance, square, centred, average];
        self.replace(at, &pieces, op, vec![x])?;
        self.facts.get_mut(at)?.kind = String::new();
        Some(())
    }

    /// An instance normalisation of groups of channels, between two reshapes.
    fn group_norm(&mut self, at: NodeId) -> Option<()> {
        let norm = self.before(at).filter(|_| self.is_move(at, "reshape"))?;
        let Some(Op::Norm { kind, parameters: 0 }) = self.op(norm) else { return None };
        let first = self.before(norm).filter(|&f| kind == "instance" && self.is_move(f, "reshape"))?;
        let x = self.before(first)?;
        if self.nodes.get(x)?.shape != self.nodes.get(at)?.shape {
            return None;
        }
        let op = Op::Norm { kind: "group".to_owned(), parameters: 0 };
        self.replace(at, &[norm, first], op, vec![x])?;
        self.facts.get_mut(at)?.kind = String::new();
        Some(())
    }

    /// Scale or shift after a normalisation that was written in pieces.
    fn affine(&mut self, at: NodeId) -> Option<()> {
        let norm = self.before(at)?;
        let Some(Op::Norm { kind, parameters }) = self.op(at) else { return None };
        let Some(Op::Norm { kind: of, parameters: before }) = self.op(norm) else { return None };
        if !(kind == "scale" || kind == "shift")
            || !self.fact(norm)?.kind.is_empty()
            || self.dead.get(at) == Some(&true)
        {
            return None;
        }
        let op = Op::Norm { kind: of.clone(), parameters: before + parameters };
        let inputs = self.inputs(norm).to_vec();
        self.replace(at, &[norm], op, inputs)?;
        self.facts.get_mut(at)?.kind = String::new();
        Some(())
    }

    /// Channels in groups, groups and places in them exchanged, and back: a channel shuffle.
    fn shuffle(&mut self, at: NodeId) -> Option<()> {
        let swap =
            self.before(at).filter(|&s| self.is_move(at, "reshape") && self.is_move(s, "transpose"))?;
        let split = self.before(swap).filter(|&s| self.is_move(s, "reshape"))?;
        let x = self.before(split)?;
        let shape = |id: NodeId| self.nodes.get(id).map(|n| &n.shape[..]);
        let (before, groups, after) = (shape(x)?, shape(split)?, shape(at)?);
        let (&[channels, ref space @ ..], &[g, each, ref rest @ ..]) = (before, groups) else { return None };
        let order = self.fact(swap)?.order.clone()?;
        let swapped = order.iter().copied().eq([0, 2, 1].into_iter().chain(3..=groups.len()));
        if before != after || space != rest || g.checked_mul(each) != Some(channels) || !swapped {
            return None;
        }
        self.replace(at, &[swap, split], Op::Move { kind: "shuffle".to_owned() }, vec![x])
    }

    /// The nodes that are left.
    fn compact(self, name: String, outputs: Vec<NodeId>) -> Graph {
        let mut places: Vec<Option<NodeId>> = Vec::with_capacity(self.nodes.len());
        let mut nodes = Vec::new();
        for (mut node, dead) in self.nodes.into_iter().zip(self.dead) {
            if dead {
                places.push(None);
                continue;
            }
            node.inputs = node.inputs.iter().filter_map(|&i| places.get(i).copied().flatten()).collect();
            places.push(Some(nodes.len()));
            nodes.push(node);
        }
        let outputs = outputs.iter().filter_map(|&i| places.get(i).copied().flatten()).collect();
        Graph { name, nodes, outputs }
    }
}
