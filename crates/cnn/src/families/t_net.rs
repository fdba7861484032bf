//! `t-net`: one Tucker tensor for the kernels of all layers (Kossaifi et al. 2019). Layer h has kernels
//! `A_h = Σ G[e, x, y, s] u_h[e] H[k, x] V[m, y] S[taps, s]`; `G, H, V, S` are shared by the layers. All layers have the
//! same taps, and as many channels in as out.

use serde::Deserialize;

use super::draft::Draft;
use super::family::Family;
use crate::error::bad_structure;
use crate::{Counts, Result, Structure};

/// Keys of kind `t-net`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TNet {
    /// Channels in and out of every layer; the geometry's last mode is the input channels, as many.
    pub kernels: usize,
    /// Ranks on layers, output channels, input channels and taps.
    pub ranks: [usize; 4],
}

const CHANNELS: [char; 3] = ['k', 'l', 'm'];
const BONDS: [[char; 4]; 3] = [['q', 'r', 's', 't'], ['u', 'v', 'w', 'x'], ['y', 'z', 'n', 'à']];

impl Family for TNet {
    /// `d_M` is the number of parameters; `df` by the Jacobian's rank.
    fn build(&self, mut draft: Draft) -> Result<Structure> {
        let layers = draft.modes.layers;
        if !(2..=CHANNELS.len()).contains(&layers) {
            return bad_structure(format!(
                "t-net over {layers} layers; it needs 2 or 3 (deeper in the geometry)"
            ));
        }
        let per_layer = draft.taps.len() / layers;
        // The channel mode is the input's in the first layer (the last chunk) and has one tap above.
        let taps: Vec<(Vec<char>, char)> =
            draft.taps.chunks(per_layer).map(|t| (t[..per_layer - 1].to_vec(), t[per_layer - 1])).collect();
        let shape = |labels: &[char]| labels.iter().map(|&c| draft.size(&[c])).collect::<Vec<_>>();
        let same_taps = taps.iter().all(|(space, _)| shape(space) == shape(&taps[0].0));
        let channels: Vec<usize> = taps.iter().map(|(_, c)| draft.size(&[*c])).collect();
        let fits = channels[layers - 1] == self.kernels && channels[..layers - 1].iter().all(|&c| c == 1);
        if per_layer < 2 || !same_taps || !fits {
            return bad_structure(format!(
                "t-net needs the same spatial kernel in every layer, {} input channels (kernels) as the last mode and \
                 kernel 1 in that mode of deeper layers",
                self.kernels
            ));
        }
        for h in 0..layers {
            draft.bond(CHANNELS[h], "kernels", self.kernels)?;
            for (bond, rank) in BONDS[h].into_iter().zip(self.ranks) {
                draft.bond(bond, "ranks", rank)?;
            }
        }
        draft.head(&CHANNELS[..1])?;
        let first = draft.operands();
        for (h, (space, channel)) in taps.iter().enumerate() {
            let [e, x, y, s] = BONDS[h];
            let from = if h + 1 < layers { CHANNELS[h + 1] } else { *channel };
            let shared: [Vec<char>; 4] =
                [vec![e, x, y, s], vec![CHANNELS[h], x], vec![from, y], [space.clone(), vec![s]].concat()];
            for (i, labels) in shared.iter().enumerate() {
                if h == 0 { draft.factor(&[labels]) } else { draft.same_factor(first + i, &[labels]) }
            }
            // The one tap of a deeper layer's channel mode is carried by the layer's own vector.
            let unit: &[char] = if h + 1 < layers { std::slice::from_ref(channel) } else { &[] };
            draft.factor(&[unit, &[e]]);
        }
        let structure = draft.build(&format!("t-net({:?},K={})", self.ranks, self.kernels))?;
        let d_m = structure.d_m();
        Ok(structure.with_counts(Counts { d_m, factored_kernels: true, ..Counts::default() }))
    }
}
