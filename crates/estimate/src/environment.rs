//! Environments: what stands around one factor of a network (THEORY §2), by contraction of the factors alone.
//!
//! `W` is linear in a factor f that stands once: `vec W = J_f vec(f)`, where `J_f` is the contraction of the other
//! factors, repeated along the labels that f has in common with the output. `J_fᵀJ_f` is then block diagonal, one block
//! for each value of those labels, all blocks equal unless another factor has the label too; a block has the size of
//! the bonds of f. No `Z` and no dense `J` is needed for gradients in `W`, their preconditioning, and projections.

use std::collections::BTreeMap;
use std::ops::Range;

use convstat_cnn::Structure;
use convstat_tensor::algebra::matrix_view;
use convstat_tensor::linalg::{
    cholesky_in_place, eigh, gram, solve_upper, solve_upper_transposed, symmetrise,
};
use convstat_tensor::{Buffers, Contraction, Einsum, Program, Target, memory};
use ndarray::Array2;

use crate::Result;
use crate::alignment::{SINGULAR, smallest_pivot};

/// A program with its memory.
type Ready = (Program, Buffers);

/// The environments of all factors.
#[derive(Debug)]
pub(crate) struct Environments<'a> {
    structure: &'a Structure,
    columns: Vec<Range<usize>>,
    /// `W` from the operands.
    forward: Ready,
    /// For each operand, `J_iᵀv` from v and the other operands.
    pulls: Vec<Ready>,
    /// For each factor that stands once, the blocks of `J_fᵀJ_f`; none for a shared one.
    grams: Vec<Option<Gram>>,
}

/// How to make the blocks `EᵀE` of `J_fᵀJ_f`, and where they act.
#[derive(Debug)]
struct Gram {
    /// Which operand the factor is.
    operand: usize,
    /// The environment from the other operands; none for a network of one operand, whose environment is ones.
    program: Option<Ready>,
    /// The environment: for each block the other output labels × the bonds.
    environment: Vec<f64>,
    /// Rows of the environment of a block.
    rest: usize,
    /// Entries of a block's side.
    side: usize,
    /// Rows of the factor that share a block.
    rows: usize,
    /// For every (block, row, column) the entry of the factor.
    places: Vec<usize>,
}

impl<'a> Environments<'a> {
    /// Plans and memory.
    ///
    /// # Errors
    /// Products in between that do not fit into memory.
    pub fn new(structure: &'a Structure) -> Result<Self> {
        let network = structure.network();
        let pull = |i: usize| {
            let own = &network.inputs[i];
            let mut inputs = vec![network.output.clone()];
            inputs.extend(others(network, i));
            let output = own.iter().copied().filter(|c| inputs.iter().flatten().any(|l| l == c)).collect();
            let contraction = Contraction::new(&Einsum { inputs, output }, structure.sizes())?;
            ready(&contraction, &in_c_order(structure, own))
        };
        let owners = structure.owners();
        let once = |f: usize| {
            let mut own = (0..owners.len()).filter(|&i| owners[i] == f);
            own.next().filter(|_| own.next().is_none())
        };
        Ok(Self {
            structure,
            columns: structure.columns(),
            forward: ready(
                &Contraction::new(network, structure.sizes())?,
                &in_c_order(structure, &network.output),
            )?,
            pulls: (0..network.inputs.len()).map(pull).collect::<Result<_>>()?,
            grams: (0..structure.factor_count())
                .map(|f| once(f).map(|i| Gram::new(structure, i)).transpose())
                .collect::<Result<_>>()?,
        })
    }

    /// Columns of each factor.
    pub fn columns(&self) -> &[Range<usize>] {
        &self.columns
    }

    /// Writes `W` to `out`, `D × M` flat.
    pub fn coefficients(&mut self, parameters: &[f64], out: &mut [f64]) {
        let (columns, owners) = (&self.columns, self.structure.owners());
        let (program, buffers) = &mut self.forward;
        program.run(|i| &parameters[columns[owners[i]].clone()], buffers, out, false);
    }

    /// Writes the tangent vector `J δ` to `out`, `D × M` flat.
    pub fn tangent(&mut self, parameters: &[f64], delta: &[f64], out: &mut [f64]) {
        let (columns, owners) = (&self.columns, self.structure.owners());
        let (program, buffers) = &mut self.forward;
        for moved in 0..owners.len() {
            let of = |i: usize| if i == moved { delta } else { parameters };
            program.run(|i| &of(i)[columns[owners[i]].clone()], buffers, out, moved > 0);
        }
    }

    /// Writes `J_fᵀv` to `out` for factor f and v of `D × M`.
    pub fn pull(&mut self, f: usize, v: &[f64], parameters: &[f64], out: &mut [f64]) {
        let (columns, owners) = (&self.columns, self.structure.owners());
        let mut is_first = true;
        for (i, (program, buffers)) in self.pulls.iter_mut().enumerate().filter(|(i, _)| owners[*i] == f) {
            let operand = |k: usize| match k {
                0 => v,
                k => &parameters[columns[owners[if k <= i { k - 1 } else { k }]].clone()],
            };
            program.run(operand, buffers, out, !is_first);
            is_first = false;
        }
    }

    /// Writes `Jᵀv` to `out` for v of `D × M`.
    pub fn pull_all(&mut self, v: &[f64], parameters: &[f64], out: &mut [f64]) {
        for f in 0..self.columns.len() {
            let own = self.columns[f].clone();
            self.pull(f, v, parameters, &mut out[own]);
        }
    }

