//! Puts together again what exporters take apart.

mod activations;
mod bias;
mod net;
mod norms;
mod shuffle;

use convstat_graph::{Graph, Node, NodeId};

use crate::builder::Fact;
use net::Net;

/// Replaces a pattern that ends in a node, if one does.
type Pattern = fn(&mut Net, NodeId) -> Option<()>;

/// All patterns, in the order in which they are looked for: later ones are made of earlier ones. Scale and shift of a
/// normalisation follow one another.
const PATTERNS: [Pattern; 10] = [
    Net::bias,
    Net::hard_sigmoid,
    Net::gate,
    Net::hard_swish,
    Net::gelu,
    Net::layer_norm,
    Net::group_norm,
    Net::shuffle,
    Net::affine,
    Net::affine,
];

/// The graph with patterns replaced by what they are.
pub(crate) fn tidy(name: String, nodes: Vec<Node>, facts: Vec<Fact>, outputs: Vec<NodeId>) -> Graph {
    let mut net = Net::new(nodes, facts, &outputs);
    for pattern in PATTERNS {
        for id in 0..net.nodes.len() {
            if net.dead.get(id) == Some(&false) {
                pattern(&mut net, id);
            }
        }
    }
    net.compact(name, outputs)
}
