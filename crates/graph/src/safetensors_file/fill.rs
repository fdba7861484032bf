//! Weights into the graph of a known architecture.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::modules::{Kind, modules};
use super::tensors::Tensor;
use crate::{Graph, NodeId, Op};

/// Pieces of a prefix, at most.
const MOST_PREFIX: usize = 8;

/// Puts weights into layers.
pub(super) fn fill(mut graph: Graph, tensors: Vec<Tensor>) -> Result<Graph, String> {
    let layers: Vec<NodeId> = (0..graph.nodes.len()).filter(|&id| shape(&graph, id).is_some()).collect();
    let last = layers.last().copied();
    let by_name = named(&graph, &layers, &tensors);
    if by_name.is_empty() {
        let ordered = in_order(&graph, &layers, tensors)?;
        for (id, tensor) in ordered {
            put(&mut graph, id, &tensor);
        }
        return Ok(graph);
    }
    for (id, tensor) in by_name {
        let expected = shape(&graph, id).unwrap_or_default();
        if trimmed(&tensor.shape) == trimmed(&expected) {
            put(&mut graph, id, tensor);
        } else if Some(id) == last
            && graph.outputs.contains(&id)
            && tensor.shape.get(1..) == expected.get(1..)
        {
            resize(&mut graph, id, tensor.shape.first().copied().unwrap_or(0));
            put(&mut graph, id, tensor);
        } else {
            return Err(format!(
                "\"{}\" has shape {:?}, the architecture's has {expected:?}: these are weights of another network",
                tensor.name, tensor.shape
            ));
        }
    }
    Ok(graph)
}

/// The shape of a layer's weight.
fn shape(graph: &Graph, id: NodeId) -> Option<Vec<usize>> {
    match &graph.nodes.get(id)?.op {
        Op::Conv(c) => {
            let groups = c.groups.max(1);
            let mut shape = if c.transposed {
                vec![c.inputs, c.outputs / groups]
            } else {
                vec![c.outputs, c.inputs / groups]
            };
            shape.extend(&c.kernel);
            Some(shape)
        }
        Op::Linear(l) => Some(vec![l.outputs, l.inputs]),
        _ => None,
    }
}

/// A linear layer and a 1×1 convolution hold the same numbers.
fn trimmed(shape: &[usize]) -> &[usize] {
    let matrix = shape.len() > 2 && shape.iter().skip(2).all(|&k| k == 1);
    if matrix { shape.get(..2).unwrap_or(shape) } else { shape }
}

/// Each layer's tensor by its name behind the prefix that most of them have (often none, or `model.`).
fn named<'a>(graph: &Graph, layers: &[NodeId], tensors: &'a [Tensor]) -> Vec<(NodeId, &'a Tensor)> {
    let name = |id: NodeId| graph.nodes.get(id).map_or("", |n| n.name.as_str());
    let names: HashSet<&str> = layers.iter().map(|&id| name(id)).collect();
    let mut prefixes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut paths: HashMap<&str, &Tensor> = HashMap::new();
    for tensor in tensors {
        let Some(path) = tensor.name.strip_suffix(".weight") else { continue };
        paths.insert(path, tensor);
        let dots = path.match_indices('.').take(MOST_PREFIX).map(|(at, _)| at + 1);
        for (prefix, end) in std::iter::once(0).chain(dots).filter_map(|at| path.split_at_checked(at)) {
            if names.contains(end) {
                *prefixes.entry(prefix).or_default() += 1;
            }
        }
    }
    // The first, so the shortest, of those with the most layers.
    let prefix = prefixes.iter().rev().max_by_key(|(_, count)| **count).map_or("", |(prefix, _)| *prefix);
    let find = |&id: &NodeId| Some((id, *paths.get(format!("{prefix}{}", name(id)).as_str())?));
    layers.iter().filter_map(find).collect()
}

/// Layers and tensors in order, if as many of the same shapes.
fn in_order(graph: &Graph, layers: &[NodeId], tensors: Vec<Tensor>) -> Result<Vec<(NodeId, Tensor)>, String> {
    let stored: Vec<Tensor> = modules(tensors)
        .into_iter()
        .filter_map(|m| match m.kind {
            Kind::Conv { weight, .. } | Kind::Linear { weight, .. } => Some(weight),
            _ => None,
        })
        .collect();
    let names = |what: &str| format!("the file and the architecture share no name of a layer, and {what}");
    if stored.len() != layers.len() {
        return Err(names(&format!("have {} and {} layers", stored.len(), layers.len())));
    }
    for (&id, tensor) in layers.iter().zip(&stored) {
        let expected = shape(graph, id).unwrap_or_default();
        if trimmed(&tensor.shape) != trimmed(&expected) {
            return Err(names(&format!(
                "\"{}\" has shape {:?} instead of {expected:?}",
                tensor.name, tensor.shape
            )));
        }
    }
    Ok(layers.iter().copied().zip(stored).collect())
}

fn put(graph: &mut Graph, id: NodeId, tensor: &Tensor) {
    match graph.nodes.get_mut(id).map(|n| &mut n.op) {
        Some(Op::Conv(c)) => c.weight = tensor.weight(),
        Some(Op::Linear(l)) => l.weight = tensor.weight(),
        _ => {}
    }
}

/// Another number of classes.
fn resize(graph: &mut Graph, id: NodeId, outputs: usize) {
    let Some(node) = graph.nodes.get_mut(id) else { return };
    match &mut node.op {
        Op::Linear(l) => {
            l.outputs = outputs;
            if let Some(last) = node.shape.last_mut() {
                *last = outputs;
            }
        }
        Op::Conv(c) => {
            c.outputs = outputs;
            if let Some(first) = node.shape.first_mut() {
                *first = outputs;
            }
        }
        _ => {}
    }
}
