//! Responses and gradients of a network at one point.

use convstat_tensor::algebra::{c_order, c_order_mut};
use convstat_tensor::{Buffers, Program, memory};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, Axis, Slice};

use super::function::Activation;
use super::network::ActivatedNetwork;
use crate::{CnnError, DesignProduct, Result};

/// One network at one point, with all the memory that it needs for blocks of observations: running it allocates nothing.
#[derive(Debug, Clone)]
pub struct Pass<'a> {
    network: &'a ActivatedNetwork,
    contraction: (Program, Buffers),
    /// `Jᵀ` of the kernels, as the product with one row.
    adjoint: DesignProduct,
    kernel_parameters: Vec<f64>,
    /// `K × L`.
    kernels: Array2<f64>,
    kernel_gradient: Array2<f64>,
    along: Vec<f64>,
    /// `P·K × M`.
    weights: Array2<f64>,
    weight_gradient: Array2<f64>,
    /// After the activation, `b·m × K` for m convolution positions.
    activated: Array2<f64>,
    upstream: Array2<f64>,
    /// After pooling, `b × P·K`.
    pooled: Array2<f64>,
    pooled_upstream: Array2<f64>,
    output: Array2<f64>,
}

/// Observations that are predicted together.
const BLOCK: usize = 64;

impl ActivatedNetwork {
    /// Memory for blocks of at most `rows` observations.
    ///
    /// # Errors
    /// More than there is.
    pub fn pass(&self, rows: usize) -> Result<Pass<'_>> {
        let (k, outputs) = (self.channels, self.structure.outputs());
        let (l, width) = (self.kernels.coefficients() / k, self.positions * k);
        memory::check("the responses of a block", &[rows, self.conv, k])?;
        memory::check("the pooled responses of a block", &[rows, width])?;
        let contraction = self.kernels.program();
        let buffers = contraction.buffers();
        Ok(Pass {
            network: self,
            contraction: (contraction, buffers),
            adjoint: DesignProduct::new(&self.kernels, 1, false),
            kernel_parameters: vec![0.0; self.kernels.naive_parameters()],
            kernels: Array2::zeros((k, l)),
            kernel_gradient: Array2::zeros((k, l)),
            along: vec![0.0; self.kernels.naive_parameters()],
            weights: Array2::zeros((width, outputs)),
            weight_gradient: Array2::zeros((width, outputs)),
            activated: Array2::zeros((rows * self.conv, k)),
            upstream: Array2::zeros((rows * self.conv, k)),
            pooled: Array2::zeros((rows, width)),
            pooled_upstream: Array2::zeros((rows, width)),
            output: Array2::zeros((rows, outputs)),
        })
    }

    /// `f(X_i)` for windows of n observations, `n × M`, block by block.
    ///
    /// # Errors
    /// Another number of parameters than the structure's.
    pub fn predict(&self, parameters: &[f64], windows: &ArrayView2<f64>) -> Result<Array2<f64>> {
        let n = windows.nrows() / self.conv;
        let block = BLOCK.min(n.max(1));
        let mut pass = self.pass(block)?;
        pass.set(parameters)?;
        let mut output = Array2::zeros((n, self.structure.outputs()));
        let blocks = output.axis_chunks_iter_mut(Axis(0), block);
        for (mut output, windows) in blocks.zip(windows.axis_chunks_iter(Axis(0), block * self.conv)) {
            output.assign(&pass.respond(&windows));
        }
        Ok(output)
    }

    /// `∂f(X_i)/∂θ` for windows of n observations, `n·M × parameters`.
    ///
    /// # Errors
    /// Another number of parameters than the structure's, or too many for the memory.
    pub fn jacobian(&self, parameters: &[f64], windows: &ArrayView2<f64>) -> Result<Array2<f64>> {
        let (n, outputs) = (windows.nrows() / self.conv, self.structure.outputs());
        memory::check("the Jacobian", &[n, outputs, parameters.len()])?;
        let mut jacobian = Array2::zeros((n * outputs, parameters.len()));
        let mut pass = self.pass(1)?;
        pass.set(parameters)?;
        let units = Array2::eye(outputs);
        for (i, windows) in windows.axis_chunks_iter(Axis(0), self.conv).enumerate() {
            pass.respond(&windows);
            for (o, unit) in units.axis_chunks_iter(Axis(0), 1).enumerate() {
                pass.add_gradient(&windows, &unit, c_order_mut(&mut jacobian.row_mut(i * outputs + o)));
            }
        }
        Ok(jacobian)
    }
}

