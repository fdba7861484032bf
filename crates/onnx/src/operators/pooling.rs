//! Maximum and mean over windows.

use convstat_graph::Op;

use super::windows::{spatial, windows};
use crate::builder::Builder;
use crate::call::Call;
use crate::operator::{Draft, Operator};
use crate::value::Shape;
use crate::wire::Reason;

const fn pool(name: &'static str) -> Operator {
    Operator::new(name, shapes).node(node)
}

const fn global(name: &'static str) -> Operator {
    Operator::new(name, global_shape).node(global_node)
}

pub(super) const OPERATORS: &[Operator] = &[
    pool("MaxPool"),
    pool("AveragePool"),
    pool("LpPool"),
    global("GlobalMaxPool"),
    global("GlobalAveragePool"),
    global("GlobalLpPool"),
];

/// Of the values, and of the places of the maxima.
fn shapes(call: &Call) -> Result<Vec<Shape>, Reason> {
    let modes = call.ints("kernel_shape").map_or(0, <[i64]>::len);
    let kernel = call.positive("kernel_shape", modes)?;
    let output = windows(call, kernel, &spatial(call, modes))?.output;
    let size = |mode| call.input(0).and_then(|x| x.size(mode));
    let shape = Some([vec![size(0), size(1)], output].concat());
    Ok(vec![shape.clone(), shape])
}

fn global_shape(call: &Call) -> Result<Vec<Shape>, Reason> {
    let ones = |(i, s)| if i < 2 { s } else { Some(1) };
    Ok(vec![call.shape(0).map(|s| s.into_iter().enumerate().map(ones).collect())])
}

fn node(_: &mut Builder, draft: &mut Draft) -> Result<Op, Reason> {
    let call = draft.call;
    let modes = call.ints("kernel_shape").map_or(0, <[i64]>::len);
    let kernel = call.positive("kernel_shape", modes)?;
    let sizes: Option<Vec<usize>> = spatial(call, modes).into_iter().collect();
    let points = draft.shape.as_ref().is_some_and(|s| s.iter().skip(2).all(|&n| n == Some(1)));
    let kind = call.kind.trim_end_matches("Pool").to_lowercase();
    Ok(Op::Pool { kind, global: modes > 0 && points && sizes.as_deref() == Some(&kernel[..]) })
}

fn global_node(_: &mut Builder, draft: &mut Draft) -> Result<Op, Reason> {
    let kind = draft.call.kind.trim_start_matches("Global").trim_end_matches("Pool").to_lowercase();
    Ok(Op::Pool { kind, global: true })
}
