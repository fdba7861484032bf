//! `basic`: two convolutions, to R and to K channels, with a projected shortcut (He et al. 2016); over time, height and
//! width the block of R3D (Tran et al. 2018).

use serde::Deserialize;

use super::block::{Block, Place, Shortcut};
use crate::Result;
use crate::layer::LayerPlan;

/// Keys of kind `basic` (none).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basic {}

impl Block for Basic {
    fn layers(&self, place: &Place) -> Result<Vec<LayerPlan>> {
        Ok(vec![
            LayerPlan::new(place.channels, place.r, &place.kernel, &place.stride),
            LayerPlan::new(place.r, place.kernels, &place.kernel, &vec![1; place.axes()]),
        ])
    }

    fn shortcut(&self) -> Shortcut {
        Shortcut::Projected
    }

    fn structure(&self, _place: &Place) -> Option<String> {
        // Crate `cnn` has no family of two convolutions over all axes.
        None
    }
}
