//! Labels for a network under construction.

use std::collections::BTreeMap;

use convstat_tensor::Einsum;

use crate::{CnnError, OutputModes, Result, Structure};

/// Collects factors and label sizes; output labels are `p` (all positions), one letter a tap mode and
/// `o` (responses, if there are several).
pub(crate) struct Draft {
    sizes: BTreeMap<char, usize>,
    factors: Vec<Vec<char>>,
    output: Vec<char>,
    outputs: usize,
    /// Labels of the fully connected side: `p`, and `o` if there are several responses.
    pub response: Vec<char>,
    /// One label a tap mode.
    pub taps: Vec<char>,
}

impl Draft {
    pub fn new(modes: &OutputModes) -> Result<Self> {
        let letters: Vec<char> = ('a'..='j').chain('A'..='J').take(modes.taps.len()).collect();
        if letters.len() < modes.taps.len() {
            return Err(CnnError::BadStructure {
                reason: format!("more than 20 modes ({})", modes.taps.len()),
            });
        }
        let mut sizes: BTreeMap<char, usize> =
            letters.iter().copied().zip(modes.taps.iter().copied()).collect();
        sizes.insert('p', modes.total_positions());
        let mut response = vec!['p'];
        let mut output = vec!['p'];
        output.extend(&letters);
        if modes.outputs > 1 {
            sizes.insert('o', modes.outputs);
            response.push('o');
            output.push('o');
        }
        Ok(Self { sizes, factors: Vec::new(), output, outputs: modes.outputs, response, taps: letters })
    }

    /// Product of the sizes of `labels`.
    pub fn size(&self, labels: &[char]) -> usize {
        labels.iter().map(|c| self.sizes[c]).product()
    }

    /// Names a bond. Sizes of 0 are errors that name `key`.
    pub fn bond(&mut self, label: char, key: &str, size: usize) -> Result<char> {
        if size == 0 {
            return Err(CnnError::BadStructure { reason: format!("{key} is 0; it has to be at least 1") });
        }
        self.sizes.insert(label, size);
        Ok(label)
    }

    /// Adds a factor with these labels.
    pub fn factor(&mut self, labels: &[&[char]]) {
        self.factors.push(labels.concat());
    }

    pub fn build(self, name: &str) -> Result<Structure> {
        let network = Einsum { inputs: self.factors, output: self.output };
        Structure::new(name, network, self.sizes, self.outputs)
    }
}
