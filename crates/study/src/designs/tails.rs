//! Independent entries with other tails: `uniform`, `rademacher`, `student-t`, each scaled to unit variance.

use convstat_theory::DesignLaw;
use ndarray::Array2;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StudentT as StudentLaw};
use serde::{Deserialize, Serialize};

use super::design::{Design, Sampler};
use crate::{Result, StudyError};

/// Keys of design `uniform` (none): uniform on `[−√3, √3]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uniform {}

/// Keys of design `rademacher` (none): ±1.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rademacher {}

/// Keys of design `student-t`: Student's t over its standard deviation `√(ν/(ν−2))`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudentT {
    /// Degrees of freedom `ν > 2`.
    pub nu: f64,
}

const INDEPENDENT: DesignLaw = DesignLaw { gaussian: false, independent: true, spectrum: (1.0, 1.0) };

/// Draws entries one by one.
struct Entries<F>(F);

impl<F: FnMut(&mut ChaCha8Rng) -> f64> Sampler for Entries<F> {
    fn fill(&mut self, rng: &mut ChaCha8Rng, block: &mut Array2<f64>) {
        block.iter_mut().for_each(|v| *v = self.0(rng));
    }
}

impl Design for Uniform {
    fn label(&self) -> String {
        "uniform".to_owned()
    }

    fn words(&self) -> String {
        "independent uniform entries of unit variance".to_owned()
    }

    fn law(&self) -> DesignLaw {
        INDEPENDENT
    }

    fn sampler(&self, _inputs: usize) -> Result<Box<dyn Sampler>> {
        let half = 3f64.sqrt();
        Ok(Box::new(Entries(move |rng: &mut ChaCha8Rng| rng.random_range(-half..half))))
    }
}

impl Design for Rademacher {
    fn label(&self) -> String {
        "rademacher".to_owned()
    }

    fn words(&self) -> String {
        "independent signs, +1 or −1 with probability 1/2".to_owned()
    }

    fn law(&self) -> DesignLaw {
        INDEPENDENT
    }

    fn sampler(&self, _inputs: usize) -> Result<Box<dyn Sampler>> {
        Ok(Box::new(Entries(|rng: &mut ChaCha8Rng| if rng.random::<bool>() { 1.0 } else { -1.0 })))
    }
}

impl Design for StudentT {
    fn label(&self) -> String {
        format!("student-t(nu={})", self.nu)
    }

    fn words(&self) -> String {
        format!("independent Student t entries with ν = {}, scaled to unit variance", self.nu)
    }

    fn law(&self) -> DesignLaw {
        INDEPENDENT
    }

    fn check(&self) -> Result<()> {
        if self.nu.is_finite() && self.nu > 2.0 {
            return Ok(());
        }
        Err(StudyError::bad("nu", self.nu, "a finite variance needs nu > 2"))
    }

    fn sampler(&self, _inputs: usize) -> Result<Box<dyn Sampler>> {
        let scale = ((self.nu - 2.0) / self.nu).sqrt();
        let law = StudentLaw::new(self.nu)
            .map_err(|e| StudyError::internal("Student's t after its parameter was checked", e))?;
        Ok(Box::new(Entries(move |rng: &mut ChaCha8Rng| scale * law.sample(rng))))
    }
}
