//! `normal`: independent standard normal entries.

use convstat_theory::DesignLaw;
use ndarray::Array2;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::design::{Design, Sampler};
use crate::Result;

/// Keys of design `normal` (none).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normal {}

impl Design for Normal {
    fn label(&self) -> String {
        "normal".to_owned()
    }

    fn words(&self) -> String {
        "independent standard normal entries".to_owned()
    }

    fn law(&self) -> DesignLaw {
        DesignLaw::STANDARD
    }

    fn sampler(&self, _inputs: usize) -> Result<Box<dyn Sampler>> {
        Ok(Box::new(NormalSampler))
    }
}

struct NormalSampler;

impl Sampler for NormalSampler {
    fn fill(&mut self, rng: &mut ChaCha8Rng, block: &mut Array2<f64>) {
        block.iter_mut().for_each(|v| *v = StandardNormal.sample(rng));
    }
}
