//! Entries around the edges.

use crate::call::Call;
use crate::operator::Operator;
use crate::value::{Shape, mode};

pub(super) const OPERATORS: &[Operator] = &[Operator::new("Pad", |call| Ok(vec![shape(call)])).moves()];

fn shape(call: &Call) -> Shape {
    let mut shape = call.shape(0)?;
    let open = Some(vec![None; shape.len()]);
    let Some(pads) = call.list(1, "pads").or_else(|| call.ints("paddings").map(<[i64]>::to_vec)) else {
        return open;
    };
    let axes: Vec<usize> = match call.input(3) {
        Some(axes) => match axes.integers() {
            Some(axes) => axes.iter().map(|&a| mode(a, shape.len())).collect::<Option<_>>()?,
            None => return open,
        },
        None => (0..shape.len()).collect(),
    };
    if pads.len() != 2 * axes.len() {
        return open;
    }
    let (front, end) = pads.split_at(axes.len());
    for ((&at, &front), &end) in axes.iter().zip(front).zip(end) {
        if let Some(size) = shape.get_mut(at) {
            let sum = size.and_then(|s| i64::try_from(s).ok()?.checked_add(front)?.checked_add(end));
            *size = sum.and_then(|s| usize::try_from(s).ok());
        }
    }
    Some(shape)
}
