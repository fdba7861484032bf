//! The order in which nodes can be read.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use crate::proto::{GraphProto, NodeProto};
use crate::wire::Reason;

/// Places of the nodes such that each stands after those it reads; the file's own order where it is one.
pub(crate) fn order(nodes: &[NodeProto]) -> Result<Vec<usize>, Reason> {
    let mut makers: HashMap<&str, usize> = HashMap::new();
    for (i, node) in nodes.iter().enumerate() {
        for output in node.outputs.iter().filter(|o| !o.is_empty()) {
            if makers.insert(output, i).is_some() {
                return Err(format!("two operations make \"{output}\"; names of values have to differ"));
            }
        }
    }
    let mut needs: Vec<Vec<usize>> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let mut names = Vec::new();
        reads(node, &mut names);
        let mut makers: Vec<usize> = names.iter().filter_map(|n| makers.get(n).copied()).collect();
        makers.sort_unstable();
        makers.dedup();
        needs.push(makers);
    }
    if needs.iter().enumerate().all(|(i, needs)| needs.iter().all(|&j| j < i)) {
        return Ok((0..nodes.len()).collect());
    }
    let mut left: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut readers = vec![Vec::new(); nodes.len()];
    for (i, needs) in needs.iter().enumerate() {
        for &j in needs {
            if let Some(readers) = readers.get_mut(j) {
                readers.push(i);
            }
        }
    }
    let ready = left.iter().enumerate().filter(|(_, n)| **n == 0).map(|(i, _)| Reverse(i));
    let mut ready: BinaryHeap<Reverse<usize>> = ready.collect();
    let mut order = Vec::with_capacity(nodes.len());
    while let Some(Reverse(i)) = ready.pop() {
        order.push(i);
        for &reader in readers.get(i).into_iter().flatten() {
            if let Some(left) = left.get_mut(reader) {
                *left -= 1;
                if *left == 0 {
                    ready.push(Reverse(reader));
                }
            }
        }
    }
    match left.iter().position(|&n| n > 0) {
        Some(i) => {
            let output = nodes.get(i).and_then(|n| n.outputs.first()).map_or("", String::as_str);
            Err(format!("the operations run in a circle through \"{output}\""))
        }
        None => Ok(order),
    }
}

/// Names that a node reads, with those of the graphs inside it.
fn reads<'m>(node: &'m NodeProto, names: &mut Vec<&'m str>) {
    names.extend(node.inputs.iter().map(String::as_str));
    for graph in node.attributes.iter().filter_map(|a| a.graph.as_deref()) {
        inner(graph, names);
    }
}

fn inner<'m>(graph: &'m GraphProto, names: &mut Vec<&'m str>) {
    for node in &graph.nodes {
        reads(node, names);
    }
    // A graph may return a name of the graph around it.
    names.extend(graph.outputs.iter().map(|o| o.name.as_str()));
}
