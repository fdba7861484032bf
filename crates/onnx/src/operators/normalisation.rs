//! Normalisations.

use convstat_graph::Op;

use crate::builder::Builder;
use crate::call::Call;
use crate::operator::{Draft, Operator};
use crate::shapes;

/// A normalisation whose trained scale and shift are the second and third input; mean and variance of a batch normalisation
/// are no parameters.
macro_rules! norm {
    ($name:literal, $kind:literal) => {
        Operator::new($name, shapes::first).node(|b, d| Ok(norm(b, d, $kind, &[1, 2])))
    };
}

pub(super) const OPERATORS: &[Operator] = &[
    norm!("BatchNormalization", "batch"),
    norm!("InstanceNormalization", "instance"),
    norm!("GroupNormalization", "group"),
    Operator::new("GroupNorm", shapes::unknown).node(|b, d| Ok(norm(b, d, "group", &[1, 2]))),
    norm!("LayerNormalization", "layer"),
    // The second input is a summand.
    Operator::new("SkipLayerNormalization", shapes::first).node(|b, d| Ok(norm(b, d, "layer", &[2, 3, 4]))),
    norm!("RMSNormalization", "rms"),
    norm!("SimplifiedLayerNormalization", "rms"),
    norm!("LRN", "local_response"),
    norm!("LpNormalization", "lp"),
    norm!("MeanVarianceNormalization", "mean_variance"),
];

fn norm(builder: &mut Builder, draft: &Draft, kind: &str, places: &[usize]) -> Op {
    let parameters = places.iter().map(|&place| trained(builder, draft.call, place)).sum();
    Op::Norm { kind: kind.to_owned(), parameters }
}

/// Parameters of an input.
fn trained(builder: &mut Builder, call: &Call, place: usize) -> usize {
    let Some(value) = call.input(place).filter(|v| v.is_constant()) else { return 0 };
    // Exporters write a group normalisation as an instance normalisation of ones and zeros.
    let written = value.origins.iter().all(|&o| builder.tensors.get(o).is_some_and(|t| t.literal));
    let numbers = value.numbers().unwrap_or_default();
    let neutral = !numbers.is_empty() && numbers.iter().all(|&v| v == if place == 1 { 1.0 } else { 0.0 });
    if call.kind == "InstanceNormalization" && written && neutral {
        return 0;
    }
    builder.train([value])
}
