//! `deep`: several convolution and pooling layers, a tensor train whose ranks are the channel counts,
//! `pk,kmabc,mdef->pabcdef` (THEORY §1, "Deeper"). The geometry's `deeper` gives the further layers; the taps of the last
//! layer come first.

use serde::Deserialize;

use super::draft::Draft;
use super::family::Family;
use super::tensor_train::train_dimension;
use crate::error::bad_key;
use crate::{Counts, Result, Structure};

/// Keys of kind `deep`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deep {
    /// Output channels of each layer, `K_1 … K_h`, the first layer first.
    pub kernels: Vec<usize>,
}

const BONDS: [char; 8] = ['k', 'm', 'n', 'q', 'r', 's', 't', 'u'];

impl Family for Deep {
    /// `d_M` by count; `df = PK_2 + K_2 L̃ K_1 + K_1 L − K_1² − K_2²` for two layers at clamped channel counts, and
    /// so on for more.
    fn build(&self, mut draft: Draft) -> Result<Structure> {
        let layers = draft.modes.layers;
        if self.kernels.len() != layers || layers > BONDS.len() {
            let (given, most) = (self.kernels.len(), BONDS.len());
            let reason = format!(
                "kernels has {given} entries but the geometry has {layers} layers; give one a layer (at most {most})"
            );
            return bad_key("kernels", reason);
        }
        // Bonds and taps from the last layer to the first.
        let channels: Vec<usize> = self.kernels.iter().rev().copied().collect();
        let bonds = &BONDS[..layers];
        for (&bond, &size) in bonds.iter().zip(&channels) {
            draft.bond(bond, "kernels", size)?;
        }
        let taps: Vec<Vec<char>> =
            draft.taps.chunks(draft.taps.len() / layers).map(<[char]>::to_vec).collect();
        draft.head(&bonds[..1])?;
        for (h, taps) in taps.iter().enumerate() {
            draft.factor(&[&bonds[h..(h + 2).min(layers)], taps]);
        }
        let (p, full) = (draft.head_size(), draft.head_is_full());
        let sizes: Vec<usize> = taps.iter().map(|t| draft.size(t)).collect();
        let structure = draft.build(&format!("deep(K={:?})", self.kernels))?;
        let d_m = structure.d_m();
        Ok(structure.with_counts(Counts {
            d_m,
            df_closed_form: full.then(|| train_dimension(p, &channels, &sizes)),
            ..Counts::default()
        }))
    }
}
