//! Names of operators, in ONNX and here.

/// The activation that an operator is, as PyTorch spells it; functions entry by entry without a name there are called as
/// ONNX does.
pub(super) fn activation(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "Relu" => "relu",
        "LeakyRelu" => "leaky_relu",
        "PRelu" => "prelu",
        "Clip" => "hardtanh",
        "Sigmoid" => "sigmoid",
        "HardSigmoid" => "hardsigmoid",
        "HardSwish" => "hardswish",
        "Elu" => "elu",
        "Selu" => "selu",
        "Celu" => "celu",
        "Gelu" => "gelu",
        "Mish" => "mish",
        "Swish" => "silu",
        "Softmax" => "softmax",
        "LogSoftmax" => "log_softmax",
        "Hardmax" => "hardmax",
        "Softplus" => "softplus",
        "Softsign" => "softsign",
        "ThresholdedRelu" => "threshold",
        "Shrink" => "softshrink",
        "Tanh" => "tanh",
        "Erf" => "erf",
        "Exp" => "exp",
        "Log" => "log",
        "Sqrt" => "sqrt",
        "Reciprocal" => "reciprocal",
        "Neg" => "neg",
        "Abs" => "abs",
        "Floor" => "floor",
        "Ceil" => "ceil",
        "Round" => "round",
        "Sign" => "sign",
        "Sin" => "sin",
        "Cos" => "cos",
        "Tan" => "tan",
        "Asin" => "asin",
        "Acos" => "acos",
        "Atan" => "atan",
        "Sinh" => "sinh",
        "Cosh" => "cosh",
        "Asinh" => "asinh",
        "Acosh" => "acosh",
        "Atanh" => "atanh",
        _ => return None,
    })
}

/// The normalisation that an operator is.
pub(super) fn norm(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "BatchNormalization" => "batch",
        "InstanceNormalization" => "instance",
        "GroupNormalization" | "GroupNorm" => "group",
        "LayerNormalization" | "SkipLayerNormalization" => "layer",
        "RMSNormalization" | "SimplifiedLayerNormalization" => "rms",
        "LRN" => "local_response",
        "LpNormalization" => "lp",
        "MeanVarianceNormalization" => "mean_variance",
        _ => return None,
    })
}

/// Whether an operator only moves or copies entries.
pub(super) fn moves(kind: &str) -> bool {
    matches!(
        kind,
        "Reshape"
            | "Flatten"
            | "Squeeze"
            | "Unsqueeze"
            | "Transpose"
            | "Slice"
            | "Gather"
            | "Expand"
            | "Tile"
            | "Pad"
            | "Resize"
            | "Upsample"
            | "DepthToSpace"
            | "SpaceToDepth"
            | "Split"
            | "GatherElements"
            | "GatherND"
            | "GridSample"
            | "ReverseSequence"
            | "Trilu"
    )
}

/// Whether an operator leaves its first input as it is, for an audit.
pub(super) fn passes(kind: &str) -> bool {
    matches!(
        kind,
        "Identity"
            | "Dropout"
            | "Cast"
            | "CastLike"
            | "QuantizeLinear"
            | "DequantizeLinear"
            | "DynamicQuantizeLinear"
            | "Optional"
            | "OptionalGetElement"
    )
}
