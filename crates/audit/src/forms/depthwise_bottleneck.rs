//! Depthwise, 1×1, 1×1 (ConvNeXt).

use crate::factor::Kind::{Depthwise, Pointwise};
use crate::form::{Form, einsum};

pub(super) const FORM: Form = Form {
    name: "depthwise bottleneck",
    layers: |run| run.is(&[Depthwise, Pointwise, Pointwise]),
    structure: einsum,
    chooses_rank: false,
};
