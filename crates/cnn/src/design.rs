//! Products of rows of features with a structure: `Z W`, `Z J` and second derivatives by contraction, without `W`
//! or `J`.

use convstat_tensor::{Buffers, Contraction, Program, Target, memory};

use crate::design_plan::{ROW, split};
use crate::{Result, Structure};

/// Adds the labels of a factor in C order, its entries `step` apart; a label that is there already steps through both.
fn add_targets(targets: &mut Vec<Target>, structure: &Structure, own: &[char], step: usize) {
    let sizes = structure.sizes_of(own);
    let mut stride = sizes.iter().product::<usize>() * step;
    for (&label, size) in own.iter().zip(sizes) {
        stride /= size;
        match targets.iter_mut().find(|t| t.label == label) {
            Some(t) => t.stride += stride,
            None => targets.push(Target { label, size, stride }),
        }
    }
}

/// The products for a fixed number of rows, with all the memory they use: running them allocates nothing.
///
/// Parameters are flat, all factors one after the other ([`Structure::flatten`]).
#[derive(Debug, Clone)]
pub struct DesignProduct {
    rows: usize,
    parameters: usize,
    /// Columns of each factor.
    columns: Vec<std::ops::Range<usize>>,
    owners: Vec<usize>,
    prediction: (Program, Buffers),
    partials: Vec<(Program, Buffers)>,
}

/// One block of second derivatives.
#[derive(Debug, Clone)]
struct Second {
    /// The two operands.
    pair: (usize, usize),
    /// First entry of the block.
    start: usize,
    program: Program,
    buffers: Buffers,
}

impl DesignProduct {
    /// Products of `structure` with samples of `rows` rows. With `fixed` the rows never change after
    /// [`DesignProduct::prepare`], and are rearranged only once.
    pub fn new(structure: &Structure, rows: usize, fixed: bool) -> Self {
        let columns = structure.columns();
        let (outputs, parameters) = (structure.outputs(), structure.naive_parameters());
        let (_, response) = split(&structure.network().output, outputs);
        let constants: &[usize] = if fixed { &[0] } else { &[] };
        let ready = |contraction: &Contraction, targets: &[Target]| {
            let program = contraction.clone().resized(ROW, rows).compile(constants, targets);
            let buffers = program.buffers();
            (program, buffers)
        };
        let plan = structure.design_plan();
        let mut targets = vec![Target { label: ROW, size: rows, stride: outputs }];
        targets.extend(response.iter().map(|&label| Target { label, size: outputs, stride: 1 }));
        let prediction = ready(&plan.prediction, &targets);
        let partials = plan
            .partials
            .iter()
            .zip(&structure.network().inputs)
            .map(|(contraction, own)| {
                // Rows of the Jacobian run over (row, response), columns over the factor in C order; a response that
                // the factor has too stands on the diagonal.
                let mut targets = vec![Target { label: ROW, size: rows, stride: outputs * parameters }];
                targets.extend(response.iter().map(|&label| Target {
                    label,
                    size: outputs,
                    stride: parameters,
                }));
                add_targets(&mut targets, structure, own, 1);
                ready(contraction, &targets)
            })
            .collect();
        let owners = structure.owners().to_vec();
        Self { rows, parameters, columns, owners, prediction, partials }
    }

    /// Fails if the products in between of [`DesignProduct::new`] or [`Curvature::new`] do not fit into memory.
    ///
    /// # Errors
    /// Bonds so large that they do not.
    pub fn check(structure: &Structure, rows: usize) -> Result<()> {
        let plan = structure.design_plan();
        let seconds = plan.seconds.iter().map(|(_, _, contraction)| contraction.clone());
        let firsts = plan.partials.iter().chain([&plan.prediction]).map(|c| c.clone().resized(ROW, rows));
        let entries = firsts.chain(seconds).map(|c| c.compile(&[], &c.contiguous()).buffer_entries());
        memory::check("the products in between of a fit", &[entries.max().unwrap_or(0)])?;
        Ok(())
    }

    /// Rows of a sample.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of factor f in the Jacobian.
    pub fn columns(&self, f: usize) -> std::ops::Range<usize> {
        self.columns[f].clone()
    }

    /// Columns of each factor in the Jacobian.
    pub fn all_columns(&self) -> &[std::ops::Range<usize>] {
        &self.columns
    }

