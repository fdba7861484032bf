//! Networks with an activation between convolution and pooling: `y = Σ_k <B_k, pool(φ(A_k ∗ X))> + ξ`.
//!
//! With the identity for φ this is the linear network of THEORY §1; with another the output channels no longer merge
//! with the fully connected weights, so K counts. Factors, counts and the K/R ratio are the structure's.

use convstat_tensor::{Buffers, Einsum, Program, memory};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayD, ArrayView2, Axis, Slice};
use serde::{Deserialize, Serialize};

use crate::{CnnError, DesignProduct, Factors, Geometry, Result, Structure};

/// An activation function φ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `φ(x) = x`.
    Identity,
    /// `φ(x) = max(x, 0)`.
    Relu,
}

impl Activation {
    /// Its name in study files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Relu => "relu",
        }
    }
}

/// Convolution, activation, average pooling, fully connected layer; the kernels and the fully connected weights are
/// those of a structure.
#[derive(Debug, Clone)]
pub struct ActivatedNetwork {
    structure: Structure,
    activation: Activation,
    /// The kernels alone: output channels, then taps.
    kernels: Structure,
    /// Parameters of each factor of the kernels within the structure's.
    kernel_columns: Vec<std::ops::Range<usize>>,
    /// The same within the kernels' own parameters.
    own_columns: Vec<std::ops::Range<usize>>,
    /// The factor with the fully connected weights, and its parameters.
    head: usize,
    head_columns: std::ops::Range<usize>,
    /// Place in the head of each weight in the order (position, channel, response).
    head_places: Vec<usize>,
    /// Inputs under each convolution position and tap; none in the padding.
    taps: Vec<Option<usize>>,
    /// Convolution positions that each pooled position averages.
    pools: Vec<Vec<usize>>,
    conv: usize,
    inputs: usize,
    positions: usize,
    channels: usize,
}

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

fn bad<T>(reason: String) -> Result<T> {
    Err(CnnError::BadStructure { reason })
}

