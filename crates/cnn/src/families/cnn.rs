//! `cnn` (also `standard`): K full kernels and a fully connected layer, `pk,kabc->pabc` (THEORY §2).

use serde::Deserialize;

use super::draft::Draft;
use super::family::Family;
use crate::{Counts, Result, Structure};

/// Keys of kind `cnn`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cnn {
    /// Output channels `K`.
    pub kernels: usize,
}

impl Family for Cnn {
    /// `d_M = K(P + L + 1)` and `df = K(P + L − K)` with `K ← min(K, P, L)`; `P` counts positions
    /// times responses.
    fn build(&self, mut draft: Draft) -> Result<Structure> {
        let k = draft.bond('k', "kernels", self.kernels)?;
        let taps = draft.taps.clone();
        let (p, l, full) = (draft.head_size(), draft.size(&taps), draft.head_is_full());
        draft.head(&[k])?;
        draft.factor(&[&[k], &taps]);
        let rank = self.kernels.min(p).min(l);
        let structure = draft.build(&format!("cnn(K={})", self.kernels))?;
        let d_m = if full { rank * (p + l + 1) } else { structure.d_m() };
        Ok(structure.with_counts(Counts {
            d_m,
            df_closed_form: full.then(|| rank * (p + l - rank)),
            kernels: Some(self.kernels),
            rank: Some(rank),
            factored_kernels: false,
        }))
    }
}
