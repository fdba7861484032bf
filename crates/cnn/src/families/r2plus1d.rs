//! `r2plus1d`: a spatial convolution, then a temporal one, `pk,kam,mbcd->pabcd` (Tran et al. 2018). The first mode
//! is time, the last the channels.

use serde::Deserialize;

use super::draft::Draft;
use super::family::Family;
use super::tensor_train::train_dimension;
use crate::error::bad_structure;
use crate::{Counts, Result, Structure};

/// Keys of kind `r2plus1d`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct R2Plus1D {
    /// Channels between the two convolutions.
    pub mid: usize,
    /// Output channels `K`.
    pub kernels: usize,
}

impl Family for R2Plus1D {
    /// A train over (time), (space, channels): with `T` temporal and `S` other taps
    /// `df = PK + KTM + MS − K² − M²` at clamped bonds; `d_M` by count.
    fn build(&self, mut draft: Draft) -> Result<Structure> {
        let k = draft.bond('k', "kernels", self.kernels)?;
        let m = draft.bond('m', "mid", self.mid)?;
        let taps = draft.taps.clone();
        let Some((time, rest)) = taps.split_first().filter(|(_, rest)| !rest.is_empty()) else {
            return bad_structure(format!(
                "{} kernel mode; r2plus1d needs time first and at least one more",
                taps.len()
            ));
        };
        draft.head(&[k])?;
        draft.factor(&[&[k], &[*time], &[m]]);
        draft.factor(&[&[m], rest]);
        let (p, sizes) = (draft.head_size(), [draft.size(&[*time]), draft.size(rest)]);
        let full = draft.head_is_full();
        let structure = draft.build(&format!("r2plus1d(M={},K={})", self.mid, self.kernels))?;
        let d_m = structure.d_m();
        Ok(structure.with_counts(Counts {
            d_m,
            df_closed_form: full.then(|| train_dimension(p, &[self.kernels, self.mid], &sizes)),
            kernels: Some(self.kernels),
            rank: Some(self.kernels.min(self.mid * sizes[0])),
            factored_kernels: true,
        }))
    }
}
