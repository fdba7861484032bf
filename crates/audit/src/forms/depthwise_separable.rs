//! Depthwise, 1×1 (MobileNet).

use crate::factor::Kind::{Depthwise, Pointwise};
use crate::form::Form;

pub(super) const FORM: Form = Form {
    name: "depthwise separable",
    layers: |run| run.starts(&[Depthwise, Pointwise]),
    structure: |f, _| Some(format!("{{ kind = \"depthwise-separable\", kernels = {} }}", f[1].outputs)),
    chooses_rank: false,
};