impl ActivatedNetwork {
    /// The network of a geometry of one layer and a structure whose fully connected weights are one factor.
    ///
    /// # Errors
    /// Several layers; a structure without output channels, with factors that stand twice, or with fully connected weights
    /// in several factors (`head_ranks`).
    pub fn new(geometry: &Geometry, structure: &Structure, activation: Activation) -> Result<Self> {
        let name = structure.name();
        if geometry.layers() > 1 {
            return bad(format!(
                "an activation needs one layer, the geometry has {}; remove deeper",
                geometry.layers()
            ));
        }
        if structure.has_shared_factors() {
            return bad(format!(
                "\"{name}\" has a factor that stands twice; with an activation each may stand once"
            ));
        }
        let network = structure.network();
        let positions = position_labels(geometry, structure)?;
        let heads: Vec<usize> = (0..network.inputs.len())
            .filter(|&i| network.inputs[i].iter().any(|c| positions.contains(c)))
            .collect();
        let [head] = heads[..] else {
            return bad(format!(
                "\"{name}\" has its fully connected weights in {} factors; with an activation they are one (no head_ranks)",
                heads.len()
            ));
        };
        let responses: Vec<char> = network
            .output
            .iter()
            .copied()
            .skip(network.output.len() - usize::from(structure.outputs() > 1))
            .collect();
        let taps: Vec<char> = network
            .output
            .iter()
            .copied()
            .filter(|c| !positions.contains(c) && !responses.contains(c))
            .collect();
        let labels = &network.inputs[head];
        let bonds: Vec<char> = labels.iter().copied().filter(|c| !network.output.contains(c)).collect();
        if bonds.is_empty()
            || labels.iter().any(|c| taps.contains(c))
            || !positions.iter().chain(&responses).all(|c| labels.contains(c))
        {
            return bad(format!(
                "\"{name}\" has no output channels between its kernels and its fully connected weights; an activation needs them (kind cnn, tucker, cp, …)"
            ));
        }
        let mut inputs = network.inputs.clone();
        inputs.remove(head);
        let output = [bonds.clone(), taps].concat();
        if let Some(c) = output.iter().find(|c| !inputs.iter().any(|l| l.contains(c))) {
            return bad(format!("label '{c}' of \"{name}\" stands in no kernel factor"));
        }
        let kernels = Structure::new(
            &format!("kernels of {name}"),
            Einsum { inputs, output },
            structure.sizes().clone(),
            1,
        )?;
        let (positions_shape, kernel_shape) = (geometry.positions_shape(), geometry.kernel_shape());
        let order = [positions, bonds.clone(), responses].concat();
        let modes: Vec<_> = geometry.modes().iter().map(|m| &m.layers[0]).collect();
        let conv: Vec<usize> = modes.iter().map(|l| l.conv).collect();
        memory::check("the windows of one input", &[conv.iter().product(), geometry.taps()])?;
        let row = |j: usize, position: usize, tap: usize| {
            let l = modes[j];
            (position * l.stride + l.dilation * tap).checked_sub(l.padding).filter(|&r| r < l.input)
        };
        let taps = cartesian(&conv)
            .iter()
            .flat_map(|at| {
                cartesian(&kernel_shape)
                    .into_iter()
                    .map(|a| {
                        at.iter()
                            .zip(a)
                            .enumerate()
                            .try_fold(0, |flat, (j, (&i, a))| Some(flat * modes[j].input + row(j, i, a)?))
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        let pools = cartesian(&positions_shape)
            .iter()
            .map(|at| {
                let window: Vec<usize> = modes.iter().map(|l| l.pool).collect();
                cartesian(&window)
                    .into_iter()
                    .map(|r| {
                        r.iter()
                            .enumerate()
                            .fold(0, |flat, (j, r)| flat * conv[j] + at[j] * modes[j].pool_stride + r)
                    })
                    .collect()
            })
            .collect();
        let columns = structure.columns();
        Ok(Self {
            activation,
            kernel_columns: columns
                .iter()
                .enumerate()
                .filter(|(f, _)| *f != head)
                .map(|(_, c)| c.clone())
                .collect(),
            head_places: places(labels, &order, structure),
            own_columns: kernels.columns(),
            head,
            head_columns: columns[head].clone(),
            taps,
            pools,
            conv: conv.iter().product(),
            inputs: geometry.inputs(),
            positions: geometry.positions(),
            channels: structure.sizes_of(&bonds).iter().product(),
            kernels,
            structure: structure.clone(),
        })
    }

    /// The structure of kernels and fully connected weights.
    pub fn structure(&self) -> &Structure {
        &self.structure
    }

    /// The activation.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Floating-point operations of one observation's response and gradient, roughly.
    pub fn operations(&self) -> f64 {
        let convolution = 2.0 * (self.conv * self.kernels.coefficients()) as f64;
        2.0 * convolution + 4.0 * (self.positions * self.channels * self.structure.outputs()) as f64
    }

    /// Inputs `∏d`.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Convolution positions `m`.
    pub fn windows_of_one(&self) -> usize {
        self.conv
    }

    /// The windows under the kernel for `b × ∏d` inputs in C order: `b·m × L`, 0 in the padding.
    ///
    /// # Errors
    /// Inputs of another size, or too many for the memory.
    pub fn windows(&self, x: &ArrayView2<f64>) -> Result<Array2<f64>> {
        if x.ncols() != self.inputs {
            return Err(CnnError::Shape {
                what: "X",
                found: x.shape().to_vec(),
                expected: format!("[n, {}]", self.inputs),
            });
        }
        let m = self.windows_of_one();
        let l = self.taps.len() / m;
        memory::check("the windows of the inputs", &[x.nrows(), m, l])?;
        let mut windows = Array2::zeros((x.nrows() * m, l));
        for (x, mut rows) in x.outer_iter().zip(windows.axis_chunks_iter_mut(Axis(0), m)) {
            rows.iter_mut().zip(&self.taps).for_each(|(v, tap)| *v = tap.map_or(0.0, |i| x[i]));
        }
        Ok(windows)
    }

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
                if let Some(row) = jacobian.row_mut(i * outputs + o).as_slice_mut() {
                    pass.add_gradient(&windows, &unit, row);
                }
            }
        }
        Ok(jacobian)
    }

    /// Factors of this network, of at least as many channels and the same labels, that give the same function as `other` at
    /// `factors`: what is new has zero weights, and kernels from `normal` so that training can use them.
    ///
    /// # Errors
    /// Another network, or larger sizes.
    pub fn embed(&self, other: &Self, factors: &Factors, mut normal: impl FnMut() -> f64) -> Result<Factors> {
        let (network, old) = (self.structure.network(), other.structure.network());
        let fits = network == old
            && network.labels().iter().all(|c| self.structure.sizes()[c] >= other.structure.sizes()[c]);
        if !fits {
            return bad(format!(
                "\"{}\" does not hold \"{}\": the networks have to be the same, with sizes at least as large",
                self.structure.name(),
                other.structure.name()
            ));
        }
        other.structure.check_factors(factors)?;
        let bonds: Vec<char> = self
            .kernels
            .network()
            .output
            .iter()
            .copied()
            .filter(|c| network.inputs[self.head].contains(c))
            .collect();
        let shapes = self.structure.factor_shapes();
        Ok(shapes
            .iter()
            .zip(factors)
            .enumerate()
            .map(|(f, (shape, old))| {
                let labels = &network.inputs[f];
                ArrayD::from_shape_fn(shape.as_slice(), |at| {
                    if let Some(&v) = old.get(&at) {
                        return v;
                    }
                    let is_new_channel = labels
                        .iter()
                        .enumerate()
                        .any(|(axis, c)| bonds.contains(c) && at[axis] >= other.structure.sizes()[c]);
                    if f != self.head && is_new_channel { normal() } else { 0.0 }
                })
            })
            .collect())
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
        if let Some(out) = self.kernels.as_slice_mut() {
            program.run(|f| &self.kernel_parameters[network.own_columns[f].clone()], buffers, out, false);
        }
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
        let (Some(activated), Some(pooled)) = (self.activated.as_slice(), self.pooled.as_slice_mut()) else {
            return self.output.view();
        };
        for (activated, pooled) in
            activated.chunks_exact(m * k).zip(pooled.chunks_exact_mut(network.positions * k)).take(b)
        {
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
        let (Some(back), Some(upstream), Some(activated)) =
            (self.pooled_upstream.as_slice(), self.upstream.as_slice_mut(), self.activated.as_slice())
        else {
            return;
        };
        for (back, upstream) in
            back.chunks_exact(network.positions * k).zip(upstream.chunks_exact_mut(m * k)).take(b)
        {
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
                .zip(activated)
                .take(b * m * k)
                .for_each(|(u, &v)| *u = if v > 0.0 { *u } else { 0.0 });
        }
        let upstream = self.upstream.slice_axis(Axis(0), Slice::from(..b * m));
        general_mat_mul(1.0, &upstream.t(), windows, 0.0, &mut self.kernel_gradient);
        if let Some(row) = self.kernel_gradient.as_slice() {
            self.adjoint.jacobian(row, &self.kernel_parameters, &mut self.along);
        }
        let places = network.kernel_columns.iter().cloned().flatten();
        places.zip(&self.along).for_each(|(place, v)| gradient[place] += v);
    }
}

/// The leading output labels, which stand for the pooled positions.
fn position_labels(geometry: &Geometry, structure: &Structure) -> Result<Vec<char>> {
    let output = &structure.network().output;
    let sizes = structure.sizes_of(output);
    let most = output.len().min(geometry.modes().len());
    let found = [1, most]
        .into_iter()
        .find(|&q| q <= most && sizes[..q].iter().product::<usize>() == geometry.positions());
    match found {
        Some(q) if structure.features() == geometry.features() => Ok(output[..q].to_vec()),
        _ => bad(format!(
            "\"{}\" does not fit the geometry, which has {} positions and {} taps",
            structure.name(),
            geometry.positions(),
            geometry.taps()
        )),
    }
}

/// All indices of an array of this shape, in C order.
fn cartesian(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![Vec::new()], |all, &d| {
        all.iter().flat_map(|at| (0..d).map(move |i| [at.as_slice(), &[i]].concat())).collect()
    })
}

/// Place in a factor with `labels` of each entry in the order of `order`.
fn places(labels: &[char], order: &[char], structure: &Structure) -> Vec<usize> {
    let sizes = structure.sizes_of(labels);
    let stride = |c: &char| labels.iter().position(|l| l == c).map_or(0, |i| sizes[i + 1..].iter().product());
    let strides: Vec<usize> = order.iter().map(stride).collect();
    cartesian(&structure.sizes_of(order))
        .iter()
        .map(|at| at.iter().zip(&strides).map(|(i, s)| i * s).sum())
        .collect()
}
