//! Entries in another shape: reshape, flatten, squeeze, unsqueeze.

use crate::call::Call;
use crate::operator::Operator;
use crate::shapes::listed;
use crate::value::{Part, Shape, Value, mode, product};
use crate::wire::Reason;

const fn reshaped(name: &'static str, shapes: fn(&Call) -> Result<Vec<Shape>, Reason>) -> Operator {
    Operator::new(name, shapes).moves().fold(|c| c.same()).part(|_, p, v| part(p, v))
}

pub(super) const OPERATORS: &[Operator] = &[
    reshaped("Reshape", |call| Ok(vec![reshape(call)])).first_input_only(),
    reshaped("Flatten", |call| Ok(vec![flatten(call)])),
    reshaped("Squeeze", |call| Ok(vec![squeeze(call)])),
    reshaped("Unsqueeze", |call| Ok(vec![unsqueeze(call)])),
];

/// A stored tensor whose modes stand in the file's order, in another shape.
fn part(part: Part, value: &Value) -> Option<Part> {
    let shape = value.sizes().filter(|s| part.order.is_none() && product(s) == product(&part.shape))?;
    Some(Part { shape, ..part })
}

/// Product of sizes, if all are known.
fn all(sizes: &[Option<usize>]) -> Option<usize> {
    sizes.iter().try_fold(1usize, |n, s| n.checked_mul((*s)?))
}

fn reshape(call: &Call) -> Shape {
    let shape = call.shape(0);
    let target: Vec<Option<f64>> = match call.ints("shape") {
        Some(list) => list.iter().map(|&v| Some(v as f64)).collect(),
        None => match &call.input(1)?.data {
            Some(data) => data.to_vec(),
            None => return listed(call.input(1)?),
        },
    };
    let keep_zero = call.int("allowzero", 0) != 0;
    let kept = |i: usize| shape.as_ref().and_then(|s| s.get(i).copied().flatten());
    let mut sizes: Vec<Option<usize>> = target
        .iter()
        .enumerate()
        .map(|(i, v)| match v {
            Some(v) if *v == 0.0 && !keep_zero => kept(i),
            Some(v) if *v >= 0.0 => Some(*v as usize),
            _ => None,
        })
        .collect();
    // One open size follows from the others, be it -1 or unknown.
    let open: Vec<usize> = sizes.iter().enumerate().filter(|(_, s)| s.is_none()).map(|(i, _)| i).collect();
    if let (&[i], Some(entries)) = (&open[..], shape.as_ref().and_then(|s| all(s))) {
        let rest = sizes.iter().flatten().try_fold(1usize, |n, &s| n.checked_mul(s));
        let size = rest.filter(|&r| r > 0 && entries % r == 0).map(|r| entries / r);
        if let Some(place) = sizes.get_mut(i) {
            *place = size;
        }
    }
    Some(sizes)
}

fn flatten(call: &Call) -> Shape {
    let shape = call.shape(0)?;
    let axis = call.int("axis", 1);
    let at = if axis == shape.len() as i64 { shape.len() } else { mode(axis, shape.len())? };
    Some(vec![all(shape.get(..at)?), all(shape.get(at..)?)])
}

fn squeeze(call: &Call) -> Shape {
    let shape = call.shape(0)?;
    let modes: Vec<usize> = match call.list(1, "axes") {
        Some(axes) => axes.iter().map(|&a| mode(a, shape.len())).collect::<Option<_>>()?,
        None if call.input(1).is_some() || shape.contains(&None) => return None,
        None => shape.iter().enumerate().filter(|(_, s)| **s == Some(1)).map(|(i, _)| i).collect(),
    };
    Some(shape.into_iter().enumerate().filter(|(i, _)| !modes.contains(i)).map(|(_, s)| s).collect())
}

fn unsqueeze(call: &Call) -> Shape {
    let (shape, axes) = (call.shape(0)?, call.list(1, "axes")?);
    let rank = shape.len() + axes.len();
    let modes: Vec<usize> = axes.iter().map(|&a| mode(a, rank)).collect::<Option<_>>()?;
    let mut old = shape.into_iter();
    (0..rank).map(|i| if modes.contains(&i) { Some(Some(1)) } else { old.next() }).collect()
}