    /// Replaces the part `own` of factor f by `(J_fᵀJ_f)⁺ own`.
    pub fn solve(&mut self, f: usize, parameters: &[f64], own: &mut [f64]) -> Result<()> {
        let Some(gram_of) = &mut self.grams[f] else {
            let j = self.structure.factor_jacobian(f, &self.structure.unflatten(parameters)?)?;
            let mut right = Array2::from_shape_fn((own.len(), 1), |(i, _)| own[i]);
            solve_semidefinite(&gram(&j.view()), &mut right)?;
            own.iter_mut().zip(&right).for_each(|(v, x)| *v = *x);
            return Ok(());
        };
        let Gram { operand: i, program, environment, rest, side, rows, places } = gram_of;
        if let Some((program, buffers)) = program {
            let (columns, owners) = (&self.columns, self.structure.owners());
            let operand = |k: usize| &parameters[columns[owners[if k < *i { k } else { k + 1 }]].clone()];
            program.run(operand, buffers, environment, false);
        }
        let (rest, side, rows) = (*rest, *side, *rows);
        for (block, places) in environment.chunks_exact(rest * side).zip(places.chunks_exact(rows * side)) {
            let block = matrix_view((rest, side), block);
            let mut right = Array2::from_shape_fn((side, rows), |(a, r)| own[places[r * side + a]]);
            solve_semidefinite(&gram(&block), &mut right)?;
            for r in 0..rows {
                for a in 0..side {
                    own[places[r * side + a]] = right[[a, r]];
                }
            }
        }
        Ok(())
    }
}

impl Gram {
    fn new(structure: &Structure, operand: usize) -> Result<Self> {
        let (network, own) = (structure.network(), &structure.network().inputs[operand]);
        let others = others(network, operand);
        let is_free = |c: &char| network.output.contains(c);
        let elsewhere = |c: &char| others.iter().any(|l| l.contains(c));
        // Labels that tell blocks apart, labels along which blocks repeat, and the sides of a block.
        let apart: Vec<char> = own.iter().copied().filter(|c| is_free(c) && elsewhere(c)).collect();
        let along: Vec<char> = own.iter().copied().filter(|c| is_free(c) && !elsewhere(c)).collect();
        let bonds: Vec<char> = own.iter().copied().filter(|c| !is_free(c)).collect();
        let size = |labels: &[char]| structure.sizes_of(labels).iter().product::<usize>();
        let (rows, side) = (size(&along), size(&bonds));
        let order = [apart.clone(), along, bonds.clone()].concat();
        let rest: Vec<char> = network.output.iter().copied().filter(|c| !own.contains(c)).collect();
        let wanted = [apart, rest.clone(), bonds].concat();
        let environment = vec![1.0; structure.sizes_of(&wanted).iter().product()];
        let program = if others.is_empty() {
            None
        } else {
            let output = wanted.iter().copied().filter(|c| elsewhere(c)).collect();
            let contraction =
                Contraction::new(&Einsum { inputs: others.clone(), output }, structure.sizes())?;
            Some(ready(&contraction, &in_c_order(structure, &wanted))?)
        };
        let places = places(structure, own, &order);
        Ok(Self { operand, program, rest: size(&rest), side, rows, environment, places })
    }
}

fn ready(contraction: &Contraction, targets: &[Target]) -> Result<Ready> {
    let program = contraction.compile(&[], targets);
    memory::check("the products in between of an environment", &[program.buffer_entries()])?;
    let buffers = program.buffers();
    Ok((program, buffers))
}

/// Labels of all operands but one.
fn others(network: &Einsum, operand: usize) -> Vec<Vec<char>> {
    let mut inputs = network.inputs.clone();
    inputs.remove(operand);
    inputs
}

/// Where the entries of a tensor with these labels go in C order.
fn in_c_order(structure: &Structure, labels: &[char]) -> Vec<Target> {
    let mut stride = structure.sizes_of(labels).iter().product::<usize>();
    let target = |&label: &char| {
        let size = structure.sizes()[&label];
        stride /= size;
        Target { label, size, stride }
    };
    labels.iter().map(target).collect()
}

/// Flat places, in C order over `own`, of the entries in C order over `order`, a permutation of it.
fn places(structure: &Structure, own: &[char], order: &[char]) -> Vec<usize> {
    let strides: BTreeMap<char, usize> =
        in_c_order(structure, own).into_iter().map(|t| (t.label, t.stride)).collect();
    let mut all = vec![0];
    for c in order {
        let steps = 0..structure.sizes()[c];
        all = all
            .iter()
            .flat_map(|e| steps.clone().map(move |v| (e, v)))
            .map(|(e, v)| e + v * strides[c])
            .collect();
    }
    all
}

/// Replaces `right` by `matrix⁺ right` for a symmetric positive semidefinite matrix (upper triangle): by Cholesky, and
/// where it is singular to rounding (K > R leaves directions free) by its eigenvectors.
fn solve_semidefinite(matrix: &Array2<f64>, right: &mut Array2<f64>) -> Result<()> {
    let mut r = matrix.clone();
    if cholesky_in_place(&mut r).is_ok() && smallest_pivot(&r) > SINGULAR {
        // The solves read the upper triangle alone.
        *right = solve_upper(&r.view(), &solve_upper_transposed(&r.view(), &right.view()).view());
        return Ok(());
    }
    r.assign(matrix);
    symmetrise(&mut r);
    let (values, vectors) = eigh(&r.view())?;
    let least = SINGULAR * SINGULAR * values.last().copied().unwrap_or(0.0);
    let mut along = vectors.t().dot(right);
    for (mut row, &value) in along.outer_iter_mut().zip(&values) {
        row *= if value > least { 1.0 / value } else { 0.0 };
    }
    *right = vectors.dot(&along);
    Ok(())
}