impl Pass<'_> {
    /// Goes to flat `parameters`.
    ///
    /// # Errors
    /// Another number of parameters than the structure's.
    pub fn set(&mut self, parameters: &[f64]) -> Result<()> {
        let network = self.network;
        if parameters.len() != network.structure.naive_parameters() {
            let expected = format!("[{}]", network.structure.naive_parameters());
            return Err(CnnError::Shape {
                what: "the flat parameters",
                found: vec![parameters.len()],
                expected,
            });
        }
        let own = network.kernel_columns.iter().flat_map(|c| &parameters[c.clone()]);
        self.kernel_parameters.iter_mut().zip(own).for_each(|(v, p)| *v = *p);
        let head = &parameters[network.head_columns.clone()];
        self.weights.iter_mut().zip(&network.head_places).for_each(|(v, &i)| *v = head[i]);
        let (program, buffers) = &mut self.contraction;
        let operand = |f: usize| &self.kernel_parameters[network.own_columns[f].clone()];
        program.run(operand, buffers, c_order_mut(&mut self.kernels), false);
        Ok(())
    }

    /// `f(X_i)` for the windows (`b·m × L`) of at most as many observations as there is memory for, `b × M`.
    pub fn respond(&mut self, windows: &ArrayView2<f64>) -> ArrayView2<'_, f64> {
        let network = self.network;
        let (m, k) = (network.conv, network.channels);
        let b = windows.nrows() / m;
        let mut activated = self.activated.slice_axis_mut(Axis(0), Slice::from(..b * m));
        general_mat_mul(1.0, windows, &self.kernels.t(), 0.0, &mut activated);
        if network.activation == Activation::Relu {
            activated.mapv_inplace(|v| v.max(0.0));
        }
        let activated = c_order(&self.activated).chunks_exact(m * k);
        let pooled = c_order_mut(&mut self.pooled).chunks_exact_mut(network.positions * k);
        for (activated, pooled) in activated.zip(pooled).take(b) {
            for (pool, mean) in network.pools.iter().zip(pooled.chunks_exact_mut(k)) {
                mean.fill(0.0);
                for &r in pool {
                    mean.iter_mut().zip(&activated[r * k..]).for_each(|(m, v)| *m += v);
                }
                let share = 1.0 / pool.len() as f64;
                mean.iter_mut().for_each(|v| *v *= share);
            }
        }
        let rows = Slice::from(..b);
        let mut output = self.output.slice_axis_mut(Axis(0), rows);
        general_mat_mul(1.0, &self.pooled.slice_axis(Axis(0), rows), &self.weights, 0.0, &mut output);
        self.output.slice_axis(Axis(0), rows)
    }

    /// Adds `Σ_i ∂f(X_i)ᵀ/∂θ r_i` to `gradient` (flat, as the parameters), for the windows of the last
    /// [`Pass::respond`] and cotangents `r` of `b × M`.
    pub fn add_gradient(
        &mut self,
        windows: &ArrayView2<f64>,
        cotangent: &ArrayView2<f64>,
        gradient: &mut [f64],
    ) {
        let network = self.network;
        let (m, k) = (network.conv, network.channels);
        let b = windows.nrows() / m;
        let rows = Slice::from(..b);
        let pooled = self.pooled.slice_axis(Axis(0), rows);
        general_mat_mul(1.0, &pooled.t(), cotangent, 0.0, &mut self.weight_gradient);
        let head = &mut gradient[network.head_columns.clone()];
        self.weight_gradient.iter().zip(&network.head_places).for_each(|(v, &i)| head[i] += v);
        let mut back = self.pooled_upstream.slice_axis_mut(Axis(0), rows);
        general_mat_mul(1.0, cotangent, &self.weights.t(), 0.0, &mut back);
        let back = c_order(&self.pooled_upstream).chunks_exact(network.positions * k);
        let upstream = c_order_mut(&mut self.upstream);
        for (back, upstream) in back.zip(upstream.chunks_exact_mut(m * k)).take(b) {
            upstream.fill(0.0);
            for (pool, back) in network.pools.iter().zip(back.chunks_exact(k)) {
                let share = 1.0 / pool.len() as f64;
                for &r in pool {
                    upstream[r * k..].iter_mut().zip(back).for_each(|(u, v)| *u += share * v);
                }
            }
        }
        if network.activation == Activation::Relu {
            // A response of 0 has the derivative 0.
            upstream
                .iter_mut()
                .zip(c_order(&self.activated))
                .take(b * m * k)
                .for_each(|(u, &v)| *u = if v > 0.0 { *u } else { 0.0 });
        }
        let upstream = self.upstream.slice_axis(Axis(0), Slice::from(..b * m));
        general_mat_mul(1.0, &upstream.t(), windows, 0.0, &mut self.kernel_gradient);
        self.adjoint.jacobian(c_order(&self.kernel_gradient), &self.kernel_parameters, &mut self.along);
        let places = network.kernel_columns.iter().cloned().flatten();
        places.zip(&self.along).for_each(|(place, v)| gradient[place] += v);
    }
}
