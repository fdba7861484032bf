//! `einsum`: any network, `{ einsum = "pk,kabc->pabc", sizes = { k = 3 } }`.

use std::collections::BTreeMap;

use convstat_tensor::Einsum;
use serde::Deserialize;

use super::draft::Draft;
use super::family::Family;
use crate::error::bad_key;
use crate::{CnnError, Counts, OutputModes, Result, Structure};

/// Keys of a network written out.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// The einsum text.
    pub einsum: String,
    /// Sizes of the labels that are not in the output.
    #[serde(default)]
    pub sizes: BTreeMap<char, usize>,
    /// Groups of operands (counted from 0) that are one and the same factor.
    #[serde(default)]
    pub shared: Vec<Vec<usize>>,
}

impl Family for Network {
    fn takes_head_ranks(&self) -> bool {
        false
    }

    fn build(&self, draft: Draft) -> Result<Structure> {
        let modes = &draft.modes;
        let network = Einsum::parse(&self.einsum)?;
        let spelling = modes.spelling(network.output.len())?;
        let mut sizes = self.sizes.clone();
        let labels = network.labels();
        if let Some(c) = sizes.keys().find(|c| !labels.contains(c)) {
            return bad_key("sizes", format!("sizes names label '{c}', which is not in \"{}\"", self.einsum));
        }
        for (&c, &d) in network.output.iter().zip(&spelling) {
            let given = *sizes.entry(c).or_insert(d);
            if given != d {
                let reason = format!(
                    "sizes gives label '{c}' size {given} but the data or geometry give {d}; leave it out"
                );
                return bad_key("sizes", reason);
            }
        }
        let owners = owners(network.inputs.len(), &self.shared)?;
        // Labels of positions come first; with several operands that hold taps the kernels are factored.
        let taps_from = spelling.len() - usize::from(modes.outputs > 1);
        let taps_from = if modes.positions.is_empty() { 0 } else { taps_from - tap_labels(modes, taps_from) };
        let taps = &network.output[taps_from..];
        let holders = network.inputs.iter().filter(|l| l.iter().any(|c| taps.contains(c))).count();
        let structure = Structure::with_shared(&self.einsum, network.clone(), sizes, modes.outputs, owners)?;
        let d_m = structure.d_m();
        Ok(structure.with_counts(Counts { d_m, factored_kernels: holders > 1, ..Counts::default() }))
    }
}

/// How many of `labels` output labels (responses left out) are taps: one in the matrix spelling.
fn tap_labels(modes: &OutputModes, labels: usize) -> usize {
    if labels == 2 { 1 } else { modes.taps.len() }
}

/// Factor number of each operand, from groups of operands that are the same factor.
fn owners(operands: usize, shared: &[Vec<usize>]) -> Result<Vec<usize>> {
    let mut first: Vec<usize> = (0..operands).collect();
    for group in shared {
        let lowest = group.iter().min().copied().unwrap_or(0);
        for &i in group {
            match first.get_mut(i) {
                Some(f) if *f == i => *f = lowest,
                Some(_) => {
                    return Err(CnnError::BadStructure { reason: format!("shared names operand {i} twice") });
                }
                None => {
                    return Err(CnnError::BadStructure {
                        reason: format!(
                            "shared names operand {i}; operands count from 0 to {}",
                            operands - 1
                        ),
                    });
                }
            }
        }
    }
    let mut numbers = BTreeMap::new();
    Ok(first
        .iter()
        .map(|f| {
            let next = numbers.len();
            *numbers.entry(*f).or_insert(next)
        })
        .collect())
}
