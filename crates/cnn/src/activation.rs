//! Networks with an activation between convolution and pooling: `y = Σ_k <B_k, pool(φ(A_k ∗ X))> + ξ`.
//!
//! With the identity for φ this is the linear network of THEORY §1; with another the output channels no longer merge
//! with the fully connected weights, so K counts. Factors, counts and the K/R ratio are the structure's.

use convstat_tensor::{Einsum, memory};
use ndarray::{Array1, Array2, ArrayD, ArrayView2, Axis, Slice};
use serde::{Deserialize, Serialize};

use crate::{CnnError, Factors, Geometry, Result, Structure};

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

    fn is_active(self, value: f64) -> bool {
        self == Self::Identity || value > 0.0
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
    /// The factor with the fully connected weights.
    head: usize,
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

/// What the layers gave for a block of b observations.
#[derive(Debug, Clone)]
pub struct Responses {
    /// After the activation, `b·m × K` for m convolution positions.
    activated: Array2<f64>,
    /// After pooling, `b × P·K`.
    pooled: Array2<f64>,
    /// `P·K × M`.
    weights: Array2<f64>,
    /// The network's output, `b × M`.
    pub output: Array2<f64>,
}

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
            head,
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

    /// The layers at flat `parameters` for windows of b observations.
    ///
    /// # Errors
    /// Another number of parameters than the structure's.
    pub fn respond(&self, parameters: &[f64], windows: &ArrayView2<f64>) -> Result<Responses> {
        let kernels = self.kernel_matrix(parameters)?;
        let m = self.windows_of_one();
        let b = windows.nrows() / m;
        let mut activated = windows.dot(&kernels.t());
        if self.activation == Activation::Relu {
            activated.mapv_inplace(|v| v.max(0.0));
        }
        let mut pooled = Array2::zeros((b, self.positions * self.channels));
        for (i, mut pooled) in pooled.outer_iter_mut().enumerate() {
            for (p, pool) in self.pools.iter().enumerate() {
                let mut mean = pooled.slice_axis_mut(Axis(0), part(p, self.channels));
                for &r in pool {
                    mean += &activated.row(i * m + r);
                }
                mean /= pool.len() as f64;
            }
        }
        let weights = self.weights(parameters);
        let output = pooled.dot(&weights);
        Ok(Responses { activated, pooled, weights, output })
    }

    /// Adds `Σ_i ∂f(X_i)ᵀ/∂θ r_i` to `gradient`, for cotangents `r` of `b × M`.
    ///
    /// # Errors
    /// Another number of parameters than the structure's.
    pub fn add_gradient(
        &self,
        parameters: &[f64],
        windows: &ArrayView2<f64>,
        at: &Responses,
        cotangent: &ArrayView2<f64>,
        gradient: &mut [f64],
    ) -> Result<()> {
        let weights = at.pooled.t().dot(cotangent);
        let head = self.structure.columns()[self.head].clone();
        for (&place, v) in self.head_places.iter().zip(&weights) {
            gradient[head.start + place] += v;
        }
        let upstream = self.before_activation(at, &cotangent.dot(&at.weights.t()));
        let kernels = upstream.t().dot(windows);
        let flat = Array1::from_iter(kernels.iter().copied());
        let along = self.kernels.jacobian(&self.kernel_factors(parameters)?)?.t().dot(&flat);
        let places = self.kernel_columns.iter().cloned().flatten();
        places.zip(along).for_each(|(place, v)| gradient[place] += v);
        Ok(())
    }

    /// `∂f(X_i)/∂θ` for b observations, `b·M × parameters`.
    ///
    /// # Errors
    /// Another number of parameters than the structure's, or too many for the memory.
    pub fn jacobian(&self, parameters: &[f64], windows: &ArrayView2<f64>) -> Result<Array2<f64>> {
        let at = self.respond(parameters, windows)?;
        let (b, outputs) = at.output.dim();
        let m = self.windows_of_one();
        memory::check("the Jacobian", &[b * outputs, self.structure.naive_parameters()])?;
        let kernel_jacobian = self.kernels.jacobian(&self.kernel_factors(parameters)?)?;
        let head = self.structure.columns()[self.head].start;
        let mut jacobian = Array2::zeros((b * outputs, self.structure.naive_parameters()));
        for o in 0..outputs {
            let mut cotangent = Array2::zeros((b, outputs));
            cotangent.column_mut(o).fill(1.0);
            let upstream = self.before_activation(&at, &cotangent.dot(&at.weights.t()));
            for i in 0..b {
                let rows = part(i, m);
                let kernels = upstream.slice_axis(Axis(0), rows).t().dot(&windows.slice_axis(Axis(0), rows));
                let flat = Array1::from_iter(kernels.iter().copied());
                let along = kernel_jacobian.t().dot(&flat);
                let mut row = jacobian.row_mut(i * outputs + o);
                let places = self.kernel_columns.iter().cloned().flatten();
                places.zip(along).for_each(|(place, v)| row[place] = v);
                for (j, &v) in at.pooled.row(i).iter().enumerate() {
                    row[head + self.head_places[j * outputs + o]] = v;
                }
            }
        }
        Ok(jacobian)
    }

    /// Derivatives by the convolution's output, `b·m × K`, from those by the pooled responses.
    fn before_activation(&self, at: &Responses, pooled: &Array2<f64>) -> Array2<f64> {
        let (m, k) = (self.windows_of_one(), self.channels);
        let mut upstream = Array2::zeros(at.activated.dim());
        for (i, pooled) in pooled.outer_iter().enumerate() {
            for (p, pool) in self.pools.iter().enumerate() {
                let share = 1.0 / pool.len() as f64;
                let from = pooled.slice_axis(Axis(0), part(p, k));
                for &r in pool {
                    upstream.row_mut(i * m + r).scaled_add(share, &from);
                }
            }
        }
        // A ReLU of 0 has the derivative 0.
        upstream.zip_mut_with(&at.activated, |u, &v| {
            if !self.activation.is_active(v) {
                *u = 0.0
            }
        });
        upstream
    }

    fn kernel_factors(&self, parameters: &[f64]) -> Result<Factors> {
        if parameters.len() != self.structure.naive_parameters() {
            let expected = format!("[{}]", self.structure.naive_parameters());
            return Err(CnnError::Shape {
                what: "the flat parameters",
                found: vec![parameters.len()],
                expected,
            });
        }
        let flat: Vec<f64> =
            self.kernel_columns.iter().flat_map(|c| parameters[c.clone()].iter().copied()).collect();
        self.kernels.unflatten(&flat)
    }

    fn kernel_matrix(&self, parameters: &[f64]) -> Result<Array2<f64>> {
        let flat = self.kernels.contract(&self.kernel_factors(parameters)?)?;
        let l = flat.len() / self.channels;
        Ok(convstat_tensor::algebra::shaped((self.channels, l), flat.to_vec()))
    }

    fn weights(&self, parameters: &[f64]) -> Array2<f64> {
        let head = &parameters[self.structure.columns()[self.head].clone()];
        let entries: Vec<f64> = self.head_places.iter().map(|&i| head[i]).collect();
        convstat_tensor::algebra::shaped((self.positions * self.channels, self.structure.outputs()), entries)
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

/// Part `i` of an axis cut in parts of `size`.
fn part(i: usize, size: usize) -> Slice {
    Slice::from(i * size..(i + 1) * size)
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
