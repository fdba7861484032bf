//! `tensor-train`: tensor-train kernels, `pk,kr,ars,bst,ct->pabc` (THEORY §2).

use serde::Deserialize;

use super::draft::Draft;
use super::family::Family;
use super::tucker::check_ranks;
use crate::{Counts, Result, Structure};

/// Keys of kind `tensor-train`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorTrain {
    /// Bond ranks: `R` on the output channels, then one between neighbouring kernel modes; N in all.
    pub ranks: Vec<usize>,
    /// Output channels `K`.
    pub kernels: usize,
}

const BONDS: [char; 10] = ['r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'q'];

/// `df` of a train `head × r_1`, `r_1 × l_1 × r_2`, …, `r_h × l_h` at bonds clamped to what either side can
/// carry: cores less the gauge `Σ r²`.
pub(super) fn train_dimension(head: usize, bonds: &[usize], sizes: &[usize]) -> usize {
    let mut r = bonds.to_vec();
    loop {
        let before = r.clone();
        for j in 0..r.len() {
            let left = if j == 0 { head } else { r[j - 1].saturating_mul(sizes[j - 1]) };
            let right = sizes[j].saturating_mul(r.get(j + 1).copied().unwrap_or(1));
            r[j] = r[j].min(left).min(right);
        }
        if r == before {
            break;
        }
    }
    let right = |j: usize| r.get(j + 1).copied().unwrap_or(1);
    let cores: usize = sizes.iter().enumerate().map(|(j, l)| r[j] * l * right(j)).sum();
    head * r[0] + cores - r.iter().map(|r| r * r).sum::<usize>()
}

impl Family for TensorTrain {
    fn takes_groups(&self) -> bool {
        true
    }

    /// `d_M` by count without K; `df = PR + R l_1 s + s l_2 t + t l_3 − R² − s² − t²` at clamped ranks.
    fn build(&self, mut draft: Draft) -> Result<Structure> {
        let groups = draft.groups.clone();
        check_ranks("ranks", self.ranks.len(), groups.len())?;
        let k = draft.bond('k', "kernels", self.kernels)?;
        let bonds = &BONDS[..groups.len()];
        for (&bond, &rank) in bonds.iter().zip(&self.ranks) {
            draft.bond(bond, "ranks", rank)?;
        }
        draft.head(&[k])?;
        draft.factor(&[&[k], &bonds[..1]]);
        for (j, group) in groups.iter().enumerate() {
            draft.factor(&[group, &bonds[j..(j + 2).min(bonds.len())]]);
        }
        let (p, full) = (draft.head_size(), draft.head_is_full());
        let sizes: Vec<usize> = groups.iter().map(|g| draft.size(g)).collect();
        let mut ranks = self.ranks.clone();
        ranks[0] = ranks[0].min(self.kernels);
        let structure = draft.build(&format!("tensor-train({:?},K={})", self.ranks, self.kernels))?;
        let d_m = structure.d_m();
        Ok(structure.with_counts(Counts {
            d_m,
            df_closed_form: full.then(|| train_dimension(p, &ranks, &sizes)),
            kernels: Some(self.kernels),
            rank: Some(self.ranks[0]),
            factored_kernels: true,
        }))
    }
}
