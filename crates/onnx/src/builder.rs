//! The graph under construction: its nodes, and which stored tensors they train.

use std::collections::{HashMap, HashSet};

use convstat_graph::{Node, NodeId, Op};

use crate::call::Call;
use crate::tensor::Stored;
use crate::value::{Shape, Value, product};

/// Bytes of a name.
const LONGEST: usize = 1024;
/// Multiply–accumulates of a network that is believed: 2⁶².
const MOST_MACS: u64 = 1 << 62;
/// Constants of fewer entries are no parameters but numbers of formulas.
pub(crate) const FEWEST: usize = 2;

/// What a node of the graph was in the file, for recognising what exporters take apart.
#[derive(Clone, Default)]
pub(crate) struct Fact {
    /// Operator.
    pub kind: String,
    /// Order of modes of a transposition.
    pub order: Option<Vec<usize>>,
    /// The number that is added or multiplied.
    pub number: Option<f64>,
    /// Shape of the constant that is added or multiplied.
    pub constant: Option<Vec<usize>>,
}

/// A graph under construction.
#[derive(Default)]
pub(crate) struct Builder {
    /// Size of the batch that shapes have.
    pub batch: usize,
    pub nodes: Vec<Node>,
    pub facts: Vec<Fact>,
    pub tensors: Vec<Stored>,
    /// Entries of each stored tensor that are parameters of a layer so far.
    used: Vec<usize>,
    /// Parameters of layers that share their weights with one before.
    pub shared: usize,
    names: HashSet<String>,
    repeats: HashMap<String, usize>,
    prefix: String,
    macs: u64,
}

impl Builder {
    pub(crate) fn new(batch: usize) -> Self {
        Self { batch, ..Self::default() }
    }

    /// Takes over a stored tensor; returns its place.
    pub(crate) fn keep(&mut self, stored: Stored) -> usize {
        self.tensors.push(stored);
        self.used.push(0);
        self.tensors.len() - 1
    }

    /// Lets names begin with that of a function as well; returns the length of the prefix around it.
    pub(crate) fn prefix(&mut self, name: &str) -> usize {
        let outside = self.prefix.len();
        if outside < LONGEST {
            self.prefix += name;
            self.prefix.push('/');
        }
        outside
    }

    /// Goes back to the prefix of this length.
    pub(crate) fn end_prefix(&mut self, outside: usize) {
        self.prefix.truncate(outside);
    }

    /// Appends an operation to the graph.
    pub(crate) fn emit(
        &mut self,
        name: &str,
        op: Op,
        inputs: Vec<NodeId>,
        shape: &Shape,
        fact: Fact,
    ) -> NodeId {
        let sizes = shape.as_ref().and_then(|s| s.iter().copied().collect::<Option<Vec<usize>>>());
        let shape = sizes.map(|s| self.without_batch(s)).unwrap_or_default();
        let name = self.unique(name);
        let mut node = Node { name, op, inputs, shape };
        self.bound_macs(&mut node);
        self.nodes.push(node);
        self.facts.push(fact);
        self.nodes.len() - 1
    }

    /// Leaves out numbers that would overflow.
    fn bound_macs(&mut self, node: &mut Node) {
        let entries = product(&node.shape).unwrap_or(usize::MAX) as u64;
        let by = match &node.op {
            Op::Conv(conv) => conv.weights() as u64,
            Op::Linear(linear) => linear.inputs as u64,
            _ => 1,
        };
        let most = match &node.op {
            Op::Other { macs, .. } => Some((*macs).max(entries)),
            _ => entries.checked_mul(by.max(1)),
        };
        if let Some(sum) = most.and_then(|m| self.macs.checked_add(m)).filter(|&m| m <= MOST_MACS) {
            self.macs = sum;
        } else {
            node.shape = vec![];
            if let Op::Other { macs, .. } = &mut node.op {
                *macs = 0;
            }
        }
    }

