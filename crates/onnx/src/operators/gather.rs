//! Entries by their indices.

use convstat_graph::Op;

use crate::builder::Builder;
use crate::call::Call;
use crate::constants::{Constants, Data};
use crate::operator::{Draft, Operator};
use crate::places::{gathered, position, strides};
use crate::value::{Shape, Value, mode};
use crate::wire::Reason;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Gather", |call| Ok(vec![shape(call)])).node(node).fold(fold).first_input_only(),
    Operator::new("GatherElements", |call| Ok(vec![call.shape(1)])).moves(),
    Operator::new("GatherND", |call| Ok(vec![blocks_shape(call)])).moves(),
];

fn shape(call: &Call) -> Shape {
    let (shape, indices) = (call.shape(0)?, call.shape(1)?);
    let at = mode(call.int("axis", 0), shape.len())?;
    Some([shape.get(..at)?, &indices, shape.get(at + 1..)?].concat())
}

fn blocks_shape(call: &Call) -> Shape {
    let (shape, mut indices) = (call.shape(0)?, call.shape(1)?);
    let batch = usize::try_from(call.int("batch_dims", 0)).ok()?;
    let deep = indices.pop()??;
    indices.extend_from_slice(shape.get(batch.checked_add(deep)?..)?);
    Some(indices)
}

/// A table that indices look up, or a move.
fn node(builder: &mut Builder, draft: &mut Draft) -> Result<Op, Reason> {
    let table = draft.call.input(0).filter(|v| v.is_constant());
    Ok(match table {
        Some(table) => {
            let parameters = builder.train([table]);
            Op::Other { kind: "embedding".to_owned(), parameters, macs: 0 }
        }
        None => draft.moved(),
    })
}

fn fold(c: &Constants) -> Data {
    let input = c.call.input(0)?.sizes()?;
    let steps = strides(&input);
    let axis = mode(c.call.int("axis", 0), input.len())?;
    let (length, modes) = (*input.get(axis)?, c.call.input(1).and_then(Value::rank)?);
    let indices = c.data(1)?;
    let inner = strides(&c.call.input(1)?.sizes()?);
    let one = |at: &[usize]| {
        let (before, rest) = at.split_at_checked(axis)?;
        let (index, after) = rest.split_at_checked(modes)?;
        let place: usize = index.iter().zip(&inner).map(|(i, s)| i * s).sum();
        let index = mode((*indices.get(place)?)? as i64, length)?;
        let at = before.iter().copied().chain([index]).chain(after.iter().copied());
        Some(at.zip(&steps).map(|(i, s)| i * s).sum())
    };
    gathered(c, |entry| one(&position(entry, c.sizes)))
}
