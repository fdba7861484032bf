//! Operators that leave values as they are, for an audit: casts, quantisation, dropout.

use crate::call::Call;
use crate::constants::{Constants, Data};
use crate::operator::{Operator, Role};
use crate::shapes;
use crate::tensor::Kind;

const fn pass(name: &'static str) -> Operator {
    Operator::new(name, shapes::first).role(Role::Pass)
}

pub(super) const OPERATORS: &[Operator] = &[
    pass("Identity").fold(|c| c.same()).part(|_, part, _| Some(part)),
    pass("Dropout").fold(|c| c.same()).part(|_, part, _| Some(part)),
    pass("Cast").numbers(cast_kind).fold(cast).part(|_, part, _| Some(part)),
    pass("CastLike").numbers(cast_kind).fold(cast).first_input_only(),
    pass("QuantizeLinear"),
    // The scale of a quantised weight is none of its parameters.
    pass("DequantizeLinear").numbers(|_| Kind::FLOAT).part(|_, part, _| Some(part)).first_input_only(),
    Operator::new("DynamicQuantizeLinear", shapes::unknown).role(Role::Pass),
    Operator::new("Optional", shapes::unknown).role(Role::Pass),
    Operator::new("OptionalGetElement", shapes::unknown).role(Role::Pass),
];

/// Kind of the numbers that a cast makes.
fn cast_kind(call: &Call) -> Kind {
    let like = call.input(1).map_or(Kind::FLOAT, |v| v.kind);
    call.attribute("to").and_then(|a| a.int).map_or(like, Kind)
}

fn cast(c: &Constants) -> Data {
    let whole = !cast_kind(c.call).is_float();
    c.unary(|v| if whole { v.trunc() } else { v })
}
