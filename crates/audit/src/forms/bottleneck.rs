//! 1×1, spatial, 1×1 (ResNet).

use crate::factor::Kind::{Pointwise, Spatial};
use crate::form::Form;

pub(super) const FORM: Form = Form {
    name: "bottleneck",
    layers: |run| run.starts(&[Pointwise, Spatial, Pointwise]),
    structure: |f, _| {
        let (kernels, r, r_in) = (f[2].outputs, f[1].outputs, f[1].inputs);
        Some(format!("{{ kind = \"bottleneck\", kernels = {kernels}, r = {r}, r_in = {r_in} }}"))
    },
    chooses_rank: true,
};
