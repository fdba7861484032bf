//! `t-net`: one Tucker tensor for the weights of all layers of one width (Kossaifi et al. 2019): layer h has the kernels
//! `Σ G[e, x, y, s] U[h, e] H[k, x] V[c, y] S[taps, s]` with everything shared. A block that changes the channels is a
//! standard convolution.

use convstat_tensor::Einsum;
use serde::Deserialize;

use super::block::{Block, Place, Shortcut};
use super::tucker::TAPS;
use crate::layer::{Composition, FactorPlan, LayerPlan};
use crate::{Result, TrainError};

/// Keys of kind `t-net`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TNet {
    /// Ranks on layers, input channels and taps (on output channels R).
    pub ranks: [usize; 3],
}

impl Block for TNet {
    fn layers(&self, place: &Place) -> Result<Vec<LayerPlan>> {
        if self.ranks.contains(&0) {
            return Err(TrainError::bad("ranks", format!("{:?}", self.ranks), "they have to be at least 1"));
        }
        let mut layer = LayerPlan::new(place.channels, place.kernels, &place.kernel, &place.stride);
        if place.channels == place.kernels {
            let (k, (number, blocks)) = (place.kernels, place.number);
            let [layers, inputs, taps] = self.ranks;
            let labels = &TAPS[..place.axes()];
            let shared =
                |name: &str, shape: Vec<usize>| FactorPlan::Shared(format!("t-net{k}.{name}"), shape);
            let network = Einsum {
                inputs: vec![
                    vec!['e', 'x', 'y', 's'],
                    vec!['l', 'e'],
                    vec!['l'],
                    vec!['k', 'x'],
                    vec!['c', 'y'],
                    [labels, &['s']].concat(),
                ],
                output: [&['k'], labels, &['c']].concat(),
            };
            let factors = vec![
                shared("core", vec![layers, place.r, inputs, taps]),
                shared("layers", vec![blocks, layers]),
                FactorPlan::Unit(blocks, number),
                shared("outputs", vec![k, place.r]),
                shared("inputs", vec![k, inputs]),
                shared("taps", [place.kernel.as_slice(), &[taps]].concat()),
            ];
            layer.composed = Some(Composition { network, factors });
        }
        Ok(vec![layer])
    }

    fn shortcut(&self) -> Shortcut {
        Shortcut::Projected
    }

    fn structure(&self, _place: &Place) -> Option<String> {
        // Its layers share their parameters: no block is a structure by itself.
        None
    }
}
