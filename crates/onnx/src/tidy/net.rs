//! A graph on which patterns are replaced.

use convstat_graph::{Graph, Node, NodeId, Op};

use crate::builder::Fact;

/// A graph on which patterns are replaced.
pub(super) struct Net {
    pub(super) nodes: Vec<Node>,
    pub(super) facts: Vec<Fact>,
    pub(super) readers: Vec<Vec<NodeId>>,
    pub(super) returned: Vec<bool>,
    pub(super) dead: Vec<bool>,
}

impl Net {
    /// The graph as it was read.
    pub(super) fn new(nodes: Vec<Node>, facts: Vec<Fact>, outputs: &[NodeId]) -> Self {
        let mut readers = vec![Vec::new(); nodes.len()];
        for (id, node) in nodes.iter().enumerate() {
            for &input in &node.inputs {
                if let Some(readers) = readers.get_mut(input) {
                    readers.push(id);
                }
            }
        }
        let mut returned = vec![false; nodes.len()];
        for &id in outputs {
            if let Some(flag) = returned.get_mut(id) {
                *flag = true;
            }
        }
        let dead = vec![false; nodes.len()];
        Self { nodes, facts, readers, returned, dead }
    }

    pub(super) fn op(&self, id: NodeId) -> Option<&Op> {
        self.nodes.get(id).map(|n| &n.op)
    }

    pub(super) fn inputs(&self, id: NodeId) -> &[NodeId] {
        self.nodes.get(id).map_or(&[], |n| &n.inputs[..])
    }

    /// The one input of a node that has one.
    pub(super) fn before(&self, id: NodeId) -> Option<NodeId> {
        match self.inputs(id) {
            &[one] => Some(one),
            _ => None,
        }
    }

    /// The one reader of a node that has one.
    pub(super) fn after(&self, id: NodeId) -> Option<NodeId> {
        match self.readers.get(id)?[..] {
            [one] => Some(one),
            _ => None,
        }
    }

    pub(super) fn fact(&self, id: NodeId) -> Option<&Fact> {
        self.facts.get(id)
    }

    pub(super) fn is_activation(&self, id: NodeId, name: &str) -> bool {
        matches!(self.op(id), Some(Op::Activation { kind, .. }) if kind == name)
    }

    pub(super) fn is_move(&self, id: NodeId, name: &str) -> bool {
        matches!(self.op(id), Some(Op::Move { kind }) if kind == name)
    }

    /// Whether a node adds a number.
    pub(super) fn adds(&self, id: NodeId) -> Option<f64> {
        let fact =
            self.fact(id).filter(|_| matches!(self.op(id), Some(Op::Add)) && self.before(id).is_some())?;
        Some(fact.number?).filter(|_| fact.kind == "Add")
    }

    /// The factor of a node that multiplies with a number or divides by one.
    pub(super) fn scales(&self, id: NodeId) -> Option<f64> {
        let fact = self
            .fact(id)
            .filter(|_| matches!(self.op(id), Some(Op::Multiply)) && self.before(id).is_some())?;
        let number = fact.number?;
        Some(if fact.kind == "Div" { 1.0 / number } else { number })
    }

    /// Both factors of a product, each first.
    pub(super) fn factors(&self, id: NodeId) -> Option<[(NodeId, NodeId); 2]> {
        match (self.op(id)?, self.inputs(id)) {
            (Op::Multiply, &[a, b]) => Some([(a, b), (b, a)]),
            _ => None,
        }
    }

    /// Replaces `pieces` and `at`, the last of them, by one operation, if nothing else reads the pieces.
    pub(super) fn replace(
        &mut self,
        at: NodeId,
        pieces: &[NodeId],
        op: Op,
        inputs: Vec<NodeId>,
    ) -> Option<()> {
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

    pub(super) fn activate(
        &mut self,
        at: NodeId,
        pieces: &[NodeId],
        name: &str,
        input: NodeId,
    ) -> Option<()> {
        self.replace(at, pieces, Op::Activation { kind: name.to_owned(), parameters: 0 }, vec![input])
    }

    /// The nodes that are left.
    pub(super) fn compact(self, name: String, outputs: Vec<NodeId>) -> Graph {
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
