//! Derivatives of a tensor network: one environment an operand.
//!
//! `W` is linear in each operand, so `∂W[o]/∂A[f]` is the contraction of the other operands (the
//! environment), wherever `o` and `f` agree on the labels they share, and 0 elsewhere.

use std::collections::BTreeMap;

use convstat_tensor::algebra::entries;
use convstat_tensor::{Contraction, Einsum};
use ndarray::{Array2, ArrayD, ArrayViewD, IxDyn};

use crate::Result;

/// How to differentiate by one operand.
#[derive(Debug, Clone)]
pub(crate) struct Partial {
    operand: usize,
    /// Contraction of the other operands; none if there are none.
    environment: Option<Contraction>,
    /// (row, column, place in the environment) of every entry of the Jacobian that is not 0.
    entries: Vec<[u32; 3]>,
}

impl Partial {
    pub(crate) fn new(network: &Einsum, sizes: &BTreeMap<char, usize>, operand: usize) -> Result<Self> {
        let own = &network.inputs[operand];
        let mut inputs = network.inputs.clone();
        inputs.remove(operand);
        let wanted = union(&network.output, own);
        let kept: Vec<char> =
            wanted.iter().copied().filter(|c| inputs.iter().any(|l| l.contains(c))).collect();
        let entries = assignments(&wanted, [&network.output, own, &kept], sizes);
        let environment = if inputs.is_empty() {
            None
        } else {
            Some(Contraction::new(&Einsum { inputs, output: kept }, sizes)?)
        };
        Ok(Self { operand, environment, entries })
    }

    /// Adds the derivative to the columns of `jacobian` from `offset`.
    pub(crate) fn add_to(
        &self,
        jacobian: &mut Array2<f64>,
        offset: usize,
        operands: &[ArrayViewD<f64>],
    ) -> Result<()> {
        let environment = match &self.environment {
            None => ArrayD::ones(IxDyn(&[])),
            Some(contraction) => {
                let mut others = operands.to_vec();
                others.remove(self.operand);
                contraction.run(&others)?
            }
        };
        let flat = entries(&environment);
        for &[row, column, place] in &self.entries {
            jacobian[[row as usize, offset + column as usize]] += flat[place as usize];
        }
        Ok(())
    }
}

fn union(a: &[char], b: &[char]) -> Vec<char> {
    let mut all = a.to_vec();
    all.extend(b.iter().filter(|c| !a.contains(c)));
    all
}

/// Flat places in each of three label sets for every assignment of `labels`.
fn assignments(labels: &[char], sets: [&[char]; 3], sizes: &BTreeMap<char, usize>) -> Vec<[u32; 3]> {
    let strides = sets.map(|set| {
        labels
            .iter()
            .map(|c| match set.iter().position(|x| x == c) {
                None => 0,
                Some(i) => set[i + 1..].iter().map(|x| sizes[x]).product::<usize>() as u32,
            })
            .collect::<Vec<u32>>()
    });
    let mut all = vec![[0u32; 3]];
    for (i, c) in labels.iter().enumerate() {
        all = all
            .iter()
            .flat_map(|e| {
                let strides = &strides;
                (0..sizes[c] as u32).map(move |v| [0, 1, 2].map(|s| e[s] + v * strides[s][i]))
            })
            .collect();
    }
    all
}

/// Normal variate number `i` of a fixed sequence (splitmix64 and Box–Muller): a generic point
/// without a generator.
pub fn generic_normal(i: u64) -> f64 {
    let uniform = |k: u64| {
        let mut z = k.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    let (u, v) = (1.0 - uniform(2 * i), uniform(2 * i + 1));
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}
