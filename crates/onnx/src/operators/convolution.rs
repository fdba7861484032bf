//! Convolutions and transposed convolutions.

use convstat_graph::{Conv, Op};

use super::windows::{self, transposed_sizes};
use crate::builder::Builder;
use crate::call::Call;
use crate::operator::{Draft, Operator};
use crate::value::{Shape, Value};
use crate::wire::Reason;

pub(super) const OPERATORS: &[Operator] = &[
    Operator::new("Conv", |call| Ok(vec![shape(call)?])).node(node).takes_activation(),
    Operator::new("ConvTranspose", |call| Ok(vec![transposed_shape(call)?])).node(node),
];

/// Sizes of the weight, if all are known.
fn weight(call: &Call) -> Option<Vec<usize>> {
    call.input(1)?.sizes().filter(|w| w.len() >= 3)
}

fn shape(call: &Call) -> Result<Shape, Reason> {
    let Some(weight) = weight(call) else { return Ok(None) };
    let kernel = weight.get(2..).unwrap_or_default().to_vec();
    let sizes = windows::spatial(call, kernel.len());
    let output = windows::windows(call, kernel, &sizes)?.output;
    let batch = call.input(0).and_then(|x| x.size(0));
    Ok(Some([vec![batch, weight.first().copied()], output].concat()))
}

fn transposed_shape(call: &Call) -> Result<Shape, Reason> {
    let Some(weight) = weight(call) else { return Ok(None) };
    let output = transposed_sizes(call, weight.get(2..).unwrap_or_default())?;
    let groups = usize::try_from(call.int("group", 1)).unwrap_or(1);
    let channels = weight.get(1).and_then(|c| c.checked_mul(groups));
    Ok(Some([vec![call.input(0).and_then(|x| x.size(0)), channels], output].concat()))
}

fn node(builder: &mut Builder, draft: &mut Draft) -> Result<Op, Reason> {
    let call = draft.call;
    let transposed = call.kind == "ConvTranspose";
    let known = call.input(1).and_then(|w| Some((w, w.sizes().filter(|s| !s.contains(&0))?)));
    let (Some((weight, sizes)), Some(true)) = (known, call.input(1).map(Value::is_constant)) else {
        // A kernel that the network makes.
        return Ok(draft.named(builder, "conv", 0));
    };
    let &[first, second, ref kernel @ ..] = &sizes[..] else {
        return Err("a weight of one mode".to_owned());
    };
    let modes = kernel.len();
    if modes == 0 {
        return Err(format!("a weight of shape {sizes:?}, which has no spatial modes"));
    }
    let groups = call.int("group", 1);
    let groups = usize::try_from(groups).ok().filter(|&g| g > 0 && first % g == 0);
    let Some(groups) = groups else {
        return Err(format!("group = {} for {first} channels: it has to divide them", call.int("group", 1)));
    };
    let other = second.checked_mul(groups).ok_or_else(|| format!("group = {groups} is too large"))?;
    let (inputs, outputs) = if transposed { (first, other) } else { (other, first) };
    let windows = windows::windows(call, kernel.to_vec(), &windows::spatial(call, modes))?;
    let stored = weight
        .part
        .as_ref()
        .and_then(|p| builder.tensors.get(p.tensor)?.weight(p.shape.clone(), p.order.clone()));
    let bias = call.input(2).filter(|b| builder.is_bias(b));
    builder.train(std::iter::once(weight).chain(bias));
    // The shape of a map has its channels, so that operations follow from positions.
    let fits = draft.shape.as_ref().is_none_or(|s| s.get(1).copied().flatten() == Some(outputs));
    if !fits {
        return Err(format!("it makes {outputs} channels, its output has others"));
    }
    Ok(Op::Conv(Conv {
        inputs,
        outputs,
        groups,
        kernel: windows.kernel,
        stride: windows.stride,
        padding: windows.padding,
        dilation: windows.dilation,
        bias: bias.is_some(),
        transposed,
        weight: stored,
    }))
}
