//! What trained weights use: singular values of their unfoldings, and ranks from them.
//!
//! The output-channel unfolding of a kernel is `outputs × (inputs · kernel)`: its rank is the R of THEORY 2 that this layer
//! alone could have. The input-channel unfolding is `inputs × (outputs · kernel)`. A grouped kernel is block-diagonal: its
//! singular values are those of the blocks together, its ranks their sums.
//!
//! Singular values are roots of the eigenvalues of the Gram matrix on the smaller side (`dsyrk`, `dsyevd` without vectors, in
//! `f64` whatever the file holds). Eigenvalues are right up to about `max(rows, columns) · ε` of the largest, so singular
//! values below `√(max(rows, columns) · ε)` of the largest (about 1e-6) are not resolved. That is near what the rounding of
//! weights to 4-byte floats leaves of them, and 3 to 30 times faster than an SVD.

use convstat_graph::{Graph, GraphError, NodeId, Numbers, Op, Weight};
use convstat_tensor::linalg::{add_gram, eigvalsh, symmetrise};
use convstat_tensor::{TensorError, evbmf, memory};
use ndarray::{Array2, Array3, ArrayD, ArrayView3, Axis};
use rayon::prelude::*;

use crate::{AuditError, Result};

/// Which channels are the rows of the unfolding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// `outputs × (inputs · kernel)`.
    Output,
    /// `inputs × (outputs · kernel)`.
    Input,
}

/// Spectrum of one unfolding.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// Singular values, descending; of all groups together.
    pub singular_values: Vec<f64>,
    /// Numerical rank: singular values above the tolerance.
    pub rank: usize,
    /// The largest tolerance of a group, relative to the largest singular value: the larger of what the method resolves
    /// (`√(max(rows, columns) · ε)`, not for a single row) and of the spectral norm that rounding errors of the file's
    /// numbers have at most on average, `u (√rows + √columns) · rms(entries)`, u the unit roundoff (a quantised weight: half
    /// a step over `√3`).
    pub tolerance: f64,
    /// Rank by variational Bayesian matrix factorisation with estimated noise ([`evbmf`]), the sum over groups. None
    /// where a group has one row or column, as depthwise kernels have: there is no noise to compare with.
    pub vbmf_rank: Option<usize>,
    /// Stable rank `‖W‖_F² / ‖W‖₂²`: 0 of a zero weight.
    pub stable_rank: f64,
    /// Components that keep 90, 95 and 99 % of the energy.
    pub energy: EnergyRanks,
}

/// Least R whose R largest singular values keep a share of the energy `Σ s²`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnergyRanks {
    /// For 90 %.
    pub r90: usize,
    /// For 95 %.
    pub r95: usize,
    /// For 99 %.
    pub r99: usize,
}

/// Both spectra of one layer of a graph.
#[derive(Debug)]
pub struct LayerSpectra {
    /// The layer, a convolution or linear layer that holds its weight.
    pub node: NodeId,
    /// Of the output channels.
    pub output: Spectrum,
    /// Of the input channels.
    pub input: Spectrum,
}

impl Spectrum {
    /// Share of the energy that the `r` largest singular values keep; 1 of a zero weight.
    pub fn energy_kept(&self, r: usize) -> f64 {
        let sum = |values: &[f64]| values.iter().rev().map(|s| s * s).sum::<f64>();
        let total = sum(&self.singular_values);
        let r = r.min(self.singular_values.len());
        if total > 0.0 { sum(&self.singular_values[..r]) / total } else { 1.0 }
    }

    /// Least R that keeps a share (0 to 1) of the energy.
    pub fn rank_for_energy(&self, share: f64) -> usize {
        let total: f64 = self.singular_values.iter().rev().map(|s| s * s).sum();
        let mut kept = 0.0;
        for (r, s) in self.singular_values.iter().enumerate() {
            if kept >= share * total {
                return r;
            }
            kept += s * s;
        }
        self.singular_values.len()
    }

    fn of_blocks(mut blocks: Vec<Block>) -> Self {
        let mut singular_values: Vec<f64> =
            blocks.iter_mut().flat_map(|b| std::mem::take(&mut b.values)).collect();
        singular_values.sort_by(|a, b| b.total_cmp(a));
        let largest = singular_values.first().copied().unwrap_or(0.0);
        let squares: f64 = singular_values.iter().rev().map(|s| s * s).sum();
        let relative = |v: f64| if largest > 0.0 { v / largest } else { 0.0 };
        let mut spectrum = Self {
            singular_values,
            rank: blocks.iter().map(|b| b.rank).sum(),
            tolerance: blocks.iter().map(|b| relative(b.tolerance)).fold(0.0, f64::max),
            vbmf_rank: blocks.iter().map(|b| b.vbmf).sum(),
            stable_rank: relative(relative(squares)),
            energy: EnergyRanks { r90: 0, r95: 0, r99: 0 },
        };
        let [r90, r95, r99] = [0.90, 0.95, 0.99].map(|share| spectrum.rank_for_energy(share));
        spectrum.energy = EnergyRanks { r90, r95, r99 };
        spectrum
    }
}

