//! One spatial convolution over all channels.

use crate::factor::Kind::Spatial;
use crate::form::Form;

pub(super) const FORM: Form = Form {
    name: "convolution",
    layers: |run| run.starts(&[Spatial]),
    structure: |f, _| Some(format!("{{ kind = \"cnn\", kernels = {} }}", f[0].outputs)),
    chooses_rank: false,
};
