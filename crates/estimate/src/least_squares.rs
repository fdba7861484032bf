//! The least-squares problem of a structure and a sample, as the solvers see it: residuals, gradients and normal
//! equations at given factors.

use std::ops::Range;

use convstat_cnn::{Curvature, DesignProduct, Structure};
use convstat_tensor::algebra::{c_order, c_order_mut, matrix_view};
use convstat_tensor::linalg::{add_gram, add_transposed_product};
use convstat_tensor::memory;
use ndarray::Array2;
use rayon::prelude::*;

use crate::family::Labels;
use crate::{EstimateError, Result, RowMemory, Rows};

/// Entries of features and Jacobian that are worked on together: 4 MiB, within a second-level cache.
const BLOCK_ENTRIES: usize = 1 << 19;

/// Fewest rows of a block.
const LEAST_ROWS: usize = 16;

/// Blocks that are worked on at a time where the rows make more than one; fixed, so that sums do not depend on the
/// number of threads.
const LANES: usize = 8;

/// `‖y − Z W(θ)‖²` and its derivatives by the factors θ, by contraction of Z with the network (THEORY §3). All memory
/// is made at the start; evaluating allocates nothing where the rows fit into one block.
///
/// Where the responses are labels ([`Rows::family`]) the objective is the deviance, residuals are `y − μ`, and normal
/// matrices are the information: rows of `ZJ` are multiplied by the root of their weights.
pub struct LeastSquares<'a> {
    rows: &'a dyn Rows,
    structure: &'a Structure,
    block: usize,
    lanes: Vec<Lane>,
    second: Option<Curvature>,
}

/// Memory for one block of rows at a time, and the sums over its blocks.
#[derive(Debug)]
struct Lane {
    product: DesignProduct,
    jacobian: Array2<f64>,
    residual: Vec<f64>,
    /// For labels, their probabilities.
    labels: Option<Labels>,
    /// Rows of the block that are no padding.
    real: usize,
    /// Rows of a last, shorter block, filled up with zeros.
    padded: Vec<f64>,
    memory: RowMemory,
    sums: Linearised,
}

/// Objective and derivatives at a point.
#[derive(Debug, Clone, Default)]
pub struct Linearised {
    /// `‖y − ZW‖²` without the sample's `rss`; for labels the deviance.
    pub objective: f64,
    /// `JᵀZᵀZJ` of the columns asked for, upper triangle; for labels the information `JᵀZᵀVZJ`.
    pub normal: Array2<f64>,
    /// `JᵀZᵀ(y − ZW)`; for labels with `y − μ`.
    pub gradient: Vec<f64>,
    /// `Zᵀ(y − ZW)`, `D × M`, for labels with `y − μ`; for second derivatives; left out where it has no memory.
    pub dual: Vec<f64>,
}

impl Linearised {
    /// Memory for `parameters` columns.
    pub fn new(parameters: usize) -> Self {
        let (normal, gradient) = (Array2::zeros((parameters, parameters)), vec![0.0; parameters]);
        Self { objective: 0.0, normal, gradient, dual: Vec::new() }
    }

    /// The same with memory for the dual of `coefficients` entries.
    #[must_use]
    pub fn with_dual(mut self, coefficients: usize) -> Self {
        self.dual = vec![0.0; coefficients];
        self
    }

    fn clear(&mut self) {
        self.objective = 0.0;
        self.normal.fill(0.0);
        self.gradient.fill(0.0);
        self.dual.fill(0.0);
    }

    fn add(&mut self, other: &Self) {
        let add = |a: &mut [f64], b: &[f64]| a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
        self.objective += other.objective;
        self.normal += &other.normal;
        add(&mut self.gradient, &other.gradient);
        add(&mut self.dual, &other.dual);
    }
}

/// How the rows of a problem are divided.
#[derive(Debug, Clone, Copy)]
struct Blocks {
    /// Rows of a block.
    rows: usize,
    count: usize,
    /// Blocks that are worked on at a time.
    lanes: usize,
}

