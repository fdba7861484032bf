//! What a law of the inputs is.

use convstat_theory::DesignLaw;
use ndarray::Array2;
use rand::rngs::ChaCha8Rng;

use crate::Result;

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
    ///
    /// # Errors
    /// The first of them.
    fn check(&self) -> Result<()> {
        Ok(())
    }
    /// A generator of successive blocks of observations with `inputs` entries each.
    ///
    /// # Errors
    /// Parameters that [`Design::check`] refuses.
    fn sampler(&self, inputs: usize) -> Result<Box<dyn Sampler>>;
}

/// Draws successive blocks of one data set.
pub trait Sampler {
    /// Fills a feature-major block (`inputs × b`) with the next b observations.
    fn fill(&mut self, rng: &mut ChaCha8Rng, block: &mut Array2<f64>);
}
