//! `einsum`: any network, `{ einsum = "pk,kabc->pabc", sizes = { k = 3 } }`.

use std::collections::BTreeMap;

use convstat_tensor::Einsum;
use serde::Deserialize;

use super::{Draft, Family};
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
        let bad = |reason: String| Err(CnnError::BadStructure { reason });
        let network = Einsum::parse(&self.einsum)?;
        let spelling = modes.spelling(network.output.len())?;
        let mut sizes = self.sizes.clone();
        let labels = network.labels();
        if let Some(c) = sizes.keys().find(|c| !labels.contains(c)) {
            return bad(format!("sizes names label '{c}', which is not in \"{}\"", self.einsum));
        }
        for (&c, &d) in network.output.iter().zip(&spelling) {
            let given = *sizes.entry(c).or_insert(d);
            if given != d {
                return bad(format!(
                    "sizes gives label '{c}' size {given} but the data or geometry give {d}; leave it out"
                ));
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

/// Parameters "by count without K" (THEORY §2): bonds are clamped to what either side can carry, and
/// a factor between two bonds, such as `kr` in `pk,kr,…`, is absorbed by its neighbour.
pub(crate) fn reduced_parameters(structure: &Structure) -> usize {
    if structure.has_shared_factors() {
        return structure.naive_parameters();
    }
    let output = &structure.network().output;
    let mut factors = structure.network().inputs.clone();
    let mut sizes = structure.sizes().clone();
    loop {
        clamp_bonds(&factors, output, &mut sizes);
        let Some((i, bond)) = absorbable(&factors, output, &sizes) else { break };
        let other = factors.remove(i).into_iter().find(|&c| c != bond);
        for labels in &mut factors {
            if let (Some(place), Some(other)) = (labels.iter().position(|&c| c == bond), other) {
                labels[place] = other;
            }
        }
    }
    factors.iter().map(|l| l.iter().map(|c| sizes[c]).product::<usize>()).sum()
}

/// Sizes of all labels, bonds between two factors clamped to what either side can carry.
pub(crate) fn feasible_sizes(structure: &Structure) -> BTreeMap<char, usize> {
    let (network, mut sizes) = (structure.network(), structure.sizes().clone());
    clamp_bonds(&network.inputs, &network.output, &mut sizes);
    sizes
}

fn holders(factors: &[Vec<char>], bond: char) -> impl Iterator<Item = usize> {
    factors.iter().enumerate().filter(move |(_, l)| l.contains(&bond)).map(|(i, _)| i)
}

fn clamp_bonds(factors: &[Vec<char>], output: &[char], sizes: &mut BTreeMap<char, usize>) {
    let bonds: Vec<char> =
        sizes.keys().copied().filter(|&c| !output.contains(&c) && holders(factors, c).count() == 2).collect();
    loop {
        let before = sizes.clone();
        for &bond in &bonds {
            for i in holders(factors, bond) {
                let rest = factors[i]
                    .iter()
                    .filter(|&&c| c != bond)
                    .map(|c| sizes[c])
                    .fold(1, usize::saturating_mul);
                let size = sizes[&bond].min(rest);
                sizes.insert(bond, size);
            }
        }
        if *sizes == before {
            return;
        }
    }
}

/// A factor with two bonds only, and the ordinary bond over which its neighbour takes it in.
fn absorbable(
    factors: &[Vec<char>],
    output: &[char],
    sizes: &BTreeMap<char, usize>,
) -> Option<(usize, char)> {
    factors.iter().enumerate().find_map(|(i, labels)| {
        let [a, b] = labels.as_slice() else { return None };
        if output.contains(a) || output.contains(b) {
            return None;
        }
        let ordinary = |c: char| holders(factors, c).count() == 2;
        let shared_elsewhere = holders(factors, *a).any(|k| k != i && factors[k].contains(b));
        [*a, *b]
            .into_iter()
            .filter(|&c| ordinary(c) && !shared_elsewhere)
            .max_by_key(|c| sizes[c])
            .map(|bond| (i, bond))
    })
}
