//! The low-rank matrix that holds a structure: its best unfolding.

use std::sync::Arc;

use convstat_tensor::algebra::{entries, shaped};
use convstat_tensor::{Einsum, linalg};

use crate::{Result, Structure};

/// Label of the rank, of Unicode's private use: no einsum text has it.
const RANK: char = '\u{E001}';

/// Singular values of an unfolding at a generic point below this share of the largest count as zero.
const RANK_TOLERANCE: f64 = 1e-10;

impl Structure {
    /// The set of matrices of low rank that holds the structure and has the smallest dimension: W unfolded along the
    /// output labels of one operand, with the rank it has at a generic point. `None` where no unfolding is smaller
    /// than W itself, or the structure is this set.
    ///
    /// A fit of it is well-posed for more designs than a fit without structure, and nearly convex: a stage on the way to
    /// a start.
    pub fn relaxed(&self) -> Result<Option<Arc<Self>>> {
        if let Some(known) = self.relaxation.get() {
            return Ok(known.clone());
        }
        let found = self.find_relaxed()?.map(Arc::new);
        Ok(self.relaxation.get_or_init(|| found).clone())
    }

    fn find_relaxed(&self) -> Result<Option<Self>> {
        let output = &self.network().output;
        let w = self.contract(&self.generic_point())?;
        let shape = self.sizes_of(output);
        let tensor = shaped(ndarray::IxDyn(&shape), w.to_vec());
        let mut best: Option<(usize, Einsum, usize)> = None;
        for labels in &self.network().inputs {
            let (own, rest): (Vec<char>, Vec<char>) = output.iter().partition(|c| labels.contains(c));
            if own.is_empty() || rest.is_empty() {
                continue;
            }
            let axes: Vec<usize> =
                own.iter().chain(&rest).filter_map(|c| output.iter().position(|o| o == c)).collect();
            let rows: usize = self.sizes_of(&own).iter().product();
            let flat = entries(&tensor.view().permuted_axes(ndarray::IxDyn(&axes)));
            let cols = flat.len() / rows;
            let rank = linalg::rank(&shaped((rows, cols), flat).view(), RANK_TOLERANCE)?;
            let dimension = rank * (rows + cols - rank);
            if best.as_ref().is_none_or(|(d, ..)| dimension < *d) {
                let mut inputs = vec![own, rest];
                inputs[0].push(RANK);
                inputs[1].push(RANK);
                best = Some((dimension, Einsum { inputs, output: output.clone() }, rank));
            }
        }
        let Some((dimension, network, rank)) = best else { return Ok(None) };
        if dimension >= self.coefficients() || dimension <= self.df()? {
            return Ok(None);
        }
        let mut sizes = self.sizes().clone();
        sizes.insert(RANK, rank);
        Ok(Some(Self::new(&format!("{} unfolded", self.name()), network, sizes, self.outputs())?))
    }
}
