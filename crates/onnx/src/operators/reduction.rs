//! Modes taken together.

use convstat_graph::Op;

use crate::builder::Builder;
use crate::call::Call;
use crate::constants::{Constants, Data};
use crate::operator::{Draft, Operator};
use crate::tensor::Kind;
use crate::value::{Shape, Value, mode};

const fn reduction(name: &'static str) -> Operator {
    Operator::new(name, |call| Ok(vec![shape(call)]))
}

const fn place(name: &'static str) -> Operator {
    Operator::new(name, |call| Ok(vec![reduce(call, &[call.int("axis", 0)], call.int("keepdims", 1) != 0)]))
        .numbers(|_| Kind::INT64)
}

pub(super) const OPERATORS: &[Operator] = &[
    reduction("ReduceMean").node(|b, d| Ok(pool(b, d, "average"))),
    reduction("ReduceMax").node(|b, d| Ok(pool(b, d, "max"))).fold(|c| whole(c, |all| all.reduce(f64::max))),
    reduction("ReduceMin").fold(|c| whole(c, |all| all.reduce(f64::min))),
    reduction("ReduceSum").fold(|c| whole(c, |all| Some(all.sum()))),
    reduction("ReduceProd").fold(|c| whole(c, |all| Some(all.product()))),
    reduction("ReduceL1"),
    reduction("ReduceL2"),
    reduction("ReduceLogSum"),
    reduction("ReduceLogSumExp"),
    reduction("ReduceSumSquare"),
    place("ArgMax"),
    place("ArgMin"),
];

/// Modes that are taken together; none if they are not known.
fn modes(call: &Call) -> Option<Vec<i64>> {
    let rank = call.input(0)?.rank()? as i64;
    match call.list(1, "axes") {
        Some(axes) if !axes.is_empty() => Some(axes),
        None if call.input(1).is_some() => None,
        _ if call.int("noop_with_empty_axes", 0) != 0 => Some(vec![]),
        _ => Some((0..rank).collect()),
    }
}

fn shape(call: &Call) -> Shape {
    reduce(call, &modes(call)?, call.int("keepdims", 1) != 0)
}

/// Shape after modes are taken together.
fn reduce(call: &Call, axes: &[i64], keep: bool) -> Shape {
    let shape = call.shape(0)?;
    let modes: Vec<usize> = axes.iter().map(|&a| mode(a, shape.len())).collect::<Option<_>>()?;
    let sizes = shape.into_iter().enumerate().map(|(i, s)| if modes.contains(&i) { Some(1) } else { s });
    if keep {
        return Some(sizes.collect());
    }
    Some(sizes.enumerate().filter(|(i, _)| !modes.contains(i)).map(|(_, s)| s).collect())
}

/// All entries taken together.
fn whole(c: &Constants, of: impl Fn(std::vec::IntoIter<f64>) -> Option<f64>) -> Data {
    if c.entries != 1 {
        return c.open();
    }
    let all: Option<Vec<f64>> = c.data(0)?.iter().copied().collect();
    Some([of(all?.into_iter())].into())
}

/// A mean or maximum over all modes of space is a global pool.
fn pool(builder: &mut Builder, draft: &Draft, kind: &str) -> Op {
    if spans_map(draft.call) {
        return Op::Pool { kind: kind.to_owned(), global: true };
    }
    draft.other(builder)
}

/// Whether a reduction is over all modes of space: all but batch and channels, first or last, or the places of a sequence.
fn spans_map(call: &Call) -> bool {
    let (Some(axes), Some(rank)) = (modes(call), call.input(0).and_then(Value::rank)) else {
        return false;
    };
    let mut modes: Vec<usize> = axes.iter().filter_map(|&a| mode(a, rank)).collect();
    modes.sort_unstable();
    let first = modes.iter().copied().eq(2..rank) && rank >= 4;
    let last = modes.iter().copied().eq(1..rank.saturating_sub(1)) && rank >= 3;
    first || last
}
