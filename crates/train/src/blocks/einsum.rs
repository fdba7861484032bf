//! `einsum`: weights written as any tensor network (Einconv, Hayashi et al. 2019), contracted before the convolution.

use std::collections::BTreeMap;

use convstat_tensor::Einsum;
use serde::Deserialize;

use super::block::{Block, Place, Shortcut};
use super::tucker::TAPS;
use crate::layer::{Composition, FactorPlan, LayerPlan};
use crate::{Result, TrainError};

/// Keys of kind `einsum`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The network; its output is `k`, the taps `a`, `ab` or `abd`, and `c`: `"kr,rab,rc->kabc"`. Label r has size R.
    pub einsum: String,
    /// Sizes of further labels.
    #[serde(default)]
    pub sizes: BTreeMap<char, usize>,
}

impl Block for Network {
    fn layers(&self, place: &Place) -> Result<Vec<LayerPlan>> {
        let bad = |mend: String| TrainError::bad("einsum", &self.einsum, mend);
        let network = Einsum::parse(&self.einsum)?;
        let taps = &TAPS[..place.axes()];
        let output = [&['k'], taps, &['c']].concat();
        if network.output != output {
            let wanted: String = output.iter().collect();
            return Err(bad(format!(
                "its output has to be \"{wanted}\": output channels, taps, input channels"
            )));
        }
        let labels = network.labels();
        let wrong = |l: &&char| **l == 'r' || output.contains(l) || !labels.contains(l);
        if let Some(l) = self.sizes.keys().find(wrong) {
            return Err(bad(format!("leave out sizes.{l}: no label, or its size is known")));
        }
        let mut sizes = self.sizes.clone();
        sizes.extend([('k', place.kernels), ('c', place.channels), ('r', place.r)]);
        sizes.extend(taps.iter().copied().zip(place.kernel.iter().copied()));
        let size = |l: &char| sizes.get(l).copied().ok_or_else(|| bad(format!("give sizes.{l}")));
        let factors = network.inputs.iter().enumerate().map(|(i, labels)| {
            let shape = labels.iter().map(size).collect::<Result<Vec<_>>>()?;
            Ok(FactorPlan::Own(format!("factor{i}"), shape))
        });
        let factors = factors.collect::<Result<Vec<_>>>()?;
        let mut layer = LayerPlan::new(place.channels, place.kernels, &place.kernel, &place.stride);
        layer.composed = Some(Composition { network, factors });
        Ok(vec![layer])
    }

    fn shortcut(&self) -> Shortcut {
        Shortcut::Projected
    }

    fn structure(&self, place: &Place) -> Option<String> {
        // In crate cnn the kernels are read by a head over positions, here under a label that is free.
        let (inputs, output) = self.einsum.split_once("->")?;
        let p = ('p'..='z').chain('A'..='Z').find(|l| !inputs.contains(*l))?;
        let sizes: Vec<String> = [(&'k', &place.kernels), (&'r', &place.r)]
            .into_iter()
            .chain(&self.sizes)
            .filter(|(l, _)| inputs.contains(**l))
            .map(|(l, s)| format!("\"{l}\" = {s}"))
            .collect();
        let rest = output.trim().strip_prefix('k')?;
        Some(format!("{{ einsum = \"{p}k,{inputs}->{p}{rest}\", sizes = {{ {} }} }}", sizes.join(", ")))
    }
}
