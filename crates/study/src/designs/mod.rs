//! Laws of the inputs, one file each. Entries have mean 0 and unit variance, and are independent across
//! the positions of one input, so that `Σ_Z` is the geometry's. A new design is a file here, a variant
//! and a line in [`DesignSpec::design`].

pub mod normal;
pub mod normal_exact;
pub mod tails;
pub mod var1;

use convstat_theory::DesignLaw;
use ndarray::Array2;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::Result;

/// A design as a study file names it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DesignSpec {
    /// Independent standard normal entries.
    Normal(normal::Normal),
    /// The exact law of the compressed sample of `normal`.
    NormalExact(normal_exact::NormalExact),
    /// Vector autoregression across observations.
    Var1(var1::Var1),
    /// Independent uniform entries.
    Uniform(tails::Uniform),
    /// Independent signs.
    Rademacher(tails::Rademacher),
    /// Independent Student t entries.
    StudentT(tails::StudentT),
}

/// A law of the inputs.
pub trait Design {
    /// Name in tables, unique in a study.
    fn label(&self) -> String;
    /// The law in words, for readers who do not know the name.
    fn words(&self) -> String;
    /// What theory asks of it.
    fn law(&self) -> DesignLaw;
    /// Whether compressed samples are drawn from their own law, without any rows.
    fn is_exact_law(&self) -> bool {
        false
    }
    /// Fails on parameters outside their range.
    fn check(&self) -> Result<()> {
        Ok(())
    }
    /// A generator of successive blocks of observations with `inputs` entries each.
    fn sampler(&self, inputs: usize) -> Box<dyn Sampler>;
}

/// Draws successive blocks of one data set.
pub trait Sampler {
    /// Fills a feature-major block (`inputs × b`) with the next b observations.
    fn fill(&mut self, rng: &mut ChaCha8Rng, block: &mut Array2<f64>);
}

impl DesignSpec {
    /// The design.
    pub fn design(&self) -> &dyn Design {
        match self {
            Self::Normal(d) => d,
            Self::NormalExact(d) => d,
            Self::Var1(d) => d,
            Self::Uniform(d) => d,
            Self::Rademacher(d) => d,
            Self::StudentT(d) => d,
        }
    }

    /// See [`Design::label`].
    pub fn label(&self) -> String {
        self.design().label()
    }

    /// See [`Design::check`].
    pub fn check(&self) -> Result<()> {
        self.design().check()
    }
}
