//! Functions entry by entry.

use convstat_graph::Op;

use crate::builder::Builder;
use crate::call::Call;
use crate::operator::{Draft, Operator, Role};
use crate::shapes;
use crate::tensor::Kind;
use crate::value::Value;
use crate::wire::Reason;

const fn function(name: &'static str, kind: &'static str) -> Operator {
    Operator::new(name, shapes::first).activation(kind).role(Role::Activation)
}

pub(super) const OPERATORS: &[Operator] = &[
    function("Relu", "relu"),
    function("LeakyRelu", "leaky_relu"),
    function("PRelu", "prelu").node(prelu),
    function("Clip", "hardtanh").node(clip),
    function("Sigmoid", "sigmoid"),
    function("HardSigmoid", "hardsigmoid"),
    function("HardSwish", "hardswish"),
    function("Elu", "elu"),
    function("Selu", "selu"),
    function("Celu", "celu"),
    function("Gelu", "gelu"),
    function("Mish", "mish"),
    function("Swish", "silu"),
    function("Softmax", "softmax"),
    function("LogSoftmax", "log_softmax"),
    function("Hardmax", "hardmax"),
    function("Softplus", "softplus"),
    function("Softsign", "softsign"),
    function("ThresholdedRelu", "threshold"),
    function("Shrink", "softshrink"),
    function("Tanh", "tanh"),
    function("Erf", "erf"),
    function("Exp", "exp"),
    function("Log", "log"),
    function("Sqrt", "sqrt").fold(|c| c.unary(f64::sqrt)),
    function("Reciprocal", "reciprocal"),
    function("Neg", "neg").fold(|c| c.unary(|v| -v)),
    function("Abs", "abs").fold(|c| c.unary(f64::abs)),
    function("Floor", "floor").fold(|c| c.unary(f64::floor)),
    function("Ceil", "ceil").fold(|c| c.unary(f64::ceil)),
    function("Round", "round").fold(|c| c.unary(f64::round_ties_even)),
    function("Sign", "sign"),
    function("Sin", "sin"),
    function("Cos", "cos"),
    function("Tan", "tan"),
    function("Asin", "asin"),
    function("Acos", "acos"),
    function("Atan", "atan"),
    function("Sinh", "sinh"),
    function("Cosh", "cosh"),
    function("Asinh", "asinh"),
    function("Acosh", "acosh"),
    function("Atanh", "atanh"),
    // Without a name of their own.
    Operator::new("Not", shapes::first).fold(|c| c.unary(|v| f64::from(v == 0.0))).numbers(|_| Kind::BOOL),
    Operator::new("IsNaN", shapes::first).numbers(|_| Kind::BOOL),
    Operator::new("IsInf", shapes::first).numbers(|_| Kind::BOOL),
    Operator::new("BitwiseNot", shapes::first),
];

fn prelu(builder: &mut Builder, draft: &mut Draft) -> Result<Op, Reason> {
    Ok(Op::Activation { kind: "prelu".to_owned(), parameters: builder.train(draft.call.input(1)) })
}

fn clip(_: &mut Builder, draft: &mut Draft) -> Result<Op, Reason> {
    let bound = |place, name: &str| bound(draft.call, place, name);
    let kind = match (bound(1, "min"), bound(2, "max")) {
        (Some(0.0), Some(6.0)) => "relu6",
        (Some(0.0), None) => "relu",
        _ => "hardtanh",
    };
    Ok(Op::Activation { kind: kind.to_owned(), parameters: 0 })
}

/// A bound of a `Clip`, as an input or as the attribute of older operator sets.
fn bound(call: &Call, place: usize, name: &str) -> Option<f64> {
    match call.attribute(name).and_then(|a| a.float) {
        Some(v) => Some(f64::from(v)),
        None => call.input(place).and_then(Value::number),
    }
}
