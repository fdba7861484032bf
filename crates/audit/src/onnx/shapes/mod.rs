//! Shapes of what operators make, as far as those of their inputs and constants tell. What is not known is left open; nothing
//! here is an error but attributes that mean nothing.

mod moves;
pub(super) mod products;
pub(super) mod windows;

pub(super) use moves::{order, ranges as slices, shape_range};

use super::call::Call;
use super::value::{Shape, Value, broadcast, mode};
use super::wire::Reason;

/// Modes of a shape that is followed.
const MOST_MODES: usize = 16;

/// Sizes that are believed; larger ones are left open.
fn believed(shape: Shape) -> Shape {
    let shape = shape.filter(|s| s.len() <= MOST_MODES)?;
    Some(shape.into_iter().map(|s| s.filter(|&s| s <= 1 << 32)).collect())
}

/// Shapes of the outputs of a node.
pub(super) fn infer(call: &Call) -> Result<Vec<Shape>, Reason> {
    let one = |shape: Shape| Ok(vec![shape]);
    let shapes: Result<Vec<Shape>, Reason> = match call.kind {
        "Add" | "Sub" | "Mul" | "Div" | "Pow" | "Min" | "Max" | "Sum" | "Mean" | "And" | "Or" | "Xor"
        | "Equal" | "Greater" | "Less" | "GreaterOrEqual" | "LessOrEqual" | "Where" | "Mod" | "BitShift"
        | "BitwiseAnd" => {
            let mut shapes = (0..call.inputs.len()).map(|i| call.shape(i));
            let first = shapes.next().flatten();
            one(shapes.fold(first, |all, next| broadcast(&all, &next)))
        }
        "Conv" => one(windows::conv(call)?),
        "ConvTranspose" => one(windows::conv_transpose(call)?),
        "MaxPool" | "AveragePool" | "LpPool" => {
            let shape = windows::pool(call)?;
            Ok(vec![shape.clone(), shape])
        }
        "GlobalAveragePool" | "GlobalMaxPool" | "GlobalLpPool" => {
            let ones = |(i, s)| if i < 2 { s } else { Some(1) };
            one(call.shape(0).map(|s| s.into_iter().enumerate().map(ones).collect()))
        }
        "Gemm" => one(products::gemm(call)),
        "MatMul" => one(products::matmul(call)),
        "Einsum" => one(products::einsum(call).and_then(|e| e.shape)),
        "LSTM" | "GRU" | "RNN" => Ok(products::recurrent(call)),
        "ArgMax" | "ArgMin" => one(moves::reduce(call, &[call.int("axis", 0)], call.int("keepdims", 1) != 0)),
        kind if kind.starts_with("Reduce") => one(reduction(call)),
        "Shape" => {
            let rank = call.input(0).and_then(Value::rank);
            one(Some(vec![rank.map(|r| moves::shape_range(call, r).len())]))
        }
        "Size" => one(Some(vec![])),
        "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" | "Transpose" | "Concat" | "Slice" | "Gather"
        | "Expand" | "Tile" | "Pad" | "Resize" | "Upsample" | "ConstantOfShape" | "Range"
        | "DepthToSpace" | "SpaceToDepth" | "GatherElements" | "OneHot" | "GridSample" | "GatherND" => {
            one(moves::shape(call))
        }
        "Split" => Ok(moves::split(call)),
        "TopK" => {
            let (axis, k) = (call.int("axis", -1), call.list(1, "k").and_then(|k| k.first().copied()));
            let shape = call.shape(0).map(|mut s| {
                if let Some(size) = mode(axis, s.len()).and_then(|m| s.get_mut(m)) {
                    *size = k.and_then(|k| usize::try_from(k).ok());
                }
                s
            });
            Ok(vec![shape.clone(), shape])
        }
        "NonZero" => one(Some(vec![call.input(0).and_then(Value::rank), None])),
        "BatchNormalization" | "LayerNormalization" | "Dropout" => one(call.shape(0)),
        kind if is_entrywise(kind) => one(call.shape(0)),
        _ => Ok(vec![]),
    };
    Ok(shapes?.into_iter().map(believed).collect())
}

/// Whether an operator leaves the shape of its first input.
pub(super) fn is_entrywise(kind: &str) -> bool {
    const OTHERS: &[&str] = &[
        "InstanceNormalization",
        "GroupNormalization",
        "SkipLayerNormalization",
        "RMSNormalization",
        "LpNormalization",
        "MeanVarianceNormalization",
        "SimplifiedLayerNormalization",
        "LRN",
        "Cast",
        "CastLike",
        "Identity",
        "Trilu",
        "CumSum",
        "ScatterElements",
        "ScatterND",
        "Scatter",
        "ReverseSequence",
        "EyeLike",
        "Not",
        "IsNaN",
        "IsInf",
        "Clip",
        "PRelu",
        "BitwiseNot",
        "RandomNormalLike",
        "RandomUniformLike",
        "Bernoulli",
        "QuantizeLinear",
        "DequantizeLinear",
    ];
    super::kinds::activation(kind).is_some() || OTHERS.contains(&kind)
}

/// Modes that a `Reduce…` takes together; none if they are not known.
pub(super) fn reduced_modes(call: &Call) -> Option<Vec<i64>> {
    let rank = call.input(0)?.rank()? as i64;
    match call.list(1, "axes") {
        Some(axes) if !axes.is_empty() => Some(axes),
        None if call.input(1).is_some() => None,
        _ if call.int("noop_with_empty_axes", 0) != 0 => Some(vec![]),
        _ => Some((0..rank).collect()),
    }
}

fn reduction(call: &Call) -> Shape {
    moves::reduce(call, &reduced_modes(call)?, call.int("keepdims", 1) != 0)
}