impl Blocks {
    fn new(structure: &Structure, rows: usize) -> Self {
        let width = structure.features() + structure.outputs() * structure.naive_parameters();
        let block = (BLOCK_ENTRIES / width.max(1)).max(LEAST_ROWS).min(rows).max(1);
        let count = rows.div_ceil(block).max(1);
        Self { rows: block, count, lanes: count.min(LANES) }
    }
}

/// Numbers that a fit of `rows` rows holds besides them: blocks of rows with their Jacobians and sums, and the solver's
/// matrices.
pub fn fit_entries(structure: &Structure, rows: usize) -> f64 {
    let Blocks { rows: block, lanes, .. } = Blocks::new(structure, rows);
    let (p, m) = (structure.naive_parameters() as f64, structure.outputs() as f64);
    let width = structure.features() as f64 + m * p;
    lanes as f64 * (2.0 * block as f64 * width + p * p) + 3.0 * p * p
}

impl<'a> LeastSquares<'a> {
    /// The problem; plans and memory are made here.
    ///
    /// # Errors
    /// Memory over the limit, a sample in memory whose arrays are not in C order.
    pub fn new(structure: &'a Structure, source: &'a dyn Rows) -> Result<Self> {
        if source.in_memory().is_some_and(|s| !s.is_in_c_order()) {
            return Err(EstimateError::Layout);
        }
        let (outputs, parameters) = (structure.outputs(), structure.naive_parameters());
        let Blocks { rows: block, count: blocks, lanes } = Blocks::new(structure, source.rows());
        memory::check("the Jacobians of the blocks of rows", &[lanes, block * outputs, parameters])?;
        memory::check("the normal equations of the blocks of rows", &[lanes, parameters, parameters])?;
        DesignProduct::check(structure, block)?;
        let lane = |_| {
            let fixed = source.in_memory().filter(|_| blocks == 1);
            let mut product = DesignProduct::new(structure, block, fixed.is_some());
            if let Some(sample) = fixed {
                product.prepare(c_order(&sample.z));
            }
            Lane {
                product,
                jacobian: Array2::zeros((block * outputs, parameters)),
                residual: vec![0.0; block * outputs],
                labels: source.family().is_labels().then(|| Labels::new(block, outputs, parameters)),
                real: 0,
                padded: Vec::new(),
                memory: RowMemory::default(),
                sums: Linearised::default(),
            }
        };
        Ok(Self { rows: source, structure, block, second: None, lanes: (0..lanes).map(lane).collect() })
    }