/// Spectrum of a weight of `groups` groups: a kernel `outputs × inputs/groups × kernel…` (transposed:
/// `inputs × outputs/groups × kernel…`) or a matrix `outputs × inputs`.
///
/// # Errors
/// A weight of less than two modes or without entries, groups that do not divide its first mode, entries that are not finite, a Gram matrix over
/// the memory limit, LAPACK's failures.
pub fn spectrum(weight: &Weight, groups: usize, transposed: bool, side: Side) -> Result<Spectrum> {
    let kernel = Kernel::new(weight, groups)?;
    kernel.spectrum(side, transposed)
}

/// Spectra of all convolutions and linear layers of a graph that hold their weights, layers in parallel with BLAS on one
/// thread each. In the order of the nodes; an error names its layer.
///
/// # Errors
/// The linked BLAS cannot be used from several threads.
pub fn spectra(graph: &Graph) -> Result<Vec<Result<LayerSpectra>>> {
    spectra_of(graph, 0..graph.nodes.len())
}

/// [`spectra`] of some layers alone.
///
/// # Errors
/// As of [`spectra`].
pub fn spectra_of(
    graph: &Graph,
    nodes: impl IntoIterator<Item = NodeId>,
) -> Result<Vec<Result<LayerSpectra>>> {
    convstat_tensor::blas::single_thread()?;
    let layer = |node: NodeId| match graph.nodes.get(node).map(|n| &n.op) {
        Some(Op::Conv(c)) => c.weight.as_ref().map(|w| (node, w, c.groups.max(1), c.transposed)),
        Some(Op::Linear(l)) => l.weight.as_ref().map(|w| (node, w, 1, false)),
        _ => None,
    };
    let mut layers: Vec<_> = nodes.into_iter().filter_map(layer).collect();
    // The dearest first, so that no thread is left with one of them at the end.
    layers.sort_by_key(|(node, w, ..)| (std::cmp::Reverse(cost(&w.shape())), *node));
    let mut answers: Vec<(NodeId, Result<LayerSpectra>)> = layers
        .par_iter()
        .with_max_len(1)
        .map(|&(node, weight, groups, transposed)| {
            let both = Kernel::new(weight, groups).and_then(|kernel| {
                let output = kernel.spectrum(Side::Output, transposed)?;
                // Blocks of windows of one position are matrices; the other side is the transpose.
                let input = if kernel.taps == 1 {
                    output.clone()
                } else {
                    kernel.spectrum(Side::Input, transposed)?
                };
                Ok(LayerSpectra { node, output, input })
            });
            (node, both.map_err(|e| named(graph, node, &e)))
        })
        .collect();
    answers.sort_by_key(|(node, _)| *node);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

fn named(graph: &Graph, node: NodeId, error: &AuditError) -> AuditError {
    GraphError::BadGraph { node: graph.nodes[node].name.clone(), reason: error.to_string() }.into()
}

/// Multiplications of the Gram matrix, roughly.
fn cost(shape: &[usize]) -> u128 {
    let rows = shape.first().copied().unwrap_or(0) as u128;
    let columns: u128 = shape.iter().skip(1).map(|&s| s as u128).product();
    rows * columns * rows.min(columns)
}

/// A weight as groups of `first × second × taps`.
struct Kernel {
    entries: ArrayD<f32>,
    numbers: Numbers,
    groups: usize,
    first: usize,
    second: usize,
    taps: usize,
}

impl Kernel {
    fn new(weight: &Weight, groups: usize) -> Result<Self> {
        let shape = weight.shape();
        let bad = |mend: &str| -> AuditError {
            let value = format!("{shape:?} in {groups} groups");
            GraphError::BadOption { option: "weight", value, mend: mend.to_owned() }.into()
        };
        let [channels, second, kernel @ ..] = shape.as_slice() else {
            return Err(bad("a spectrum needs at least the modes of outputs and inputs"));
        };
        if shape.contains(&0) {
            return Err(bad("it has no entries"));
        }
        if groups == 0 || channels % groups != 0 {
            return Err(bad("the groups have to divide the first mode"));
        }
        let entries = weight.to_array()?;
        let entries =
            if entries.is_standard_layout() { entries } else { entries.as_standard_layout().into_owned() };
        if let Some((index, &value)) = entries.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return Err(TensorError::NotFinite { what: "weight", index, value: value.into() }.into());
        }
        let taps = kernel.iter().product();
        Ok(Self {
            numbers: weight.numbers(),
            groups,
            first: channels / groups,
            second: *second,
            taps,
            entries,
        })
    }

    fn spectrum(&self, side: Side, transposed: bool) -> Result<Spectrum> {
        let dim = (self.groups * self.first, self.second, self.taps);
        let shape_error = |_| TensorError::ShapeMismatch {
            operation: "unfold",
            left: self.entries.shape().to_vec(),
            right: vec![dim.0, dim.1, dim.2],
            mend: "the weight has to have as many entries".to_owned(),
        };
        let whole = self.entries.view().into_shape_with_order(dim).map_err(shape_error)?;
        let rows_first = (side == Side::Output) != transposed;
        let blocks: Result<Vec<Block>> = whole
            .axis_chunks_iter(Axis(0), self.first.max(1))
            .map(|block| {
                let block = if rows_first { block } else { block.permuted_axes([1, 0, 2]) };
                Block::new(block, self.numbers)
            })
            .collect();
        Ok(Spectrum::of_blocks(blocks?))
    }
}

