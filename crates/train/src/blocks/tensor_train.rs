//! `tensor-train`: tensor-train kernels as a chain (THEORY §2): pointwise, a convolution along each axis from the last to
//! the first, pointwise to K. Linear inside.

use serde::Deserialize;

use super::block::{Block, Place, Shortcut, list};
use super::cp::on_axis;
use crate::layer::LayerPlan;
use crate::{Result, TrainError};

/// Keys of kind `tensor-train`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorTrain {
    /// Bonds behind R, one a spatial axis (default R each).
    pub ranks: Option<Vec<usize>>,
}

impl TensorTrain {
    /// All bonds, R first.
    fn bonds(&self, place: &Place) -> Result<Vec<usize>> {
        let inner = self.ranks.clone().unwrap_or_else(|| vec![place.r; place.axes()]);
        if inner.len() != place.axes() || inner.contains(&0) {
            let mend = format!("give {} bonds of at least 1, one a spatial axis", place.axes());
            return Err(TrainError::bad("ranks", list(&inner), mend));
        }
        Ok([&[place.r], inner.as_slice()].concat())
    }
}

impl Block for TensorTrain {
    fn layers(&self, place: &Place) -> Result<Vec<LayerPlan>> {
        let (bonds, axes) = (self.bonds(place)?, place.axes());
        let mut layers = vec![LayerPlan::pointwise(place.channels, bonds[axes], axes).bare()];
        for j in (0..axes).rev() {
            let (kernel, stride) = (on_axis(j, axes, place.kernel[j]), on_axis(j, axes, place.stride[j]));
            layers.push(LayerPlan::new(bonds[j + 1], bonds[j], &kernel, &stride).bare());
        }
        layers.push(LayerPlan::pointwise(place.r, place.kernels, axes));
        Ok(layers)
    }

    fn shortcut(&self) -> Shortcut {
        Shortcut::Projected
    }

    fn structure(&self, place: &Place) -> Option<String> {
        let bonds = self.bonds(place).ok()?;
        Some(format!("{{ kind = \"tensor-train\", ranks = {}, kernels = {} }}", list(&bonds), place.kernels))
    }
}
