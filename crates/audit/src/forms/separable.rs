//! A spatial convolution, then one along another mode (R(2+1)D, separable kernels): their composition is a low-rank kernel on
//! the same window.

use crate::factor::Kind::Spatial;
use crate::form::{Form, Run, einsum};

pub(super) const FORM: Form = Form {
    name: "separable",
    layers: |run| run.starts(&[Spatial, Spatial]).filter(|_| are_separate(run)),
    structure: einsum,
    chooses_rank: false,
};

/// Whether the first two windows share no mode.
fn are_separate(run: &Run) -> bool {
    let (a, b) = (run.factors[0].axes(), run.factors[1].axes());
    !a.is_empty() && !b.is_empty() && a.iter().all(|axis| !b.contains(axis))
}
