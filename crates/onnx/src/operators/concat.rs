//! Branches side by side.

use convstat_graph::{NodeId, Op};

use crate::builder::{Builder, FEWEST, Fact};
use crate::call::Call;
use crate::constants::{Constants, Data};
use crate::operator::{Draft, Operator};
use crate::value::{Shape, Value, mode};
use crate::wire::Reason;

pub(super) const OPERATORS: &[Operator] =
    &[Operator::new("Concat", |call| Ok(vec![shape(call)])).node(node).fold(fold)];

fn shape(call: &Call) -> Shape {
    let mut shapes = call.inputs.iter().map(|v| v.as_ref().and_then(|v| v.shape.clone()));
    let mut shape = shapes.next()??;
    let at = mode(call.int("axis", 1), shape.len())?;
    for next in shapes {
        let next = next.filter(|n| n.len() == shape.len())?;
        for (i, (size, other)) in shape.iter_mut().zip(next).enumerate() {
            *size =
                if i == at { size.zip(other).and_then(|(a, b)| a.checked_add(b)) } else { size.or(other) };
        }
    }
    Some(shape)
}

/// Along the first mode entries follow one another; sizes are lists.
fn fold(c: &Constants) -> Data {
    if mode(c.call.int("axis", 0), c.sizes.len()) != Some(0) {
        return None;
    }
    let parts: Option<Vec<_>> = (0..c.call.inputs.len()).map(|i| c.data(i)).collect();
    Some(parts?.iter().flat_map(|p| p.iter().copied()).collect())
}

fn node(builder: &mut Builder, draft: &mut Draft) -> Result<Op, Reason> {
    draft.inputs = joined(builder, draft.call);
    let rank = draft.call.inputs.iter().flatten().find_map(Value::rank).unwrap_or(0);
    let axis = mode(draft.call.int("axis", 1), rank).unwrap_or(1);
    // Without sizes the batch is taken to be in front.
    let dropped = draft.sizes().is_none_or(|s| builder.has_batch(&s));
    Ok(Op::Concat { axis: if dropped { axis.saturating_sub(1) } else { axis } })
}

/// The branches; a trained constant among them (a class token) becomes a node.
fn joined(builder: &mut Builder, call: &Call) -> Vec<NodeId> {
    let mut inputs = Vec::new();
    for value in call.inputs.iter().flatten() {
        if let Some(id) = value.node {
            inputs.push(id);
            continue;
        }
        let large = value.kind.is_float() && value.entries().is_some_and(|n| n >= FEWEST);
        let origin =
            value.origins.first().and_then(|&o| builder.tensors.get(o)).filter(|t| !t.literal && large);
        if let Some(name) = origin.map(|t| t.name.clone()) {
            let parameters = builder.train([value]);
            let op = Op::Other { kind: "parameter".to_owned(), parameters, macs: 0 };
            inputs.push(builder.emit(&name, op, vec![], &value.shape, Fact::default()));
        }
    }
    inputs
}
