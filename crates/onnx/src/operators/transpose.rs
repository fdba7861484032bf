//! Modes in another order.

use convstat_graph::Op;

use crate::builder::Builder;
use crate::call::Call;
use crate::constants::{Constants, Data};
use crate::operator::{Draft, Operator};
use crate::places::{gathered, position, strides};
use crate::value::{Part, Shape, Value, mode};
use crate::wire::Reason;

pub(super) const OPERATORS: &[Operator] = &[Operator::new("Transpose", |call| Ok(vec![shape(call)]))
    .node(node)
    .fold(fold)
    .part(|call, p, _| part(call, p))];

/// Order of modes; none if it is no order.
fn order(call: &Call, rank: usize) -> Option<Vec<usize>> {
    let Some(perm) = call.ints("perm").filter(|p| !p.is_empty()) else {
        return Some((0..rank).rev().collect());
    };
    let order: Vec<usize> = perm.iter().map(|&p| mode(p, rank)).collect::<Option<_>>()?;
    let mut seen = order.clone();
    seen.sort_unstable();
    seen.iter().copied().eq(0..rank).then_some(order)
}

fn shape(call: &Call) -> Shape {
    let shape = call.shape(0)?;
    let order = order(call, shape.len())?;
    order.iter().map(|&i| shape.get(i).copied()).collect()
}

fn node(_: &mut Builder, draft: &mut Draft) -> Result<Op, Reason> {
    let rank = draft.call.input(0).and_then(Value::rank);
    draft.fact.order = rank.and_then(|r| order(draft.call, r));
    Ok(draft.moved())
}

fn fold(c: &Constants) -> Data {
    let input = c.call.input(0)?.sizes()?;
    let steps = strides(&input);
    let order = order(c.call, input.len())?;
    let steps: Vec<usize> = order.iter().map(|&i| steps.get(i).copied()).collect::<Option<_>>()?;
    let place = |at: Vec<usize>| Some(at.iter().zip(&steps).map(|(i, s)| i * s).sum());
    gathered(c, |entry| place(position(entry, c.sizes)))
}

fn part(call: &Call, part: Part) -> Option<Part> {
    let order = order(call, part.shape.len())?;
    let before = part.order.clone().unwrap_or_else(|| (0..part.shape.len()).collect());
    let order: Option<Vec<usize>> = order.iter().map(|&i| before.get(i).copied()).collect();
    Some(Part { order: Some(order?), ..part })
}
