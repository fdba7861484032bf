//! Operators that make tensors from sizes or numbers.

use crate::call::Call;
use crate::operator::Operator;
use crate::shapes::{first, listed, unknown};
use crate::tensor::Kind;
use crate::value::{Shape, Value, mode};

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("ConstantOfShape", |call| Ok(vec![listed_first(call)]))
        .fold(|c| Some(vec![c.fill; c.entries].into())),
    Operator::new("Range", |call| Ok(vec![range(call)])).fold(|c| {
        let (from, step) = (c.call.input(0)?.number()?, c.call.input(2)?.number()?);
        Some((0..c.entries).map(|i| Some(from + step * i as f64)).collect())
    }),
    Operator::new("OneHot", |call| Ok(vec![one_hot(call)]))
        .numbers(|call| call.input(call.inputs.len().saturating_sub(1)).map_or(Kind::FLOAT, |v| v.kind)),
    Operator::new("EyeLike", first).numbers(|_| Kind::FLOAT),
    Operator::new("RandomNormal", unknown).numbers(|_| Kind::FLOAT),
    Operator::new("RandomUniform", unknown).numbers(|_| Kind::FLOAT),
    Operator::new("RandomNormalLike", first),
    Operator::new("RandomUniformLike", first),
    Operator::new("Bernoulli", first),
];

fn listed_first(call: &Call) -> Shape {
    listed(call.input(0)?)
}

fn range(call: &Call) -> Shape {
    let at = |i| call.input(i).and_then(Value::number);
    let count = at(0).zip(at(1)).zip(at(2)).map(|((from, to), step)| ((to - from) / step).ceil().max(0.0));
    Some(vec![count.filter(|n| n.is_finite()).map(|n| n as usize)])
}

fn one_hot(call: &Call) -> Shape {
    let mut shape = call.shape(0)?;
    let at = mode(call.int("axis", -1), shape.len() + 1)?;
    let depth = call.input(1).and_then(Value::number).map(|d| d as usize);
    shape.insert(at, depth);
    Some(shape)
}
