//! A network inside one of more channels.

use ndarray::ArrayD;

use super::network::ActivatedNetwork;
use crate::error::bad_structure;
use crate::{Factors, Result};

impl ActivatedNetwork {
    /// Factors of this network, of at least as many channels and the same labels, that give the same function as `other` at
    /// `factors`: what is new has zero weights, and kernels from `normal` so that training can use them.
    ///
    /// # Errors
    /// Another network, or larger sizes.
    pub fn embed(&self, other: &Self, factors: &Factors, mut normal: impl FnMut() -> f64) -> Result<Factors> {
        let (network, old) = (self.structure.network(), other.structure.network());
        let fits = network == old
            && network.labels().iter().all(|c| self.structure.sizes()[c] >= other.structure.sizes()[c]);
        if !fits {
            return bad_structure(format!(
                "\"{}\" does not hold \"{}\": the networks have to be the same, with sizes at least as large",
                self.structure.name(),
                other.structure.name()
            ));
        }
        other.structure.check_factors(factors)?;
        let bonds: Vec<char> = self
            .kernels
            .network()
            .output
            .iter()
            .copied()
            .filter(|c| network.inputs[self.head].contains(c))
            .collect();
        let shapes = self.structure.factor_shapes();
        Ok(shapes
            .iter()
            .zip(factors)
            .enumerate()
            .map(|(f, (shape, old))| {
                let labels = &network.inputs[f];
                ArrayD::from_shape_fn(shape.as_slice(), |at| {
                    if let Some(&v) = old.get(&at) {
                        return v;
                    }
                    let is_new_channel = labels
                        .iter()
                        .enumerate()
                        .any(|(axis, c)| bonds.contains(c) && at[axis] >= other.structure.sizes()[c]);
                    if f != self.head && is_new_channel { normal() } else { 0.0 }
                })
            })
            .collect())
    }
}
