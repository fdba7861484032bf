//! `standard`: one convolution, batch normalisation, ReLU.

use serde::Deserialize;

use super::block::{Block, Place};
use crate::Result;
use crate::layer::LayerPlan;

/// Keys of kind `standard` (none).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standard {}

impl Block for Standard {
    fn layers(&self, place: &Place) -> Result<Vec<LayerPlan>> {
        Ok(vec![LayerPlan::new(place.channels, place.kernels, &place.kernel, &place.stride)])
    }

    fn structure(&self, place: &Place) -> Option<String> {
        Some(format!("{{ kind = \"standard\", kernels = {} }}", place.kernels))
    }
}
