//! What the bonds of a network can carry, and its parameters by count.

use std::collections::BTreeMap;

use convstat_tensor::Einsum;

/// Parameters "by count without K" (THEORY §2): bonds are clamped to what either side can carry, and
/// a factor between two bonds, such as `kr` in `pk,kr,…`, is absorbed by its neighbour.
pub(crate) fn reduced_parameters(network: &Einsum, sizes: &BTreeMap<char, usize>) -> usize {
    let output = &network.output;
    let (mut factors, mut sizes) = (network.inputs.clone(), sizes.clone());
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
pub(crate) fn feasible_sizes(network: &Einsum, sizes: &BTreeMap<char, usize>) -> BTreeMap<char, usize> {
    let mut sizes = sizes.clone();
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
