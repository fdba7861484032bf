//! `depthwise-separable` (MobileNetV1, Howard et al. 2017), `pk,kc,cab->pabc`, and `inverted-residual` (MobileNetV2,
//! Sandler et al. 2018), `pk,kr,abr,cr->pabc`: CP over the groups (space), (channel) (THEORY §2). The last mode is
//! the channels.

use serde::Deserialize;

use super::bottleneck::space_and_channel;
use super::draft::Draft;
use super::family::Family;
use crate::{Counts, Result, Structure};

/// Keys of kind `depthwise-separable`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepthwiseSeparable {
    /// Output channels `K`.
    pub kernels: usize,
}

/// Keys of kind `inverted-residual`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvertedResidual {
    /// Expanded channels `R` (MobileNetV2: 6 times the input channels).
    pub expanded: usize,
    /// Output channels `K`.
    pub kernels: usize,
}

fn finish(draft: Draft, name: &str, kernels: usize, rank: usize) -> Result<Structure> {
    let structure = draft.build(name)?;
    let d_m = structure.d_m();
    Ok(structure.with_counts(Counts {
        d_m,
        kernels: Some(kernels),
        rank: Some(rank),
        factored_kernels: true,
        ..Counts::default()
    }))
}

impl Family for DepthwiseSeparable {
    /// The inverted residual with `R = C` and the input-channel factor fixed to the identity. `d_M` by count,
    /// `df` by the Jacobian's rank.
    fn build(&self, mut draft: Draft) -> Result<Structure> {
        let (space, channel) = space_and_channel(&draft)?;
        let k = draft.bond('k', "kernels", self.kernels)?;
        let channels = draft.size(&[channel]);
        draft.head(&[k])?;
        draft.factor(&[&[k], &[channel]]);
        draft.factor(&[&[channel], &space]);
        finish(draft, &format!("depthwise-separable(K={})", self.kernels), self.kernels, channels)
    }
}

impl Family for InvertedResidual {
    /// `d_M` by count, `df` by the Jacobian's rank.
    fn build(&self, mut draft: Draft) -> Result<Structure> {
        let (space, channel) = space_and_channel(&draft)?;
        let k = draft.bond('k', "kernels", self.kernels)?;
        let r = draft.bond('r', "expanded", self.expanded)?;
        draft.head(&[k])?;
        draft.factor(&[&[k], &[r]]);
        draft.factor(&[&space, &[r]]);
        draft.factor(&[&[channel], &[r]]);
        let name = format!("inverted-residual(R={},K={})", self.expanded, self.kernels);
        finish(draft, &name, self.kernels, self.expanded)
    }
}
