//! Depthwise blocks: `depthwise-separable` (MobileNetV1, Howard et al. 2017) and `inverted-residual` (MobileNetV2,
//! Sandler et al. 2018; R is the expanded channels).

use convstat_engine::Activation;
use serde::Deserialize;

use super::block::{Block, Place, Shortcut};
use crate::Result;
use crate::layer::LayerPlan;

/// Keys of kind `depthwise-separable` (none).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DepthwiseSeparable {}

/// Keys of kind `inverted-residual` (none).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvertedResidual {}

impl Block for DepthwiseSeparable {
    fn layers(&self, place: &Place) -> Result<Vec<LayerPlan>> {
        let c = place.channels;
        Ok(vec![
            LayerPlan::new(c, c, &place.kernel, &place.stride).groups(c),
            LayerPlan::pointwise(c, place.kernels, place.axes()),
        ])
    }

    fn structure(&self, place: &Place) -> Option<String> {
        Some(format!("{{ kind = \"depthwise-separable\", kernels = {} }}", place.kernels))
    }
}

impl Block for InvertedResidual {
    fn layers(&self, place: &Place) -> Result<Vec<LayerPlan>> {
        let (r, axes) = (place.r, place.axes());
        Ok(vec![
            LayerPlan::pointwise(place.channels, r, axes).activation(Activation::Relu6),
            LayerPlan::new(r, r, &place.kernel, &place.stride).groups(r).activation(Activation::Relu6),
            LayerPlan::pointwise(r, place.kernels, axes).activation(Activation::Identity),
        ])
    }

    fn shortcut(&self) -> Shortcut {
        Shortcut::IfSame
    }

    fn structure(&self, place: &Place) -> Option<String> {
        Some(format!(
            "{{ kind = \"inverted-residual\", expanded = {}, kernels = {} }}",
            place.r, place.kernels
        ))
    }
}
