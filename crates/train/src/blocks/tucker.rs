//! `tucker`: Tucker kernels on all modes (Kim et al. 2016 with the spatial modes compressed too; THEORY §2): pointwise to
//! the channel rank, a convolution composed of core and spatial factors to R, pointwise to K. Linear inside.

use convstat_tensor::Einsum;
use serde::Deserialize;

use super::block::{Block, Place, Shortcut, list};
use crate::layer::{Composition, FactorPlan, LayerPlan};
use crate::{Result, TrainError};

/// Keys of kind `tucker`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tucker {
    /// Ranks of the spatial modes, one each (default: uncompressed).
    pub ranks: Option<Vec<usize>>,
    /// Rank of the input channels (default R).
    pub r_in: Option<usize>,
}

impl Tucker {
    fn ranks(&self, place: &Place) -> (Vec<usize>, usize) {
        (self.ranks.clone().unwrap_or_else(|| place.kernel.clone()), self.r_in.unwrap_or(place.r))
    }
}

/// Labels of taps and of their bonds.
pub(super) const TAPS: [char; 3] = ['a', 'b', 'd'];
const BONDS: [char; 3] = ['x', 'y', 'z'];

impl Block for Tucker {
    fn layers(&self, place: &Place) -> Result<Vec<LayerPlan>> {
        let (ranks, r_in) = self.ranks(place);
        let axes = place.axes();
        if ranks.len() != axes || ranks.contains(&0) || r_in == 0 {
            let mend = format!("give {axes} ranks of at least 1, one a spatial mode, and r_in of at least 1");
            return Err(TrainError::bad("ranks", format!("{ranks:?}, r_in = {r_in}"), mend));
        }
        let (taps, bonds) = (&TAPS[..axes], &BONDS[..axes]);
        let mut inputs = vec![[&['r'], bonds, &['c']].concat()];
        let mut factors =
            vec![FactorPlan::Own("core".to_owned(), [&[place.r], ranks.as_slice(), &[r_in]].concat())];
        for j in 0..axes {
            inputs.push(vec![taps[j], bonds[j]]);
            factors.push(FactorPlan::Own(format!("taps{j}"), vec![place.kernel[j], ranks[j]]));
        }
        let network = Einsum { inputs, output: [&['r'], taps, &['c']].concat() };
        let mut middle = LayerPlan::new(r_in, place.r, &place.kernel, &place.stride).bare();
        middle.composed = Some(Composition { network, factors });
        Ok(vec![
            LayerPlan::pointwise(place.channels, r_in, axes).bare(),
            middle,
            LayerPlan::pointwise(place.r, place.kernels, axes),
        ])
    }

    fn shortcut(&self) -> Shortcut {
        Shortcut::Projected
    }

    fn structure(&self, place: &Place) -> Option<String> {
        let (mut ranks, r_in) = self.ranks(place);
        ranks.push(r_in);
        Some(format!(
            "{{ kind = \"tucker\", ranks = {}, r = {}, kernels = {} }}",
            list(&ranks),
            place.r,
            place.kernels
        ))
    }
}
