//! `cnn`: K full kernels and a fully connected layer, `pk,kabc->pabc` (THEORY §2).

use serde::Deserialize;

use super::{Family, draft::Draft};
use crate::{Counts, OutputModes, Result, Structure};

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
    fn build(&self, modes: &OutputModes) -> Result<Structure> {
        let mut draft = Draft::new(modes)?;
        let k = draft.bond('k', "kernels", self.kernels)?;
        let (response, taps) = (draft.response.clone(), draft.taps.clone());
        let (p, l) = (draft.size(&response), draft.size(&taps));
        draft.factor(&[&response, &[k]]);
        draft.factor(&[&[k], &taps]);
        let rank = self.kernels.min(p).min(l);
        Ok(draft.build(&format!("cnn(K={})", self.kernels))?.with_counts(Counts {
            d_m: rank * (p + l + 1),
            df_closed_form: Some(rank * (p + l - rank)),
            kernels: Some(self.kernels),
            rank: Some(rank),
            factored_kernels: false,
        }))
    }
}
