//! One 1×1 convolution, or a linear layer on every position.

use crate::factor::Kind::Pointwise;
use crate::form::Form;

pub(super) const FORM: Form = Form {
    name: "pointwise",
    layers: |run| run.starts(&[Pointwise]),
    structure: |f, _| Some(format!("{{ kind = \"cnn\", kernels = {} }}", f[0].outputs)),
    chooses_rank: false,
};