    /// The structure.
    pub fn structure(&self) -> &'a Structure {
        self.structure
    }

    /// The rows.
    pub fn rows(&self) -> &'a dyn Rows {
        self.rows
    }

    /// Columns of each factor in the flat parameters.
    pub fn columns(&self) -> &[Range<usize>] {
        self.lanes[0].product.all_columns()
    }

    /// `Zᵀy`, `D × M`; for labels `Zᵀ(y − μ)` at `W = 0`.
    pub fn matched_filter(&mut self) -> Vec<f64> {
        // Factors of 0 make W = 0, whose residuals are y.
        let parameters = vec![0.0; self.structure.naive_parameters()];
        let mut dual = vec![0.0; self.structure.coefficients()];
        self.dual(&parameters, &mut dual);
        dual
    }

    /// Writes `Zᵀ(y − ZW)` (`D × M`, flat) to `dual`; returns the objective. No Jacobian is made.
    pub fn dual(&mut self, parameters: &[f64], dual: &mut [f64]) -> f64 {
        for lane in &mut self.lanes {
            lane.sums.dual.resize(dual.len(), 0.0);
        }
        self.over_blocks(|lane, z, y| {
            lane.residuals(z, y, parameters);
            lane.add_dual(z);
        });
        dual.fill(0.0);
        for lane in &self.lanes {
            dual.iter_mut().zip(&lane.sums.dual).for_each(|(d, l)| *d += l);
        }
        self.lanes.iter().map(|l| l.sums.objective).sum()
    }

    /// `‖Z u‖²` for u of `D × M`, flat.
    pub fn image_squares(&mut self, u: &[f64]) -> f64 {
        let u = matrix_view((self.rows.features(), self.rows.outputs()), u);
        self.over_blocks(|lane, z, _| {
            let z = matrix_view((lane.product.rows(), u.nrows()), z);
            lane.sums.objective += z.dot(&u).iter().map(|v| v * v).sum::<f64>();
        });
        self.lanes.iter().map(|l| l.sums.objective).sum()
    }

    /// `‖y − Z W‖²` without the sample's `rss`; for labels the deviance.
    pub fn objective(&mut self, parameters: &[f64]) -> f64 {
        self.over_blocks(|lane, z, y| lane.residuals(z, y, parameters));
        self.lanes.iter().map(|l| l.sums.objective).sum()
    }

    /// `‖Z W‖²`.
    pub fn fitted_squares(&mut self, parameters: &[f64]) -> f64 {
        self.over_blocks(|lane, z, _| {
            lane.product.predict(z, parameters, &mut lane.residual);
            lane.sums.objective += lane.residual.iter().map(|r| r * r).sum::<f64>();
        });
        self.lanes.iter().map(|l| l.sums.objective).sum()
    }

    /// Objective and normal equations of factor `factor`, or of all factors.
    pub fn linearise(&mut self, parameters: &[f64], factor: Option<usize>, into: &mut Linearised) {
        self.sum_up(parameters, factor, true, into);
    }

    /// As [`LeastSquares::linearise`] for all factors, with `JᵀZᵀZJ` for labels, too.
    pub(crate) fn linearise_unweighted(&mut self, parameters: &[f64], into: &mut Linearised) {
        self.sum_up(parameters, None, false, into);
    }

    /// The least weight of a row of labels.
    pub(crate) fn least_weight(&mut self, parameters: &[f64]) -> f64 {
        self.over_blocks(|lane, z, y| {
            let before = lane.sums.objective;
            lane.residuals(z, y, parameters);
            let least = lane.labels.as_ref().map_or(f64::INFINITY, |l| l.least_weight(lane.real));
            lane.sums.objective = before.max(1.0 / least);
        });
        1.0 / self.lanes.iter().map(|l| l.sums.objective).fold(0.0, f64::max)
    }

    /// The largest entry of `Z J v`, squared.
    pub(crate) fn largest_change(&mut self, parameters: &[f64], v: &[f64]) -> f64 {
        let v = ndarray::ArrayView1::from(v);
        self.over_blocks(|lane, z, _| {
            lane.derivatives(z, parameters, None);
            let largest = lane.jacobian.dot(&v).fold(0.0f64, |m, x| m.max(x * x));
            lane.sums.objective = lane.sums.objective.max(largest);
        });
        self.lanes.iter().map(|l| l.sums.objective).fold(0.0, f64::max)
    }

    fn sum_up(&mut self, parameters: &[f64], factor: Option<usize>, weigh: bool, into: &mut Linearised) {
        let columns = factor.map_or(0..parameters.len(), |f| self.lanes[0].product.columns(f));
        // One lane sums up in the memory given, several in their own.
        for lane in &mut self.lanes[1..] {
            if lane.sums.gradient.len() != columns.len() || lane.sums.dual.len() != into.dual.len() {
                lane.sums = Linearised::new(columns.len()).with_dual(into.dual.len());
            }
        }
        std::mem::swap(&mut self.lanes[0].sums, into);
        self.over_blocks(|lane, z, y| {
            lane.residuals(z, y, parameters);
            lane.derivatives(z, parameters, factor);
            lane.add_to_sums(&columns, z, weigh);
        });
        std::mem::swap(&mut self.lanes[0].sums, into);
        for lane in &self.lanes[1..] {
            into.add(&lane.sums);
        }
    }

    /// Writes `Σ h_x ∂²W_x/∂θ∂θᵀ` for `h = dual` into the upper triangle of `curvature`: the part of the Hessian of
    /// half the objective that the normal equations leave out, with its sign changed.
    pub fn curvature(&mut self, dual: &[f64], parameters: &[f64], curvature: &mut Array2<f64>) {
        let second = self.second.get_or_insert_with(|| Curvature::new(self.structure));
        second.write(dual, parameters, c_order_mut(curvature));
    }

    /// Runs `work` on every block of rows; lane l takes blocks l, l + LANES, …
    fn over_blocks(&mut self, work: impl Fn(&mut Lane, &[f64], &[f64]) + Sync) {
        let (source, rows) = (self.rows, self.rows.rows());
        let (features, outputs) = (source.features(), source.outputs());
        let (block, lanes) = (self.block, self.lanes.len());
        let run = |(l, lane): (usize, &mut Lane)| {
            lane.sums.clear();
            for first in (l * block..rows).step_by(lanes * block) {
                let last = rows.min(first + block);
                lane.real = last - first;
                let mut memory = std::mem::take(&mut lane.memory);
                let (zs, ys) = source.block(first..last, &mut memory);
                if last - first == block {
                    work(lane, zs, ys);
                } else {
                    // Rows of zeros add nothing; to a deviance they would.
                    let mut padded = std::mem::take(&mut lane.padded);
                    padded.clear();
                    padded.resize(block * (features + outputs), 0.0);
                    padded[..zs.len()].copy_from_slice(zs);
                    padded[block * features..][..ys.len()].copy_from_slice(ys);
                    let (zs, ys) = padded.split_at(block * features);
                    work(lane, zs, ys);
                    lane.padded = padded;
                }
                lane.memory = memory;
            }
        };
        if lanes == 1 {
            self.lanes.iter_mut().enumerate().for_each(run);
        } else {
            self.lanes.par_iter_mut().enumerate().for_each(run);
        }
    }
}

