//! Matrix products: layers where the matrix is a constant.

use convstat_graph::{Linear, Op};

use crate::builder::Builder;
use crate::call::Call;
use crate::operator::{Draft, Operator};
use crate::shapes;
use crate::value::{Shape, Value, broadcast, product};
use crate::wire::Reason;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Gemm", |call| Ok(vec![gemm_shape(call)])).node(gemm).takes_activation(),
    Operator::new("MatMul", |call| Ok(vec![matmul_shape(call)])).node(matmul),
    Operator::new("MatMulNBits", shapes::unknown).node(packed),
];

fn gemm_shape(call: &Call) -> Shape {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let at = |flag: &str, plain: usize| if call.int(flag, 0) == 0 { plain } else { 1 - plain };
    Some(vec![a.size(at("transA", 0)), b.size(at("transB", 1))])
}

fn matmul_shape(call: &Call) -> Shape {
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

fn gemm(builder: &mut Builder, draft: &mut Draft) -> Result<Op, Reason> {
    Ok(layer_or_product(builder, draft, draft.call.input(2), "gemm"))
}

fn matmul(builder: &mut Builder, draft: &mut Draft) -> Result<Op, Reason> {
    Ok(layer_or_product(builder, draft, None, "matmul"))
}

fn layer_or_product(builder: &mut Builder, draft: &Draft, bias: Option<&Value>, kind: &str) -> Op {
    let flipped = draft.call.int("transB", 0) == 0;
    let weight = draft.call.input(1).filter(|_| draft.call.int("transA", 0) == 0);
    match weight.and_then(|w| linear(builder, w, flipped, bias)) {
        Some(op) => op,
        None => activations(builder, draft, kind),
    }
}

/// A matrix of constants on the last mode; none if it is none. `flipped`: it stands as inputs × outputs.
fn linear(builder: &mut Builder, weight: &Value, flipped: bool, bias: Option<&Value>) -> Option<Op> {
    let sizes = weight.sizes().filter(|_| weight.is_constant())?;
    let (leading, matrix) = sizes.split_at_checked(sizes.len().checked_sub(2)?)?;
    let &[rows, columns] = matrix else { return None };
    if leading.iter().any(|&s| s != 1) || rows == 0 || columns == 0 {
        return None;
    }
    let (inputs, outputs) = if flipped { (rows, columns) } else { (columns, rows) };
    let part = weight.part.as_ref().filter(|_| leading.is_empty());
    let stored = part.and_then(|p| {
        let mut order = p.order.clone().unwrap_or_else(|| vec![0, 1]);
        if flipped {
            order.reverse();
        }
        let order = Some(order).filter(|o| *o != [0, 1]);
        builder.tensors.get(p.tensor)?.weight(p.shape.clone(), order)
    });
    let bias = bias.filter(|b| builder.is_bias(b));
    builder.train(std::iter::once(weight).chain(bias));
    Some(Op::Linear(Linear { inputs, outputs, bias: bias.is_some(), weight: stored }))
}

/// A product of two activations, or one that is no layer.
fn activations(builder: &mut Builder, draft: &Draft, kind: &str) -> Op {
    let call = draft.call;
    let entries = draft.sizes().and_then(|s| product(&s));
    let first = call.input(0);
    let last = first
        .and_then(Value::rank)
        .and_then(|r| r.checked_sub(if call.int("transA", 0) == 0 { 1 } else { 2 }));
    let inner = first.and_then(|v| v.size(last?));
    let macs = entries.zip(inner).and_then(|(e, k)| (e as u64).checked_mul(k as u64)).unwrap_or(0);
    draft.named(builder, kind, macs / builder.batch.max(1) as u64)
}

/// A matrix of a few bits an entry.
fn packed(builder: &mut Builder, draft: &mut Draft) -> Result<Op, Reason> {
    let call = draft.call;
    let size = |name| usize::try_from(call.int(name, 0)).ok().filter(|&n| n > 0 && n < 1 << 20);
    Ok(if let (Some(inputs), Some(outputs), Some(weight)) = (size("K"), size("N"), call.input(1)) {
        let bias = call.input(5);
        builder.train(std::iter::once(weight).chain(bias));
        Op::Linear(Linear { inputs, outputs, bias: bias.is_some(), weight: None })
    } else {
        let parameters = builder.train_inputs(call, 1);
        Op::Other { kind: "matmulnbits".to_owned(), parameters, macs: 0 }
    })
}
