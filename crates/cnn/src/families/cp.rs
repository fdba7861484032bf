//! `cp` (also `factorised-higher-order`): CP kernels, `pk,kr,ar,br,cr->pabc` (THEORY §2; Lebedev et al. 2015;
//! for N ≥ 3 the factorised higher-order convolution of Kossaifi et al. 2020 and Su et al. 2018).

use serde::Deserialize;

use super::draft::Draft;
use super::family::Family;
use crate::{Counts, Result, Structure};

/// Keys of kind `cp`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cp {
    /// Rank `R`.
    pub rank: usize,
    /// Output channels `K`.
    pub kernels: usize,
}

impl Family for Cp {
    fn takes_groups(&self) -> bool {
        true
    }

    /// `d_M = R^{N+1} + R(Σl_j + P)` (as recalled from the follow-up paper); `df = R(Σ(l_j − 1) + P)` where
    /// Kruskal's condition makes the factors unique, for K ≥ R; otherwise by the Jacobian's rank only.
    fn build(&self, mut draft: Draft) -> Result<Structure> {
        let groups = draft.groups.clone();
        let k = draft.bond('k', "kernels", self.kernels)?;
        let r = draft.bond('r', "rank", self.rank)?;
        draft.head(&[k])?;
        draft.factor(&[&[k], &[r]]);
        for group in &groups {
            draft.factor(&[group, &[r]]);
        }
        let (p, full) = (draft.head_size(), draft.head_is_full());
        let sizes: Vec<usize> = groups.iter().map(|g| draft.size(g)).collect();
        let (sum, rank) = (sizes.iter().sum::<usize>(), self.rank);
        let structure = draft.build(&format!("cp(R={rank},K={})", self.kernels))?;
        // Kruskal: Σ min(size, R) ≥ 2R + (modes − 1) over the kernel modes and the head.
        let ranks: usize = sizes.iter().chain([&p]).map(|&d| d.min(rank)).sum();
        let unique = groups.len() >= 2 && ranks >= 2 * rank + groups.len() && self.kernels >= rank;
        let d_m = if full {
            rank.saturating_pow(groups.len() as u32 + 1).saturating_add(rank * (sum + p))
        } else {
            structure.d_m()
        };
        Ok(structure.with_counts(Counts {
            d_m,
            df_closed_form: (full && unique).then(|| rank * (sum - groups.len() + p)),
            kernels: Some(self.kernels),
            rank: Some(rank),
            factored_kernels: true,
        }))
    }
}
