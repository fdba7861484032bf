//! The low-rank matrix that holds a structure: its best unfolding.

use std::sync::Arc;

use convstat_tensor::algebra::{entries, shaped};
use convstat_tensor::{Einsum, linalg};
use ndarray::{Array2, ArrayView2, IxDyn};

use crate::{Result, Structure};

/// Label of the rank, of Unicode's private use: no einsum text has it.
const RANK: char = '\u{E001}';

/// Singular values of an unfolding at a generic point below this share of the largest count as zero.
const RANK_TOLERANCE: f64 = 1e-10;

/// W as a matrix: rows over some output labels, columns over the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfolding {
    /// Output labels of the rows.
    pub rows: Vec<char>,
    /// Output labels of the columns.
    pub cols: Vec<char>,
    /// Sizes of the matrix.
    pub shape: (usize, usize),
    /// Its rank for a generic member of the structure.
    pub rank: usize,
    /// Sizes of the output labels.
    sizes: Vec<usize>,
    /// Place in the output of each label of rows and columns.
    axes: Vec<usize>,
}

impl Unfolding {
    /// Dimension `r(p + q − r)` of the `p × q` matrices of rank r.
    pub fn dimension(&self, rank: usize) -> usize {
        rank * (self.shape.0 + self.shape.1).saturating_sub(rank)
    }

    /// The matrix of a flat `vec(W)` in C order over the output labels.
    pub fn matrix(&self, w: &[f64]) -> Array2<f64> {
        let tensor = shaped(IxDyn(&self.sizes), w.to_vec());
        shaped(self.shape, entries(&tensor.view().permuted_axes(IxDyn(&self.axes))))
    }

    /// The flat `vec(W)` of a matrix; the inverse of [`Unfolding::matrix`].
    pub fn flat(&self, matrix: &ArrayView2<f64>) -> Vec<f64> {
        let permuted: Vec<usize> = self.axes.iter().map(|&a| self.sizes[a]).collect();
        let mut back = vec![0; self.axes.len()];
        self.axes.iter().enumerate().for_each(|(place, &a)| back[a] = place);
        let tensor = shaped(IxDyn(&permuted), entries(matrix));
        entries(&tensor.view().permuted_axes(IxDyn(&back)))
    }
}

/// Operands up to which all cuts of a network are looked at.
const MOST_CUT: usize = 8;

impl Structure {
    /// Bound on the rank of W unfolded along the output labels `rows`: the least product of the sizes of the labels that a
    /// cut of the network between these and the other output labels goes through. Networks of more than eight operands
    /// give the smaller side of the unfolding.
    pub fn rank_bound(&self, rows: &[char]) -> usize {
        let Einsum { inputs, output } = self.network();
        let operands = if inputs.len() <= MOST_CUT { inputs.len() } else { 0 };
        let cut = |sides: usize| -> usize {
            let on = |side: usize, label: &char| {
                let own = output.contains(label) && rows.contains(label) == (side == 1);
                own || (0..operands).any(|i| (sides >> i) & 1 == side && inputs[i].contains(label))
            };
            self.sizes().iter().filter(|(c, _)| on(0, c) && on(1, c)).map(|(_, &size)| size).product()
        };
        let side = |of: bool| -> usize {
            let labels: Vec<char> = output.iter().copied().filter(|c| rows.contains(c) == of).collect();
            self.sizes_of(&labels).iter().product()
        };
        let all = if operands == 0 { 0..0 } else { 0..1 << operands };
        all.map(cut).fold(side(true).min(side(false)), usize::min)
    }

    /// The unfolding of W along the output labels of one operand whose set of matrices, with the rank that the unfolding
    /// has at a generic point, has the smallest dimension; the first in the network among equals. For a CNN it is
    /// positions (and responses) × taps. `None` where no operand has some of the output labels but not all.
    ///
    /// # Errors
    /// A failure of LAPACK.
    pub fn unfolding(&self) -> Result<Option<Unfolding>> {
        let output = &self.network().output;
        let w = self.contract(&self.generic_point())?.to_vec();
        let mut best: Option<Unfolding> = None;
        for labels in &self.network().inputs {
            let (rows, cols): (Vec<char>, Vec<char>) = output.iter().partition(|c| labels.contains(c));
            if rows.is_empty() || cols.is_empty() {
                continue;
            }
            let axes = rows.iter().chain(&cols).filter_map(|c| output.iter().position(|o| o == c)).collect();
            let size = |labels: &[char]| self.sizes_of(labels).iter().product();
            let shape = (size(&rows), size(&cols));
            let mut found = Unfolding { rows, cols, shape, rank: 0, sizes: self.sizes_of(output), axes };
            found.rank = linalg::rank(&found.matrix(&w).view(), RANK_TOLERANCE)?;
            if best.as_ref().is_none_or(|b| found.dimension(found.rank) < b.dimension(b.rank)) {
                best = Some(found);
            }
        }
        Ok(best)
    }

    /// The set of matrices of low rank that holds the structure and has the smallest dimension: W unfolded along the
    /// output labels of one operand, with the rank it has at a generic point. `None` where no unfolding is smaller
    /// than W itself, or the structure is this set.
    ///
    /// A fit of it is well-posed for more designs than a fit without structure, and nearly convex: a stage on the way to
    /// a start.
    ///
    /// # Errors
    /// As [`Structure::unfolding`] and [`Structure::df`].
    pub fn relaxed(&self) -> Result<Option<Arc<Self>>> {
        if let Some(known) = self.relaxation.get() {
            return Ok(known.clone());
        }
        let found = self.find_relaxed()?.map(Arc::new);
        Ok(self.relaxation.get_or_init(|| found).clone())
    }

    fn find_relaxed(&self) -> Result<Option<Self>> {
        let Some(unfolding) = self.unfolding()? else { return Ok(None) };
        let dimension = unfolding.dimension(unfolding.rank);
        if dimension >= self.coefficients() || dimension <= self.df()? {
            return Ok(None);
        }
        let Unfolding { mut rows, mut cols, rank, .. } = unfolding;
        rows.push(RANK);
        cols.push(RANK);
        let network = Einsum { inputs: vec![rows, cols], output: self.network().output.clone() };
        let mut sizes = self.sizes().clone();
        sizes.insert(RANK, rank);
        Ok(Some(Self::new(&format!("{} unfolded", self.name()), network, sizes, self.outputs())?))
    }
}
