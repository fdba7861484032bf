//! Chains: linear layers that follow each other on one path, with what lies between.

use std::collections::HashSet;

use convstat_graph::{Graph, NodeId, Op};

/// Linear layers (convolutions, fully connected ones) on one path without branches, joins or pools between them.
#[derive(Debug, Clone)]
pub struct Chain {
    /// The layers, first to last.
    pub layers: Vec<NodeId>,
    /// Activations behind each layer, by their names.
    pub activations: Vec<Vec<String>>,
    /// Normalisations and other parameters on the path, behind each layer.
    pub between: Vec<Vec<NodeId>>,
    /// What follows it.
    pub successor: Successor,
}

/// What follows a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Successor {
    /// A sum with another branch: a residual join.
    Sum,
    /// Another branch beside it.
    Concat,
    /// A pool.
    Pool,
    /// Several readers.
    Branch,
    /// The network's output.
    Output,
    /// Another operation.
    Other,
}

/// Branches that scale another one entry by entry: squeeze and excitation, attention masks.
fn gates(graph: &Graph) -> HashSet<NodeId> {
    let mut gates = HashSet::new();
    for node in &graph.nodes {
        let (Op::Multiply, &[a, b]) = (&node.op, node.inputs.as_slice()) else { continue };
        let entries = |id: NodeId| graph.nodes[id].shape.iter().product::<usize>();
        let is_sigmoid = |id: NodeId| matches!(&graph.nodes[id].op, Op::Activation { kind, .. } if kind.contains("sigmoid") || kind == "softmax");
        // The gate has one entry a channel; of equal shapes the one that comes from a sigmoid.
        let gate = match entries(a).cmp(&entries(b)) {
            std::cmp::Ordering::Less => a,
            std::cmp::Ordering::Greater => b,
            std::cmp::Ordering::Equal if is_sigmoid(a) => a,
            std::cmp::Ordering::Equal if is_sigmoid(b) => b,
            std::cmp::Ordering::Equal => continue,
        };
        let trunk = if gate == a { b } else { a };
        // Back to where it leaves the trunk.
        let trunk = before(graph, trunk, &HashSet::new());
        gates.extend(before(graph, gate, &trunk));
    }
    gates
}

/// Nodes whose way to the outputs meets no further layer, recurrent ones too.
pub fn last_nodes(graph: &Graph) -> Vec<bool> {
    let readers = graph.readers();
    let mut last = vec![true; graph.nodes.len()];
    for id in (0..graph.nodes.len()).rev() {
        let is_trained = |op: &Op| is_layer(op) || matches!(op, Op::Other { parameters: 1.., .. });
        last[id] = readers[id].iter().all(|&r| last[r] && !is_trained(&graph.nodes[r].op));
    }
    last
}

/// A node and all that it depends on, without what is in `without`.
fn before(graph: &Graph, id: NodeId, without: &HashSet<NodeId>) -> HashSet<NodeId> {
    let mut found = HashSet::new();
    let mut open = vec![id];
    while let Some(id) = open.pop() {
        if !without.contains(&id) && found.insert(id) {
            open.extend(&graph.nodes[id].inputs);
        }
    }
    found
}

/// Whether a node is a linear layer.
fn is_layer(op: &Op) -> bool {
    matches!(op, Op::Conv(_) | Op::Linear(_))
}

/// The chains of a network, in its order, and the layers inside gates.
pub fn chains(graph: &Graph) -> (Vec<Chain>, Vec<NodeId>) {
    let gates = gates(graph);
    let readers = graph.readers();
    let outputs: HashSet<NodeId> = graph.outputs.iter().copied().collect();
    let mut taken: HashSet<NodeId> = HashSet::new();
    let mut chains = Vec::new();
    for first in 0..graph.nodes.len() {
        if !is_layer(&graph.nodes[first].op) || gates.contains(&first) || taken.contains(&first) {
            continue;
        }
        let mut chain = Chain {
            layers: vec![first],
            activations: vec![vec![]],
            between: vec![vec![]],
            successor: Successor::Other,
        };
        let mut at = first;
        chain.successor = loop {
            if outputs.contains(&at) {
                break Successor::Output;
            }
            let mut next = readers[at].iter().copied().filter(|r| !gates.contains(r));
            let Some(reader) = next.next() else { break Successor::Output };
            let others: Vec<NodeId> = next.filter(|other| *other != reader).collect();
            if !others.is_empty() {
                // Joins beside each other, as in DenseNet, are one join.
                let all = |is: fn(&Op) -> bool| {
                    is(&graph.nodes[reader].op) && others.iter().all(|&o| is(&graph.nodes[o].op))
                };
                break match () {
                    () if all(|op| matches!(op, Op::Concat { .. })) => Successor::Concat,
                    () if all(|op| matches!(op, Op::Add)) => Successor::Sum,
                    () => Successor::Branch,
                };
            }
            let node = &graph.nodes[reader];
            let last = chain.layers.len() - 1;
            match &node.op {
                op if is_layer(op) => {
                    chain.layers.push(reader);
                    chain.activations.push(vec![]);
                    chain.between.push(vec![]);
                }
                Op::Activation { kind, .. } => {
                    chain.activations[last].push(kind.clone());
                    chain.between[last].push(reader);
                }
                Op::Norm { .. } => chain.between[last].push(reader),
                // A sum with one input adds a constant.
                Op::Move { .. } | Op::Add if node.inputs.len() == 1 => {}
                // With a constant, or with a gate.
                Op::Multiply if node.inputs.iter().filter(|i| !gates.contains(i)).count() == 1 => {}
                Op::Add => break Successor::Sum,
                Op::Concat { .. } => break Successor::Concat,
                Op::Pool { .. } => break Successor::Pool,
                _ => break Successor::Other,
            }
            at = reader;
        };
        taken.extend(&chain.layers);
        chains.push(chain);
    }
    let inside = (0..graph.nodes.len()).filter(|id| gates.contains(id) && is_layer(&graph.nodes[*id].op));
    (chains, inside.collect())
}
