//! Entries repeated.

use crate::call::Call;
use crate::operator::Operator;
use crate::shapes::listed;
use crate::value::{Shape, broadcast};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Expand", |call| Ok(vec![expand(call)])).moves().fold(|c| {
        let input = c.call.input(0)?;
        if input.entries() != Some(1) {
            return c.open();
        }
        Some(vec![input.number(); c.entries].into())
    }),
    Operator::new("Tile", |call| Ok(vec![tile(call)])).moves(),
];

fn expand(call: &Call) -> Shape {
    broadcast(&call.shape(0), &listed(call.input(1)?))
}

fn tile(call: &Call) -> Shape {
    let (shape, times) = (call.shape(0)?, call.input(1)?.data.clone()?);
    let one = |(s, t): (&Option<usize>, &Option<f64>)| s.zip(*t).and_then(|(s, t)| s.checked_mul(t as usize));
    (shape.len() == times.len()).then(|| shape.iter().zip(times.iter()).map(one).collect())
}
