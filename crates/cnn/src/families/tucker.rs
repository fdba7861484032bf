//! `tucker`: Tucker kernels, `pk,kr,rxyz,ax,by,cz->pabc` (THEORY §2; Huang, Si & Li 2020).

use serde::Deserialize;

use super::draft::Draft;
use super::family::Family;
use crate::error::bad_key;
use crate::{Counts, Result, Structure};

/// Keys of kind `tucker`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tucker {
    /// Ranks `R_1 … R_N` of the kernel modes (or groups of them).
    pub ranks: Vec<usize>,
    /// Rank `R` on the output channels.
    pub r: usize,
    /// Output channels `K`.
    pub kernels: usize,
}

/// Labels of the bonds of a core.
pub(super) const BONDS: [char; 10] = ['x', 'y', 'z', 'w', 'v', 'u', 't', 's', 'q', 'm'];

/// Ranks that the network can carry: `R ← min(R, K, P, ∏R_j)`, `R_j ← min(R_j, l_j, R ∏_{i≠j} R_i)`, to a
/// fixed point (THEORY §2). Returns `(R, R_j)`.
pub(super) fn clamp(r: usize, ranks: &[usize], sizes: &[usize], k: usize, p: usize) -> (usize, Vec<usize>) {
    let (mut r, mut ranks) = (r, ranks.to_vec());
    let product = |r: &[usize]| r.iter().fold(1usize, |a, &b| a.saturating_mul(b));
    loop {
        let before = (r, ranks.clone());
        r = r.min(k).min(p).min(product(&ranks));
        for j in 0..ranks.len() {
            let others = product(&ranks[..j]).saturating_mul(product(&ranks[j + 1..])).saturating_mul(r);
            ranks[j] = ranks[j].min(sizes[j]).min(others);
        }
        if (r, &ranks) == (before.0, &before.1) {
            return before;
        }
    }
}

/// Fails unless there is one entry a group of kernel modes.
pub(super) fn check_ranks(key: &str, ranks: usize, groups: usize) -> Result<()> {
    if ranks == groups && groups <= BONDS.len() {
        return Ok(());
    }
    let most = BONDS.len();
    let reason =
        format!("{key} has {ranks} entries; give {groups}, one a kernel mode or group (at most {most})");
    bad_key(key, reason)
}

impl Family for Tucker {
    fn takes_groups(&self) -> bool {
        true
    }

    /// `d_M = R∏R_j + ΣR_j l_j + RP` (as recalled from the follow-up paper),
    /// `df = R∏R_j + ΣR_j(l_j − R_j) + R(P − R)`, both at clamped ranks.
    fn build(&self, mut draft: Draft) -> Result<Structure> {
        let groups = draft.groups.clone();
        check_ranks("ranks", self.ranks.len(), groups.len())?;
        let k = draft.bond('k', "kernels", self.kernels)?;
        let r = draft.bond('r', "r", self.r)?;
        let bonds = &BONDS[..groups.len()];
        for (&bond, &rank) in bonds.iter().zip(&self.ranks) {
            draft.bond(bond, "ranks", rank)?;
        }
        draft.head(&[k])?;
        draft.factor(&[&[k], &[r]]);
        draft.factor(&[&[r], bonds]);
        for (group, &bond) in groups.iter().zip(bonds) {
            draft.factor(&[group, &[bond]]);
        }
        let (p, full) = (draft.head_size(), draft.head_is_full());
        let sizes: Vec<usize> = groups.iter().map(|g| draft.size(g)).collect();
        let structure = draft.build(&format!("tucker({:?},R={},K={})", self.ranks, self.r, self.kernels))?;
        let (r, ranks) = clamp(self.r, &self.ranks, &sizes, self.kernels, p);
        let core = r * ranks.iter().product::<usize>();
        let sum =
            |f: fn(usize, usize) -> usize| ranks.iter().zip(&sizes).map(|(&r, &l)| f(r, l)).sum::<usize>();
        let d_m = if full { core + sum(|r, l| r * l) + r * p } else { structure.d_m() };
        Ok(structure.with_counts(Counts {
            d_m,
            df_closed_form: full.then(|| core + sum(|r, l| r * (l - r)) + r * (p - r)),
            kernels: Some(self.kernels),
            rank: Some(self.r),
            factored_kernels: true,
        }))
    }
}