/// What one group contributes.
struct Block {
    /// Singular values, descending.
    values: Vec<f64>,
    /// Absolute.
    tolerance: f64,
    rank: usize,
    vbmf: Option<usize>,
}

impl Block {
    /// Of the unfolding `rows × (others · taps)` of `rows × others × taps`.
    fn new(block: ArrayView3<f32>, numbers: Numbers) -> Result<Self> {
        let (rows, others, taps) = block.dim();
        let columns = others * taps;
        let values = singular_values(block)?;
        let largest = values.first().copied().unwrap_or(0.0);
        let norm = values.iter().rev().map(|s| s * s).sum::<f64>().sqrt();
        let (n, m) = (rows as f64, columns as f64);
        let resolution = if values.len() > 1 { (n.max(m) * f64::EPSILON).sqrt() } else { 0.0 };
        let rounding = if values.is_empty() {
            0.0
        } else {
            rounding_error(numbers, norm / (n * m).sqrt()) * (n.sqrt() + m.sqrt())
        };
        let tolerance = (resolution * largest).max(rounding);
        let rank = values.iter().filter(|&&s| s > tolerance).count();
        let relative = if largest > 0.0 { tolerance / largest } else { 0.0 };
        let vbmf = (values.len() > 1).then(|| evbmf(&values, rows, columns, relative).rank);
        Ok(Self { values, tolerance, rank, vbmf })
    }
}

/// Root mean square, at most, of the error that storing entries of root mean square `rms` made in each.
fn rounding_error(numbers: Numbers, rms: f64) -> f64 {
    match numbers {
        // Entries are read as 4-byte floats.
        Numbers::F64 | Numbers::F32 => rms * 2f64.powi(-24),
        Numbers::F16 => rms * 2f64.powi(-11),
        Numbers::BF16 => rms * 2f64.powi(-8),
        Numbers::I8 | Numbers::U8 => 0.5 / 3f64.sqrt(),
    }
}

/// Columns (or rows) of one piece that goes into the Gram matrix: fits the cache for usual numbers of channels.
const PIECE: usize = 512;

/// Singular values, descending, of `rows × (others · taps)`.
fn singular_values(block: ArrayView3<f32>) -> Result<Vec<f64>> {
    let (rows, others, taps) = block.dim();
    let columns = others * taps;
    let side = rows.min(columns);
    if side == 0 {
        return Ok(Vec::new());
    }
    if side == 1 {
        return Ok(vec![block.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt()]);
    }
    memory::check("Gram matrix of a weight", &[side, side])?;
    let mut gram = Array2::zeros((side, side));
    let wide = rows <= columns;
    let (axis, step) = if wide { (Axis(1), PIECE.div_ceil(taps)) } else { (Axis(0), PIECE) };
    for piece in block.axis_chunks_iter(axis, step) {
        let (a, b, c) = piece.dim();
        let mut entries = Array3::<f64>::zeros((a, b, c));
        entries.zip_mut_with(&piece, |e, &v| *e = f64::from(v));
        let matrix = entries.into_shape_with_order((a, b * c)).map_err(|e| GraphError::Internal {
            what: format!("{a} x {b} x {c} entries of a weight as a matrix: {e}"),
        })?;
        let view = matrix.view();
        add_gram(&mut gram, &if wide { view.reversed_axes() } else { view });
    }
    symmetrise(&mut gram);
    let eigenvalues = eigvalsh(&gram.view())?;
    Ok(eigenvalues.iter().rev().map(|&v| v.max(0.0).sqrt()).collect())
}
