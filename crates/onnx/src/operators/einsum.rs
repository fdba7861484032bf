//! Sums over letters.

use convstat_graph::Op;

use crate::builder::Builder;
use crate::call::Call;
use crate::operator::{Draft, Operator};
use crate::value::Shape;
use crate::wire::Reason;

pub(super) const OPERATORS: &[Operator] =
    &[Operator::new("Einsum", |call| Ok(vec![einsum(call).and_then(|e| e.shape)])).node(node)];

/// An `Einsum` of known letters.
struct Einsum {
    shape: Shape,
    /// Product of the sizes of all its letters: multiply–accumulates for two operands.
    macs: Option<u64>,
}

fn einsum(call: &Call) -> Option<Einsum> {
    let equation: String = call.text("equation")?.chars().filter(|c| !c.is_whitespace()).collect();
    let (inputs, output) = equation.split_once("->")?;
    if equation.contains('.') || equation.len() > 256 {
        return None;
    }
    let mut letters: Vec<(char, Option<usize>)> = Vec::new();
    for (i, term) in inputs.split(',').enumerate() {
        for (mode, letter) in term.chars().enumerate() {
            let size = call.input(i).and_then(|v| v.size(mode));
            match letters.iter_mut().find(|(l, _)| *l == letter) {
                Some((_, known)) => *known = known.or(size),
                None => letters.push((letter, size)),
            }
        }
    }
    let shape = output.chars().map(|l| letters.iter().find(|(m, _)| *m == l).and_then(|&(_, s)| s));
    let macs = letters.iter().try_fold(1u64, |n, &(_, s)| n.checked_mul(s? as u64));
    Some(Einsum { shape: Some(shape.collect()), macs })
}

fn node(builder: &mut Builder, draft: &mut Draft) -> Result<Op, Reason> {
    let macs = einsum(draft.call).and_then(|e| e.macs).filter(|_| draft.call.inputs.len() == 2);
    Ok(draft.named(builder, "einsum", macs.unwrap_or(0) / builder.batch.max(1) as u64))
}
