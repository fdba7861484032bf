//! `r2plus1d`: a spatial convolution to R channels, then one along time (Tran et al. 2018). The first axis is time.

use serde::Deserialize;

use super::block::{Block, Place, Shortcut};
use crate::layer::LayerPlan;
use crate::{Result, TrainError};

/// Keys of kind `r2plus1d` (none).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct R2Plus1D {}

impl Block for R2Plus1D {
    fn layers(&self, place: &Place) -> Result<Vec<LayerPlan>> {
        let axes = place.axes();
        if axes < 2 {
            return Err(TrainError::bad("block", "r2plus1d", "it needs time and at least one more axis"));
        }
        let split = |values: &[usize]| {
            let time = [&values[..1], &vec![1; axes - 1]].concat();
            (time, [&[1], &values[1..]].concat())
        };
        let ((time, space), (time_stride, space_stride)) = (split(&place.kernel), split(&place.stride));
        Ok(vec![
            LayerPlan::new(place.channels, place.r, &space, &space_stride),
            LayerPlan::new(place.r, place.kernels, &time, &time_stride),
        ])
    }

    fn shortcut(&self) -> Shortcut {
        Shortcut::Projected
    }

    fn structure(&self, place: &Place) -> Option<String> {
        Some(format!("{{ kind = \"r2plus1d\", mid = {}, kernels = {} }}", place.r, place.kernels))
    }
}
