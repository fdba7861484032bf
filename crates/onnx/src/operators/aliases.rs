//! Quantised and fused operators of ONNX Runtime: the plain operator, and where its inputs stand among theirs.

/// An operator that is read as a plain one.
pub(crate) struct Alias {
    pub name: &'static str,
    /// The plain operator.
    pub of: &'static str,
    /// Places of the plain operator's inputs.
    pub inputs: &'static [usize],
}

const fn alias(name: &'static str, of: &'static str, inputs: &'static [usize]) -> Alias {
    Alias { name, of, inputs }
}

pub(super) const ALIASES: &[Alias] = &[
    alias("QLinearConv", "Conv", &[0, 3, 8]),
    alias("ConvInteger", "Conv", &[0, 1]),
    alias("FusedConv", "Conv", &[0, 1, 2]),
    alias("NhwcFusedConv", "Conv", &[0, 1, 2]),
    alias("QLinearMatMul", "MatMul", &[0, 3]),
    alias("MatMulInteger", "MatMul", &[0, 1]),
    alias("DynamicQuantizeMatMul", "MatMul", &[0, 1]),
    alias("MatMulIntegerToFloat", "MatMul", &[0, 1]),
    alias("FusedMatMul", "MatMul", &[0, 1]),
    alias("QGemm", "Gemm", &[0, 3, 6]),
    alias("FusedGemm", "Gemm", &[0, 1, 2]),
    alias("DynamicQuantizeLSTM", "LSTM", &[0, 1, 2, 3, 4, 5, 6, 7]),
    alias("QLinearAdd", "Add", &[0, 3]),
    alias("QLinearMul", "Mul", &[0, 3]),
    alias("QLinearSigmoid", "Sigmoid", &[0]),
    alias("QLinearLeakyRelu", "LeakyRelu", &[0]),
    alias("QLinearSoftmax", "Softmax", &[0]),
    alias("QLinearAveragePool", "AveragePool", &[0]),
    alias("QLinearGlobalAveragePool", "GlobalAveragePool", &[0]),
    alias("QLinearConcat", "Concat", &[2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 32]),
    alias("Swish", "Swish", &[0]),
    alias("QuickGelu", "Swish", &[0]),
    alias("FastGelu", "Gelu", &[0]),
    alias("BiasGelu", "Gelu", &[0]),
];
