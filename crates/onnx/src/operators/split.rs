//! Pieces along a mode.

use crate::call::Call;
use crate::operator::{Operator, Role};
use crate::value::{Shape, mode};

pub(super) const OPERATORS: &[Operator] =
    &[Operator::new("Split", |call| Ok(shapes(call))).role(Role::Split)];

fn shapes(call: &Call) -> Vec<Shape> {
    let outputs = call.outputs;
    let open = vec![None; outputs];
    let Some(shape) = call.shape(0) else { return open };
    let Some(at) = mode(call.int("axis", 0), shape.len()) else { return open };
    let size = shape.get(at).copied().flatten();
    let parts: Vec<Option<usize>> = match call.list(1, "split") {
        Some(parts) => parts.iter().map(|&p| usize::try_from(p).ok()).collect(),
        None if call.input(1).is_some() => vec![None; outputs],
        None => {
            let part = size.map(|s| s.div_ceil(outputs.max(1)));
            let one = |i: usize| size.zip(part).map(|(s, p)| p.min(s.saturating_sub(p.saturating_mul(i))));
            (0..outputs).map(one).collect()
        }
    };
    let with = |part: &Option<usize>| {
        let mut shape = shape.clone();
        if let Some(size) = shape.get_mut(at) {
            *size = *part;
        }
        Some(shape)
    };
    parts.iter().take(outputs).map(with).collect()
}
