//! Bottlenecks: pointwise to R, spatial, pointwise to K, with a projected shortcut: `bottleneck` (He et al. 2016),
//! `resnext` (Xie et al. 2017; the spatial convolution in groups) and `shufflenet` (Zhang et al. 2018; pointwise
//! convolutions in groups around a shuffle, spatial one depthwise).

use convstat_engine::Activation;
use serde::Deserialize;

use super::block::{Block, Place, Shortcut};
use crate::layer::LayerPlan;
use crate::{Result, TrainError};

/// Keys of kind `bottleneck` (none).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bottleneck {}

/// Keys of kind `resnext`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResNext {
    /// Groups of the spatial convolution; divides R.
    pub cardinality: usize,
}

/// Keys of kind `shufflenet`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ShuffleNet {
    /// Groups of both pointwise convolutions; divides C and K, its square R.
    pub conv_groups: usize,
}

fn layers(place: &Place, groups: usize) -> Vec<LayerPlan> {
    let axes = place.axes();
    vec![
        LayerPlan::pointwise(place.channels, place.r, axes),
        LayerPlan::new(place.r, place.r, &place.kernel, &place.stride).groups(groups),
        LayerPlan::pointwise(place.r, place.kernels, axes),
    ]
}

impl Block for Bottleneck {
    fn layers(&self, place: &Place) -> Result<Vec<LayerPlan>> {
        Ok(layers(place, 1))
    }

    fn shortcut(&self) -> Shortcut {
        Shortcut::Projected
    }

    fn structure(&self, place: &Place) -> Option<String> {
        Some(format!("{{ kind = \"bottleneck\", kernels = {}, r = {} }}", place.kernels, place.r))
    }
}

impl Block for ResNext {
    fn layers(&self, place: &Place) -> Result<Vec<LayerPlan>> {
        if self.cardinality == 0 || !place.r.is_multiple_of(self.cardinality) {
            let mend = format!("it has to divide R = {}", place.r);
            return Err(TrainError::bad("cardinality", self.cardinality, mend));
        }
        Ok(layers(place, self.cardinality))
    }

    fn shortcut(&self) -> Shortcut {
        Shortcut::Projected
    }

    fn structure(&self, place: &Place) -> Option<String> {
        Some(format!(
            "{{ kind = \"resnext\", cardinality = {}, width = {}, kernels = {} }}",
            self.cardinality,
            place.r / self.cardinality,
            place.kernels
        ))
    }
}

impl Block for ShuffleNet {
    fn layers(&self, place: &Place) -> Result<Vec<LayerPlan>> {
        let (g, axes) = (self.conv_groups, place.axes());
        let fits = |n: usize| g > 0 && n.is_multiple_of(g);
        let square = g.checked_mul(g).is_some_and(|square| square > 0 && place.r.is_multiple_of(square));
        if !fits(place.channels) || !fits(place.kernels) || !square {
            let mend = format!(
                "it has to divide C = {} and K = {}, and its square R = {}",
                place.channels, place.kernels, place.r
            );
            return Err(TrainError::bad("conv_groups", g, mend));
        }
        let mut first = LayerPlan::pointwise(place.channels, place.r, axes).groups(g);
        first.shuffle = g;
        Ok(vec![
            first,
            LayerPlan::new(place.r, place.r, &place.kernel, &place.stride)
                .groups(place.r)
                .activation(Activation::Identity),
            LayerPlan::pointwise(place.r, place.kernels, axes).groups(g),
        ])
    }

    fn shortcut(&self) -> Shortcut {
        Shortcut::Projected
    }

    fn structure(&self, place: &Place) -> Option<String> {
        Some(format!(
            "{{ kind = \"shufflenet\", conv_groups = {}, channels = {}, kernels = {} }}",
            self.conv_groups, place.r, place.kernels
        ))
    }
}