    /// Whether a shape has the batch in front.
    pub(crate) fn has_batch(&self, shape: &[usize]) -> bool {
        shape.first() == Some(&self.batch)
    }

    fn without_batch(&self, mut shape: Vec<usize>) -> Vec<usize> {
        let batch = self.batch.max(1);
        match shape.first().copied() {
            Some(first) if first == batch => {
                shape.remove(0);
            }
            // Windows or places in one mode with the batch.
            Some(first) if batch > 1 && first % batch == 0 => {
                if let Some(size) = shape.first_mut() {
                    *size = first / batch;
                }
            }
            // Sequences with the batch second.
            Some(_) if batch > 1 && shape.get(1) == Some(&batch) => {
                shape.remove(1);
            }
            _ => {}
        }
        shape
    }

    /// The name with the function around it, and a number if it is taken.
    fn unique(&mut self, name: &str) -> String {
        let mut full = format!("{}{name}", self.prefix);
        if full.len() > LONGEST {
            let end = (0..=LONGEST).rev().find(|&i| full.is_char_boundary(i)).unwrap_or(0);
            full.truncate(end);
        }
        if self.names.insert(full.clone()) {
            return full;
        }
        let mut number = self.repeats.get(&full).copied().unwrap_or(1);
        loop {
            number += 1;
            let next = format!("{full}#{number}");
            if self.names.insert(next.clone()) {
                self.repeats.insert(full, number);
                return next;
            }
        }
    }

    /// Parameters of a layer that has these values; those that a layer before it has are noted as shared.
    ///
    /// A value that is a piece of stored tensors counts as a piece, one that repeats their entries counts as they.
    pub(crate) fn train<'v>(&mut self, values: impl IntoIterator<Item = &'v Value>) -> usize {
        let mut sum = 0;
        for value in values {
            let places = self.trained(value);
            let entries: usize =
                places.iter().filter_map(|&o| self.tensors.get(o)).map(Stored::entries).sum();
            let amount = value.entries().unwrap_or(entries).min(entries);
            let mut left = amount;
            for place in places {
                if let (Some(stored), Some(used)) = (self.tensors.get(place), self.used.get_mut(place)) {
                    let fresh = left.min(stored.entries().saturating_sub(*used));
                    *used += fresh;
                    left -= fresh;
                }
            }
            self.shared = self.shared.saturating_add(left);
            sum += amount;
        }
        sum
    }

    /// Parameters of the constants among the inputs from a place on, but for single numbers.
    pub(crate) fn train_inputs(&mut self, call: &Call, from: usize) -> usize {
        let trained = |v: &&Value| v.is_constant() && v.entries().is_some_and(|n| n >= FEWEST);
        let values: Vec<Value> = call.inputs.iter().skip(from).flatten().filter(trained).cloned().collect();
        self.train(&values)
    }

    /// Stored tensors of a value that can be parameters; one number that is repeated is none.
    fn trained(&self, value: &Value) -> Vec<usize> {
        let one = value.entries() == Some(1);
        let may = |t: &Stored| t.may_train() && (one || t.entries() > 1);
        value.origins.iter().copied().filter(|&o| self.tensors.get(o).is_some_and(may)).collect()
    }

    /// Whether a constant is a layer's bias: exporters write zeros for those that have none.
    pub(crate) fn is_bias(&self, value: &Value) -> bool {
        let own = value.entries() == Some(1) && value.number() != Some(0.0);
        let may = |o: &usize| self.tensors.get(*o).is_some_and(|t| t.entries() > 1 || !t.literal || own);
        value.is_constant() && value.origins.iter().any(may)
    }

    /// Takes the operations since `mark` back out; returns their parameters and multiply–accumulates.
    pub(crate) fn take_out(&mut self, mark: usize) -> (usize, u64) {
        let inner = self.nodes.get(mark..).unwrap_or_default();
        let sums = (inner.iter().map(Node::parameters).sum(), inner.iter().map(Node::macs).sum());
        self.nodes.truncate(mark);
        self.facts.truncate(mark);
        sums
    }
}
