//! `var1`: every entry is `x_t = ρ x_{t−1} + √(1−ρ²) e_t` across observations, started in its stationary
//! law (unit variance).

use ndarray::{Array1, Array2};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::{Deserialize, Serialize};

use super::{Design, Sampler};
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

    fn is_iid_gaussian(&self) -> bool {
        self.rho == 0.0
    }

    fn check(&self) -> Result<()> {
        if self.rho.abs() < 1.0 {
            return Ok(());
        }
        Err(StudyError::bad("design.rho", self.rho, "a stationary autoregression needs -1 < rho < 1"))
    }

    fn sampler(&self, inputs: usize) -> Box<dyn Sampler> {
        Box::new(Var1Sampler { rho: self.rho, last: None, inputs })
    }
}

struct Var1Sampler {
    rho: f64,
    /// The last observation; none before the first.
    last: Option<Array1<f64>>,
    inputs: usize,
}

impl Sampler for Var1Sampler {
    fn fill(&mut self, rng: &mut ChaCha8Rng, block: &mut Array2<f64>) {
        let innovation = (1.0 - self.rho * self.rho).sqrt();
        let mut next = Array1::zeros(self.inputs);
        for (i, mut row) in block.outer_iter_mut().enumerate() {
            let mut before = self.last.as_ref().map(|l| l[i]);
            for v in &mut row {
                let e: f64 = StandardNormal.sample(rng);
                *v = before.map_or(e, |x| self.rho * x + innovation * e);
                before = Some(*v);
            }
            next[i] = before.unwrap_or(0.0);
        }
        self.last = Some(next);
    }
}
