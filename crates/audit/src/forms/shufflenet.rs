//! Grouped 1×1, depthwise, grouped 1×1 with shuffled channels (ShuffleNet).

use crate::factor::Kind::{Depthwise, GroupedPointwise, Pointwise};
use crate::form::Form;

pub(super) const FORM: Form = Form {
    name: "shufflenet",
    layers: |run| match run.kinds.as_slice() {
        [GroupedPointwise | Pointwise, Depthwise, GroupedPointwise, ..]
        | [GroupedPointwise, Depthwise, Pointwise, ..] => Some(3),
        _ => None,
    },
    structure: |f, _| {
        let (kernels, channels, g) = (f[2].outputs, f[1].outputs, f[0].groups);
        let fits = g > 1 && f[2].groups == g && channels.is_multiple_of(g * g);
        fits.then(|| {
            format!(
                "{{ kind = \"shufflenet\", conv_groups = {g}, channels = {channels}, kernels = {kernels} }}"
            )
        })
    },
    chooses_rank: true,
};
