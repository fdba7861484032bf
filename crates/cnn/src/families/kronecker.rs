//! `kronecker`: each kernel is a sum of Kronecker products, `A_k = Σ_t C_{kt} ⊗ D_{kt}`, `pk,ktabc,ktABC->paAbBcC`.

use serde::Deserialize;

use super::draft::Draft;
use super::family::Family;
use super::tucker::check_ranks;
use crate::{Counts, Result, Structure};

/// Keys of kind `kronecker`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kronecker {
    /// Shape of the outer factors `C`, one entry a kernel mode, each dividing the kernel's size.
    pub outer: Vec<usize>,
    /// Terms of each sum.
    pub terms: usize,
    /// Output channels `K`.
    pub kernels: usize,
}

impl Family for Kronecker {
    /// `d_M` by count; `df` by the Jacobian's rank.
    fn build(&self, mut draft: Draft) -> Result<Structure> {
        let first = draft.taps.clone();
        check_ranks("outer", self.outer.len(), first.len())?;
        let k = draft.bond('k', "kernels", self.kernels)?;
        let t = draft.bond('t', "terms", self.terms)?;
        // Each tap label a becomes two, outer then inner: C order of the two is the order of the kernel.
        let second: Vec<char> = first.iter().map(char::to_ascii_uppercase).collect();
        for j in 0..first.len() {
            draft.split_tap(2 * j, [first[j], second[j]], self.outer[j], "outer")?;
        }
        draft.head(&[k])?;
        draft.factor(&[&[k, t], &first]);
        draft.factor(&[&[k, t], &second]);
        let structure = draft.build(&format!("kronecker(T={},K={})", self.terms, self.kernels))?;
        let d_m = structure.d_m();
        Ok(structure.with_counts(Counts {
            d_m,
            kernels: Some(self.kernels),
            factored_kernels: true,
            ..Counts::default()
        }))
    }
}