    /// Takes in fixed rows `z` (`rows × D`, C order).
    pub fn prepare(&mut self, z: &[f64]) {
        // Only operand 0 is constant, so no other is read.
        for (program, buffers) in self.partials.iter_mut().chain([&mut self.prediction]) {
            program.prepare(|_| z, buffers);
        }
    }

    /// Writes `Z W` (`rows × M`) to `out`.
    pub fn predict(&mut self, z: &[f64], parameters: &[f64], out: &mut [f64]) {
        let (columns, owners) = (&self.columns, &self.owners);
        let operand = |i: usize| if i == 0 { z } else { &parameters[columns[owners[i - 1]].clone()] };
        let (program, buffers) = &mut self.prediction;
        program.run(operand, buffers, out, false);
    }

    /// Writes the columns of factor f of `Z J` into `jacobian` (`rows M × parameters`, C order, off-diagonal
    /// entries between responses 0 before and after).
    pub fn factor_jacobian(&mut self, f: usize, z: &[f64], parameters: &[f64], jacobian: &mut [f64]) {
        let (columns, owners) = (&self.columns, &self.owners);
        let shared = owners.iter().filter(|&&o| o == f).count() > 1;
        if shared {
            // Each operand adds its part, on entries that differ.
            for row in jacobian.chunks_exact_mut(self.parameters) {
                row[columns[f].clone()].fill(0.0);
            }
        }
        for (i, (program, buffers)) in self.partials.iter_mut().enumerate().filter(|(i, _)| owners[*i] == f) {
            let operand = |k: usize| match k {
                0 => z,
                k => &parameters[columns[owners[if k <= i { k - 1 } else { k }]].clone()],
            };
            program.run(operand, buffers, &mut jacobian[columns[f].start..], shared);
        }
    }

    /// Writes `Z J` into `jacobian`; see [`DesignProduct::factor_jacobian`].
    pub fn jacobian(&mut self, z: &[f64], parameters: &[f64], jacobian: &mut [f64]) {
        for f in 0..self.columns.len() {
            self.factor_jacobian(f, z, parameters, jacobian);
        }
    }
}

/// Second derivatives of `<h, W>` by all parameters, with all the memory they use.
#[derive(Debug, Clone)]
pub struct Curvature {
    columns: Vec<std::ops::Range<usize>>,
    owners: Vec<usize>,
    seconds: Vec<Second>,
}

impl Curvature {
    /// Plans and memory for a structure.
    pub fn new(structure: &Structure) -> Self {
        let columns = structure.columns();
        Self { seconds: seconds(structure, &columns), owners: structure.owners().to_vec(), columns }
    }

    /// Writes `Σ h_x ∂²W_x/∂θ∂θᵀ` for `h` of `D × M` into the upper triangle of `curvature`
    /// (`parameters × parameters`, C order).
    pub fn write(&mut self, h: &[f64], parameters: &[f64], curvature: &mut [f64]) {
        let (columns, owners) = (&self.columns, &self.owners);
        curvature.fill(0.0);
        for second in &mut self.seconds {
            let (i, j) = second.pair;
            let operand = |k: usize| match k {
                0 => h,
                k => {
                    // The k-th of the operands that are neither i nor j.
                    let k = k - 1 + usize::from(k > i);
                    &parameters[columns[owners[k + usize::from(k >= j)]].clone()]
                }
            };
            second.program.run(operand, &mut second.buffers, &mut curvature[second.start..], true);
        }
    }
}

/// Programs for all pairs of operands; a pair that shares its factor stands twice, once each way.
fn seconds(structure: &Structure, columns: &[std::ops::Range<usize>]) -> Vec<Second> {
    let (network, owners) = (structure.network(), structure.owners());
    let parameters = structure.naive_parameters();
    let mut all = Vec::new();
    for (i, j, contraction) in &structure.design_plan().seconds {
        let mut ways = vec![(*i, *j)];
        if owners[*i] == owners[*j] {
            ways.push((*j, *i));
        } else if owners[*i] > owners[*j] {
            ways = vec![(*j, *i)];
        }
        for (row, column) in ways {
            let mut targets: Vec<Target> = Vec::new();
            for (operand, step) in [(row, parameters), (column, 1)] {
                add_targets(&mut targets, structure, &network.inputs[operand], step);
            }
            let program = contraction.compile(&[], &targets);
            let buffers = program.buffers();
            let start = columns[owners[row]].start * parameters + columns[owners[column]].start;
            all.push(Second { pair: (*i, *j), start, program, buffers });
        }
    }
    all
}
