//! `cp` (also `factorised-higher-order`): CP kernels as a chain (Lebedev et al. 2015; in 3-D Kossaifi et al. 2020):
//! pointwise to R, a depthwise convolution along each axis, pointwise to K. Linear inside.

use serde::Deserialize;

use super::block::{Block, Place, Shortcut};
use crate::Result;
use crate::layer::LayerPlan;

/// Keys of kind `cp` (none).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cp {}

/// `value` on axis j, 1 on the others.
pub(super) fn on_axis(j: usize, axes: usize, value: usize) -> Vec<usize> {
    let mut all = vec![1; axes];
    all[j] = value;
    all
}

impl Block for Cp {
    fn layers(&self, place: &Place) -> Result<Vec<LayerPlan>> {
        let (r, axes) = (place.r, place.axes());
        let mut layers = vec![LayerPlan::pointwise(place.channels, r, axes).bare()];
        for j in 0..axes {
            let (kernel, stride) = (on_axis(j, axes, place.kernel[j]), on_axis(j, axes, place.stride[j]));
            layers.push(LayerPlan::new(r, r, &kernel, &stride).groups(r).bare());
        }
        layers.push(LayerPlan::pointwise(r, place.kernels, axes));
        Ok(layers)
    }

    fn shortcut(&self) -> Shortcut {
        Shortcut::Projected
    }

    fn structure(&self, place: &Place) -> Option<String> {
        Some(format!("{{ kind = \"cp\", rank = {}, kernels = {} }}", place.r, place.kernels))
    }
}
