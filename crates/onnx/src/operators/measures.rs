//! Shapes as numbers.

use std::rc::Rc;

use crate::call::Call;
use crate::constants::Data;
use crate::operator::{Operator, Role};
use crate::tensor::Kind;
use crate::value::Value;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Shape", |call| {
        let rank = call.input(0).and_then(Value::rank);
        Ok(vec![Some(vec![rank.map(|r| range(call, r).len())])])
    })
    .role(Role::Measure(sizes))
    .numbers(|_| Kind::INT64),
    Operator::new("Size", |_| Ok(vec![Some(vec![])])).role(Role::Measure(entries)).numbers(|_| Kind::INT64),
];

/// Modes of which the sizes are taken.
fn range(call: &Call, rank: usize) -> std::ops::Range<usize> {
    let clamp =
        |v: i64| if v < 0 { v.saturating_add(rank as i64).max(0) } else { v.min(rank as i64) } as usize;
    let (start, end) = (clamp(call.int("start", 0)), clamp(call.int("end", i64::MAX)));
    start..end.max(start)
}

fn sizes(call: &Call) -> Data {
    let shape = call.shape(0)?;
    Some(shape.get(range(call, shape.len()))?.iter().map(|s| s.map(|s| s as f64)).collect())
}

fn entries(call: &Call) -> Data {
    call.shape(0)?;
    Some(Rc::new([call.input(0)?.entries().map(|n| n as f64)]))
}
