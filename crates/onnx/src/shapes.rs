//! Shapes of what operators make, as far as those of their inputs and constants tell. What is not known is left open; nothing
//! here is an error but attributes that mean nothing.

use crate::call::Call;
use crate::value::{Shape, Value, broadcast};
use crate::wire::Reason;

/// Modes of a shape that is followed.
const MOST_MODES: usize = 16;

/// Sizes that are believed; larger ones are left open.
pub(crate) fn believed(shape: Shape) -> Shape {
    let shape = shape.filter(|s| s.len() <= MOST_MODES)?;
    Some(shape.into_iter().map(|s| s.filter(|&s| s <= 1 << 32)).collect())
}

/// Nothing is known.
pub(crate) fn unknown(_: &Call) -> Result<Vec<Shape>, Reason> {
    Ok(vec![])
}

/// The shape of the first input.
pub(crate) fn first(call: &Call) -> Result<Vec<Shape>, Reason> {
    Ok(vec![call.shape(0)])
}

/// That of operations on pairs of entries.
pub(crate) fn pairs(call: &Call) -> Result<Vec<Shape>, Reason> {
    let mut shapes = (0..call.inputs.len()).map(|i| call.shape(i));
    let first = shapes.next().flatten();
    Ok(vec![shapes.fold(first, |all, next| broadcast(&all, &next))])
}

/// The shape that a list of numbers gives.
pub(crate) fn listed(list: &Value) -> Shape {
    let size = |v: &Option<f64>| v.filter(|&v| v >= 0.0).map(|v| v as usize);
    match &list.data {
        Some(data) => Some(data.iter().map(size).collect()),
        None => match list.sizes()?[..] {
            [modes] if modes <= 64 => Some(vec![None; modes]),
            _ => None,
        },
    }
}
