//! Shapes of matrix products and recurrent layers.

use super::super::call::Call;
use super::super::value::{Shape, broadcast};

pub(super) fn gemm(call: &Call) -> Shape {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let at = |flag: &str, plain: usize| if call.int(flag, 0) == 0 { plain } else { 1 - plain };
    Some(vec![a.size(at("transA", 0)), b.size(at("transB", 1))])
}

pub(super) fn matmul(call: &Call) -> Shape {
    let (mut a, mut b) = (call.shape(0)?, call.shape(1)?);
    let swap = |s: &mut Vec<Option<usize>>, flag: &str| {
        if call.int(flag, 0) != 0 && s.len() >= 2 {
            let last = s.len() - 1;
            s.swap(last, last - 1);
        }
    };
    swap(&mut a, "transA");
    swap(&mut b, "transB");
    let (row, column) = (a.len() == 1, b.len() == 1);
    if row {
        a.insert(0, Some(1));
    }
    if column {
        b.push(Some(1));
    }
    let (_, m) = (a.pop()?, a.pop()?);
    let (n, _) = (b.pop()?, b.pop()?);
    let mut shape = broadcast(&Some(a), &Some(b))?;
    if !row {
        shape.push(m);
    }
    if !column {
        shape.push(n);
    }
    Some(shape)
}

/// An `Einsum` of known sizes.
pub(in super::super) struct Einsum {
    pub shape: Shape,
    /// Product of the sizes of all its letters: multiply–accumulates for two operands.
    pub macs: Option<u64>,
}

pub(in super::super) fn einsum(call: &Call) -> Option<Einsum> {
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

/// `Y`, `Y_h` and `Y_c`.
pub(super) fn recurrent(call: &Call) -> Vec<Shape> {
    let given = usize::try_from(call.int("hidden_size", 0)).ok().filter(|&h| h > 0);
    let hidden = given.or(call.input(2).and_then(|r| r.size(2)));
    let directions = call.input(2).and_then(|r| r.size(0));
    let size = |mode| call.input(0).and_then(|x| x.size(mode));
    let (y, last) = if call.int("layout", 0) == 0 {
        (vec![size(0), directions, size(1), hidden], vec![directions, size(1), hidden])
    } else {
        (vec![size(0), size(1), directions, hidden], vec![size(0), directions, hidden])
    };
    vec![Some(y), Some(last.clone()), Some(last)]
}
