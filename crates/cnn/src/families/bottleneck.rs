//! `bottleneck`: ResNet's 1×1 → spatial → 1×1 block, Tucker kernels with uncompressed space and ranks on the
//! input and output channels, `pk,kr,rabx,cx->pabc` (He et al. 2016; THEORY §2). The last mode is the channels.

use serde::Deserialize;

use super::draft::Draft;
use super::family::Family;
use super::tucker::clamp;
use crate::error::bad_structure;
use crate::{Counts, Result, Structure};

/// Keys of kind `bottleneck`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bottleneck {
    /// Output channels `K` (ResNet: 4R).
    pub kernels: usize,
    /// Channels `R` of the spatial convolution's output.
    pub r: usize,
    /// Channels of its input (default R, as in ResNet).
    pub r_in: Option<usize>,
}

/// Space labels and the channel label.
pub(super) fn space_and_channel(draft: &Draft) -> Result<(Vec<char>, char)> {
    match draft.taps.split_last() {
        Some((&channel, space)) if !space.is_empty() => Ok((space.to_vec(), channel)),
        _ => bad_structure(format!(
            "{} kernel mode; a block needs space and, as its last mode, channels",
            draft.taps.len()
        )),
    }
}

impl Family for Bottleneck {
    /// With `S` spatial taps, `C` channels and `R_in`: `d_M = R S R_in + R_in C + RP` by count and
    /// `df = R S R_in + R_in(C − R_in) + R(P − R)` at clamped ranks.
    fn build(&self, mut draft: Draft) -> Result<Structure> {
        let (space, channel) = space_and_channel(&draft)?;
        let r_in = self.r_in.unwrap_or(self.r);
        let k = draft.bond('k', "kernels", self.kernels)?;
        let r = draft.bond('r', "r", self.r)?;
        let x = draft.bond('x', "r_in", r_in)?;
        draft.head(&[k])?;
        draft.factor(&[&[k], &[r]]);
        draft.factor(&[&[r], &space, &[x]]);
        draft.factor(&[&[channel], &[x]]);
        let (p, full) = (draft.head_size(), draft.head_is_full());
        let (s, c) = (draft.size(&space), draft.size(&[channel]));
        let structure = draft.build(&format!("bottleneck(R={},R_in={r_in},K={})", self.r, self.kernels))?;
        let d_m = structure.d_m();
        let (r, ranks) = clamp(self.r, &[s, r_in], &[s, c], self.kernels, p);
        // Where R and R_in cannot fill the spatial mode, this is Tucker with a lower rank there.
        let (rs, rc) = (ranks[0], ranks[1]);
        Ok(structure.with_counts(Counts {
            d_m,
            df_closed_form: full.then(|| r * rs * rc + rs * (s - rs) + rc * (c - rc) + r * (p - r)),
            kernels: Some(self.kernels),
            rank: Some(self.r),
            factored_kernels: true,
        }))
    }
}
