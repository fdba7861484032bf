//! Tensor networks of small factors, in double precision.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use convstat_tensor::{Contraction, Einsum};
use ndarray::{ArrayD, ArrayViewD, IxDyn};

use crate::{EngineError, Result};

/// The network over its operands.
pub fn contract(network: &Einsum, operands: &[ArrayD<f64>]) -> Result<ArrayD<f64>> {
    let mut sizes = BTreeMap::new();
    for (labels, operand) in network.inputs.iter().zip(operands) {
        for (&label, &size) in labels.iter().zip(operand.shape()) {
            if *sizes.entry(label).or_insert(size) != size {
                return Err(EngineError::shape(
                    "composed weights",
                    format!("sizes of label '{label}' differ in {network}"),
                ));
            }
        }
    }
    let views: Vec<ArrayViewD<f64>> = operands.iter().map(|o| o.view()).collect();
    Ok(Contraction::new(network, &sizes)?.run(&views)?)
}

/// A tensor in double precision.
pub fn to_array(t: &Tensor) -> Result<ArrayD<f64>> {
    let entries = t.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
    ArrayD::from_shape_vec(IxDyn(t.dims()), entries)
        .map_err(|e| EngineError::shape("composed weights", e.to_string()))
}
