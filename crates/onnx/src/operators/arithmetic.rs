//! Operations on pairs of entries.

use convstat_graph::Op;

use crate::builder::{Builder, FEWEST};
use crate::operator::{Draft, Operator};
use crate::shapes;
use crate::tensor::Kind;
use crate::value::{Value, product};
use crate::wire::Reason;

const fn pairs(name: &'static str) -> Operator {
    Operator::new(name, shapes::pairs)
}

const fn comparison(name: &'static str) -> Operator {
    pairs(name).numbers(|_| Kind::BOOL)
}

pub(super) const OPERATORS: &[Operator] = &[
    pairs("Add").node(sum).fold(|c| c.binary(|a, b| a + b)),
    pairs("Sub").node(sum).fold(|c| c.binary(|a, b| a - b)),
    pairs("Sum").node(sum),
    pairs("Mul").node(product_of).fold(|c| c.binary(|a, b| a * b)),
    pairs("Div").node(product_of).fold(|c| {
        let whole = !c.call.input(0)?.kind.is_float();
        c.binary(|a, b| if whole { (a / b).trunc() } else { a / b })
    }),
    pairs("Mod").fold(|c| c.binary(|a, b| a - b * (a / b).floor())),
    pairs("Pow").node(|b, d| Ok(with_constant(b, d, "pow"))).fold(|c| c.binary(f64::powf)),
    pairs("Min").node(|b, d| Ok(with_constant(b, d, "clamp"))).fold(|c| c.binary(f64::min)),
    pairs("Max").node(|b, d| Ok(with_constant(b, d, "clamp"))).fold(|c| c.binary(f64::max)),
    pairs("Mean"),
    pairs("BitShift"),
    pairs("BitwiseAnd"),
    comparison("Equal").fold(|c| c.binary(|a, b| f64::from(a == b))),
    comparison("Greater").fold(|c| c.binary(|a, b| f64::from(a > b))),
    comparison("Less").fold(|c| c.binary(|a, b| f64::from(a < b))),
    comparison("GreaterOrEqual").fold(|c| c.binary(|a, b| f64::from(a >= b))),
    comparison("LessOrEqual").fold(|c| c.binary(|a, b| f64::from(a <= b))),
    comparison("And").fold(|c| c.binary(|a, b| f64::from(a != 0.0 && b != 0.0))),
    comparison("Or").fold(|c| c.binary(|a, b| f64::from(a != 0.0 || b != 0.0))),
    comparison("Xor").fold(|c| c.binary(|a, b| f64::from((a != 0.0) != (b != 0.0)))),
    pairs("Where")
        .numbers(|call| call.input(call.inputs.len().saturating_sub(1)).map_or(Kind::FLOAT, |v| v.kind))
        .fold(|c| {
            let (condition, yes, no) = (c.spread(0)?, c.spread(1)?, c.spread(2)?);
            let values = condition.iter().zip(yes.iter().zip(&no));
            Some(values.map(|(c, (y, n))| c.and_then(|c| if c == 0.0 { *n } else { *y })).collect())
        }),
];

/// A function of one activation and a constant; of two activations another operation.
fn with_constant(builder: &mut Builder, draft: &Draft, kind: &str) -> Op {
    if draft.inputs.len() == 1 {
        return Op::Activation { kind: kind.to_owned(), parameters: 0 };
    }
    draft.other(builder)
}

fn sum(builder: &mut Builder, draft: &mut Draft) -> Result<Op, Reason> {
    Ok(combined(builder, draft, Op::Add, "shift"))
}

fn product_of(builder: &mut Builder, draft: &mut Draft) -> Result<Op, Reason> {
    Ok(combined(builder, draft, Op::Multiply, "scale"))
}

/// A sum or product of activations, or with a constant: one that is trained makes it a norm of this kind.
fn combined(builder: &mut Builder, draft: &mut Draft, plain: Op, trained: &str) -> Op {
    let call = draft.call;
    if draft.inputs.len() > 1 {
        let divided = Op::Other { kind: "div".to_owned(), parameters: 0, macs: 0 };
        return if call.kind == "Div" { divided } else { plain };
    }
    let Some(constant) = call.inputs.iter().flatten().find(|v| v.is_constant()) else { return plain };
    let other = call.inputs.iter().flatten().find(|v| !v.is_constant());
    draft.fact.number = constant.number();
    draft.fact.constant = constant.sizes();
    if call.kind == "Div" && call.input(0).is_some_and(Value::is_constant) {
        return Op::Activation { kind: "reciprocal".to_owned(), parameters: 0 };
    }
    if !matches!(call.kind, "Add" | "Mul") || !other.is_some_and(|x| trains(builder, constant, x)) {
        return plain;
    }
    Op::Norm { kind: trained.to_owned(), parameters: builder.train([constant]) }
}

/// Whether a constant that is added or multiplied is a parameter: floats, more than one, and an initialiser that no exporter
/// computed, or else one number a channel.
fn trains(builder: &Builder, constant: &Value, other: &Value) -> bool {
    let Some(sizes) = constant.sizes().filter(|_| constant.kind.is_float()) else { return false };
    let stored: Vec<_> = constant.origins.iter().filter_map(|&o| builder.tensors.get(o)).collect();
    if !stored.iter().any(|t| t.may_train() && t.entries() >= FEWEST)
        || product(&sizes).is_none_or(|n| n < FEWEST)
    {
        return false;
    }
    if stored.iter().any(|t| !t.literal && !is_computed(&t.name)) {
        return true;
    }
    // Aligned at the end, as constants are spread.
    let Some(rank) = other.rank() else { return false };
    let wide: Vec<usize> = sizes.iter().enumerate().filter(|(_, s)| **s > 1).map(|(i, _)| i).collect();
    let &[place] = &wide[..] else { return false };
    let from_end = sizes.len() - place;
    // Bias of a linear layer; scale and shift of a layer normalisation in pieces.
    let maker = other.node.and_then(|id| builder.nodes.get(id)).map(|n| &n.op);
    let divided = matches!(maker, Some(Op::Other { kind, .. }) if kind == "div");
    let affine = divided || matches!(maker, Some(Op::Linear(_) | Op::Norm { .. }));
    rank >= 4 && rank.checked_sub(from_end) == Some(1) || affine && from_end == 1
}

/// Whether a name is one that an exporter gives to what it computes itself.
fn is_computed(name: &str) -> bool {
    name.contains("Constant") || name.contains("onnx::") || name.ends_with("_output_0")
}
