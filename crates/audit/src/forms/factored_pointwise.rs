//! 1×1, 1×1: a factored matrix (the MLP of a transformer).

use crate::factor::Kind::Pointwise;
use crate::form::{Form, einsum};

pub(super) const FORM: Form = Form {
    name: "factored pointwise",
    layers: |run| run.is(&[Pointwise, Pointwise]),
    structure: einsum,
    chooses_rank: false,
};
