//! Entries chosen by their values or by other maps.

use crate::call::Call;
use crate::operator::Operator;
use crate::shapes::first;
use crate::tensor::Kind;
use crate::value::{Shape, Value, mode};
use crate::wire::Reason;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("TopK", top),
    Operator::new("NonZero", |call| Ok(vec![Some(vec![call.input(0).and_then(Value::rank), None])]))
        .numbers(|_| Kind::INT64),
    Operator::new("GridSample", |call| Ok(vec![sampled(call)])).moves(),
    Operator::new("Trilu", first).moves(),
    Operator::new("ReverseSequence", first).moves(),
    Operator::new("CumSum", first),
    Operator::new("Scatter", first),
    Operator::new("ScatterElements", first),
    Operator::new("ScatterND", first),
];

/// Of the largest entries and their places.
fn top(call: &Call) -> Result<Vec<Shape>, Reason> {
    let (axis, k) = (call.int("axis", -1), call.list(1, "k").and_then(|k| k.first().copied()));
    let shape = call.shape(0).map(|mut s| {
        if let Some(size) = mode(axis, s.len()).and_then(|m| s.get_mut(m)) {
            *size = k.and_then(|k| usize::try_from(k).ok());
        }
        s
    });
    Ok(vec![shape.clone(), shape])
}

fn sampled(call: &Call) -> Shape {
    let (x, grid) = (call.shape(0)?, call.shape(1)?);
    let end = grid.len().checked_sub(1)?;
    Some([x.get(..2)?, grid.get(1..end)?].concat())
}
