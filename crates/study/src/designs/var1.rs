//! `var1`: every entry is `x_t = ρ x_{t−1} + √(1−ρ²) e_t` across observations, started in its stationary
//! law (unit variance).

use convstat_theory::DesignLaw;
use ndarray::{Array1, Array2, Axis};
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::design::{Design, Sampler};
use crate::{Result, StudyError};

/// Keys of design `var1`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Var1 {
    /// Autoregression `ρ`, `|ρ| < 1`.
    pub rho: f64,
}

impl Design for Var1 {
    fn label(&self) -> String {
        format!("var1(rho={})", self.rho)
    }

    fn words(&self) -> String {
        format!(
            "every entry follows xₜ = ρ xₜ₋₁ + √(1−ρ²) eₜ over the observations, stationary, ρ = {}",
            self.rho
        )
    }

    /// Its spectrum are the limits of the spectral density for many observations: `(1 ∓ |ρ|)/(1 ± |ρ|)`.
    fn law(&self) -> DesignLaw {
        let r = self.rho.abs();
        let spectrum = ((1.0 - r) / (1.0 + r), (1.0 + r) / (1.0 - r));
        DesignLaw { gaussian: true, independent: r == 0.0, spectrum }
    }

    fn check(&self) -> Result<()> {
        if self.rho.abs() < 1.0 {
            return Ok(());
        }
        Err(StudyError::bad("rho", self.rho, "a stationary autoregression needs -1 < rho < 1"))
    }

    fn sampler(&self, inputs: usize) -> Result<Box<dyn Sampler>> {
        Ok(Box::new(Var1Sampler { rho: self.rho, last: None, inputs }))
    }
}

struct Var1Sampler {
    rho: f64,
    /// The last observation; none before the first.
    last: Option<Array1<f64>>,
    inputs: usize,
}

/// Entries whose recursions run side by side: one alone waits for its own last value.
const LANES: usize = 8;

impl Sampler for Var1Sampler {
    fn fill(&mut self, rng: &mut ChaCha8Rng, block: &mut Array2<f64>) {
        block.iter_mut().for_each(|v| *v = StandardNormal.sample(rng));
        let innovation = (1.0 - self.rho * self.rho).sqrt();
        let observations = block.ncols();
        let last = self.last.get_or_insert_with(|| Array1::from_elem(self.inputs, f64::NAN));
        for (mut rows, mut last) in
            block.axis_chunks_iter_mut(Axis(0), LANES).zip(last.axis_chunks_iter_mut(Axis(0), LANES))
        {
            for t in 0..observations {
                for (v, x) in rows.column_mut(t).iter_mut().zip(&mut last) {
                    // The first observation is the stationary law itself.
                    *v = if x.is_nan() { *v } else { self.rho * *x + innovation * *v };
                    *x = *v;
                }
            }
        }
    }
}