impl Lane {
    fn residuals(&mut self, z: &[f64], y: &[f64], parameters: &[f64]) {
        self.product.predict(z, parameters, &mut self.residual);
        if let Some(labels) = &mut self.labels {
            self.sums.objective += labels.residuals(y, &mut self.residual, self.real);
            return;
        }
        self.residual.iter_mut().zip(y).for_each(|(r, y)| *r = y - *r);
        self.sums.objective += self.residual.iter().map(|r| r * r).sum::<f64>();
    }

    fn derivatives(&mut self, z: &[f64], parameters: &[f64], factor: Option<usize>) {
        let jacobian = c_order_mut(&mut self.jacobian);
        if self.labels.is_some() {
            // Weights have mixed the responses, and entries between them that are 0 are not written.
            jacobian.fill(0.0);
        }
        match factor {
            Some(f) => self.product.factor_jacobian(f, z, parameters, jacobian),
            None => self.product.jacobian(z, parameters, jacobian),
        }
    }

    fn add_to_sums(&mut self, columns: &Range<usize>, z: &[f64], weigh: bool) {
        let part = ndarray::s![.., columns.clone()];
        add_transposed_product(&self.jacobian.slice(part), &self.residual, &mut self.sums.gradient);
        if let (Some(labels), true) = (&mut self.labels, weigh) {
            labels.weigh(c_order_mut(&mut self.jacobian));
        }
        add_gram(&mut self.sums.normal, &self.jacobian.slice(part));
        if !self.sums.dual.is_empty() {
            self.add_dual(z);
        }
    }

    fn add_dual(&mut self, z: &[f64]) {
        let rows = self.product.rows();
        let z = matrix_view((rows, z.len() / rows), z);
        add_transposed_product(&z, &self.residual, &mut self.sums.dual);
    }
}
