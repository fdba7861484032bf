//! Orders of contraction for the products of a structure with a sample.

use std::collections::BTreeMap;

use convstat_tensor::{Contraction, Einsum};

use crate::Result;

/// Label of the rows of a sample, of Unicode's private use: no einsum text has it.
pub(crate) const ROW: char = '\u{E000}';

/// Orders of contraction for the products of a structure with a sample, found once.
#[derive(Debug, Clone)]
pub(crate) struct DesignPlan {
    pub prediction: Contraction,
    /// One an operand of the network.
    pub partials: Vec<Contraction>,
    /// Pairs of operands, the first below the second.
    pub seconds: Vec<(usize, usize, Contraction)>,
}

impl DesignPlan {
    /// Plans with as many rows as features, about the size of a compressed sample.
    pub(crate) fn new(network: &Einsum, sizes: &BTreeMap<char, usize>, outputs: usize) -> Result<Self> {
        let (features, response) = split(&network.output, outputs);
        let mut sizes = sizes.clone();
        sizes.insert(ROW, features.iter().map(|c| sizes[c]).product());
        let mut sample = vec![ROW];
        sample.extend(features);
        let plan = |others: Vec<Vec<char>>, wanted: Vec<char>| {
            let mut inputs = vec![sample.clone()];
            inputs.extend(others);
            let mut output = vec![ROW];
            output.extend(wanted.into_iter().filter(|c| inputs.iter().flatten().any(|l| l == c)));
            Contraction::new(&Einsum { inputs, output }, &sizes)
        };
        let partials = (0..network.inputs.len())
            .map(|i| {
                let mut others = network.inputs.clone();
                let own = others.remove(i);
                let mut wanted: Vec<char> = response.iter().copied().filter(|c| !own.contains(c)).collect();
                wanted.extend(own);
                Ok(plan(others, wanted)?)
            })
            .collect::<Result<_>>()?;
        let mut seconds = Vec::new();
        for j in 0..network.inputs.len() {
            for i in 0..j {
                let mut inputs = vec![network.output.clone()];
                inputs.extend(
                    (0..network.inputs.len())
                        .filter(|&k| k != i && k != j)
                        .map(|k| network.inputs[k].clone()),
                );
                let mut output: Vec<char> = Vec::new();
                for &c in network.inputs[i].iter().chain(&network.inputs[j]) {
                    if !output.contains(&c) && inputs.iter().flatten().any(|l| *l == c) {
                        output.push(c);
                    }
                }
                seconds.push((i, j, Contraction::new(&Einsum { inputs, output }, &sizes)?));
            }
        }
        Ok(Self { seconds, prediction: plan(network.inputs.clone(), response.to_vec())?, partials })
    }
}

/// Feature labels of an output, and the label of the responses if there are several.
pub(crate) fn split(output: &[char], outputs: usize) -> (&[char], &[char]) {
    output.split_at(output.len() - usize::from(outputs > 1))
}
