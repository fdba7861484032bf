//! Blocks: pieces of chains that the theory reads as one low-rank kernel tensor.

use convstat_graph::{Graph, NodeId, Op};

use crate::chain::{Chain, Successor, chains, last_nodes};
use crate::factor::{Factor, Kind};
use crate::form::{Form, Run};
use crate::forms::FORMS;

/// A block of a network.
#[derive(Debug, Clone)]
pub struct Block {
    /// Its name: what the names of its layers have in common.
    pub name: String,
    /// Its form.
    pub form: &'static Form,
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
    let mut found = Found { graph, last: last_nodes(graph), blocks: Vec::new(), outside: Vec::new() };
    for node in gates {
        found.leave(
            node,
            "gate",
            "it scales another branch (squeeze and excitation): a product of inputs, no tensor regression",
        );
    }
    for chain in &chains {
        found.chain(chain);
    }
    for (node, n) in graph.nodes.iter().enumerate() {
        if let Op::Other { kind, .. } = &n.op {
            let why = if kind.contains("lstm") || kind.contains("gru") || kind.contains("rnn") {
                "it is recurrent: its weights act on its own outputs"
            } else {
                "it is not linear in the input, or not with weights of its own"
            };
            found.leave(node, kind, why);
        }
    }
    let Found { mut blocks, mut outside, .. } = found;
    blocks.sort_by_key(|b: &Block| b.factors[0].node);
    // Where names have nothing in common but a kind, the first layer names the block.
    let names: Vec<String> = blocks.iter().map(|b| b.name.clone()).collect();
    for block in &mut blocks {
        if names.iter().filter(|n| **n == block.name).count() > 1 {
            block.name.clone_from(&graph.nodes[block.factors[0].node].name);
        }
    }
    outside.sort_by_key(|o| o.node);
    (blocks, outside)
}

/// What was found so far.
struct Found<'g> {
    graph: &'g Graph,
    /// Whether no layer follows a node.
    last: Vec<bool>,
    blocks: Vec<Block>,
    outside: Vec<Outside>,
}

impl Found<'_> {
    fn leave(&mut self, node: NodeId, what: &str, why: &str) {
        let name = self.graph.nodes[node].name.clone();
        self.outside.push(Outside { name, what: what.to_owned(), why: why.to_owned(), node });
    }

    /// The blocks of a chain.
    fn chain(&mut self, chain: &Chain) {
        let factors: Vec<Option<Factor>> = chain.layers.iter().map(|&id| self.factor(id)).collect();
        let mut at = 0;
        while at < factors.len() {
            let run: Vec<&Factor> = factors[at..].iter().map_while(Option::as_ref).collect();
            if run.is_empty() {
                at += 1;
                continue;
            }
            let ends_chain = at + run.len() == factors.len();
            let joined = ends_chain && matches!(chain.successor, Successor::Sum | Successor::Concat);
            match parse(&Run::new(&run, joined)) {
                Ok((form, length)) => {
                    let own: Vec<Factor> = run[..length].iter().map(|f| (*f).clone()).collect();
                    self.blocks.push(block(self.graph, chain, at, form, own));
                    at += length;
                }
                Err(why) => {
                    self.leave(chain.layers[at], "grouped convolution", why);
                    at += 1;
                }
            }
        }
    }

    /// The factor that a layer is; none if it is the head or no layer of blocks.
    fn factor(&mut self, id: NodeId) -> Option<Factor> {
        let node = &self.graph.nodes[id];
        if matches!(node.op, Op::Linear(_)) && node.shape.len() <= 1 || self.last[id] {
            self.leave(
                id,
                "head",
                "its outputs are the network's, or it reads a vector: it is the regression on what the blocks make (the B of the theory)",
            );
            return None;
        }
        match Factor::new(self.graph, id) {
            None => {
                self.leave(
                    id,
                    "transposed convolution",
                    "its windows overlap in the output, not in the input",
                );
                None
            }
            Some(factor) if factor.weights == 0 => {
                self.leave(id, "empty layer", "it has no weights");
                None
            }
            known => known,
        }
    }
}

fn block(graph: &Graph, chain: &Chain, at: usize, form: &'static Form, factors: Vec<Factor>) -> Block {
    let last = at + factors.len() - 1;
    let names: Vec<&str> = factors.iter().map(|f| graph.nodes[f.node].name.as_str()).collect();
    Block {
        name: common_name(&names),
        form,
        between: chain.between[at..=last].concat(),
        activations: chain.activations[at..last].concat(),
        residual: last + 1 == chain.layers.len() && chain.successor == Successor::Sum,
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

/// The form of the block at the start of a run of layers, and how many it takes.
fn parse(run: &Run) -> std::result::Result<(&'static Form, usize), &'static str> {
    let fits = |form: &'static Form| Some((form, (form.layers)(run)?));
    FORMS.iter().find_map(fits).ok_or(match run.kinds.first() {
        Some(Kind::Grouped | Kind::GroupedPointwise) => {
            "no layer of its block mixes its groups; one behind it may be a block of its own"
        }
        _ => "no layer behind it mixes its channels",
    })
}
