//! 1×1, grouped, 1×1 (ResNeXt).

use crate::factor::Kind::{Grouped, Pointwise};
use crate::form::Form;

pub(super) const FORM: Form = Form {
    name: "resnext",
    layers: |run| run.starts(&[Pointwise, Grouped, Pointwise]),
    structure: |f, _| {
        let (kernels, groups) = (f[2].outputs, f[1].groups);
        let width = f[1].inputs / groups;
        (f[1].inputs == f[1].outputs).then(|| {
            format!("{{ kind = \"resnext\", cardinality = {groups}, width = {width}, kernels = {kernels} }}")
        })
    },
    chooses_rank: true,
};
