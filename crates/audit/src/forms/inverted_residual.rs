//! 1×1, depthwise, 1×1 (MobileNetV2, ShuffleNetV2, EfficientNet).

use crate::factor::Kind::{Depthwise, Pointwise};
use crate::form::Form;

pub(super) const FORM: Form = Form {
    name: "inverted residual",
    layers: |run| run.starts(&[Pointwise, Depthwise, Pointwise]),
    structure: |f, _| {
        let (kernels, expanded) = (f[2].outputs, f[1].outputs);
        Some(format!("{{ kind = \"inverted-residual\", expanded = {expanded}, kernels = {kernels} }}"))
    },
    chooses_rank: false,
};
