//! 1×1, spatial (DenseNet).

use crate::factor::Kind::{Pointwise, Spatial};
use crate::form::{Form, einsum};

pub(super) const FORM: Form = Form {
    name: "reduced convolution",
    layers: |run| run.is(&[Pointwise, Spatial]),
    structure: einsum,
    chooses_rank: false,
};
