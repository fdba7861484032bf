//! Grouped blocks: `resnext` (Xie et al. 2017) and `shufflenet` (Zhang et al. 2018). Grouped convolution is block
//! structure on the channel mode (THEORY §2). The last mode is the channels.

use serde::Deserialize;

use super::bottleneck::space_and_channel;
use super::draft::Draft;
use super::family::Family;
use crate::error::bad_key;
use crate::{Counts, Result, Structure};

/// Keys of kind `resnext`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNext {
    /// Groups (cardinality).
    pub cardinality: usize,
    /// Channels of one group.
    pub width: usize,
    /// Output channels `K`.
    pub kernels: usize,
}

/// Keys of kind `shufflenet`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShuffleNet {
    /// Groups of both pointwise convolutions; divides the input channels and `kernels`, its square `channels`.
    pub conv_groups: usize,
    /// Channels between the pointwise convolutions, `R`.
    pub channels: usize,
    /// Output channels `K`.
    pub kernels: usize,
}

fn counts(structure: &Structure, kernels: usize, rank: usize) -> Counts {
    Counts {
        d_m: structure.d_m(),
        kernels: Some(kernels),
        rank: Some(rank),
        factored_kernels: true,
        ..Counts::default()
    }
}

impl Family for ResNext {
    /// A bottleneck whose spatial convolution maps each group of channels to itself, `R = cardinality · width`:
    /// `pk,kqn,qnabm,cqm->pabc`. `d_M` by count, `df` by the Jacobian's rank.
    fn build(&self, mut draft: Draft) -> Result<Structure> {
        let (space, channel) = space_and_channel(&draft)?;
        let k = draft.bond('k', "kernels", self.kernels)?;
        let group = draft.bond('q', "cardinality", self.cardinality)?;
        let (to, from) = (draft.bond('n', "width", self.width)?, draft.bond('m', "width", self.width)?);
        draft.head(&[k])?;
        draft.factor(&[&[k], &[group, to]]);
        draft.factor(&[&[group, to], &space, &[from]]);
        draft.factor(&[&[channel], &[group, from]]);
        let structure =
            draft.build(&format!("resnext({}x{},K={})", self.cardinality, self.width, self.kernels))?;
        let counts = counts(&structure, self.kernels, self.cardinality * self.width);
        Ok(structure.with_counts(counts))
    }
}

impl Family for ShuffleNet {
    /// Grouped 1×1, channel shuffle, depthwise, grouped 1×1. Inner channel `(u, y, x)` is made by input group u and
    /// read, after the shuffle, by output group y: `pyn,ynux,uyxab,uyxv->pabuv`. `d_M` by count, `df` by the Jacobian's
    /// rank.
    fn build(&self, mut draft: Draft) -> Result<Structure> {
        let (space, _) = space_and_channel(&draft)?;
        let g = self.conv_groups;
        let divides = |square: usize| self.kernels.is_multiple_of(g) && self.channels.is_multiple_of(square);
        if g == 0 || !g.checked_mul(g).is_some_and(divides) {
            let (kernels, channels) = (self.kernels, self.channels);
            let reason = format!(
                "conv_groups = {g} has to divide kernels = {kernels} and its square channels = {channels}"
            );
            return bad_key("conv_groups", reason);
        }
        draft.split_tap(draft.taps.len() - 1, ['u', 'v'], g, "conv_groups")?;
        let y = draft.bond('y', "conv_groups", g)?;
        let n = draft.bond('n', "kernels", self.kernels / g)?;
        let x = draft.bond('x', "channels", self.channels / (g * g))?;
        draft.head(&[y, n])?;
        draft.factor(&[&[y, n, 'u', x]]);
        draft.factor(&[&['u', y, x], &space]);
        draft.factor(&[&['u', y, x, 'v']]);
        let structure = draft.build(&format!("shufflenet(g={g},R={},K={})", self.channels, self.kernels))?;
        let counts = counts(&structure, self.kernels, self.channels);
        Ok(structure.with_counts(counts))
    }
}
