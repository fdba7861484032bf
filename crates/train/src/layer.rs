//! One layer: a convolution with full or composed weights, then batch normalisation and an activation.

use candle_core::Tensor;
use convstat_engine::{Activation, ConvSpec, Tape, Var};
use convstat_tensor::{Einsum, memory};

use crate::parameters::{Parameters, Start};
use crate::{Result, TrainError};

/// Weights of a layer, by the numbers of their parameters.
#[derive(Debug, Clone)]
pub enum Weight {
    /// One tensor `(O, taps…, C / groups)`.
    Full(usize),
    /// A tensor network whose contraction has that shape. Constants are operands that are not trained.
    Composed {
        /// The network.
        network: Einsum,
        /// Its operands.
        factors: Vec<Factor>,
    },
}

/// An operand of composed weights.
#[derive(Debug, Clone)]
pub enum Factor {
    /// A parameter.
    Parameter(usize),
    /// The unit vector of a size with its one at a place.
    Unit {
        /// Its size.
        size: usize,
        /// Where the one is.
        place: usize,
    },
}

/// Batch normalisation by the numbers of its parameters and of its running statistics.
#[derive(Debug, Clone, Copy)]
pub struct Norm {
    gamma: usize,
    beta: usize,
    mean: usize,
    variance: usize,
}

/// A layer.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Its name, the beginning of its parameters' names.
    pub name: String,
    /// Its weights.
    pub weight: Weight,
    /// Input channels.
    pub channels: usize,
    /// Output channels.
    pub kernels: usize,
    /// Kernel taps a spatial axis.
    pub kernel: Vec<usize>,
    /// How the kernel slides.
    pub spec: ConvSpec,
    /// Batch normalisation, if any.
    pub norm: Option<Norm>,
    /// What follows.
    pub activation: Activation,
    /// Groups of a channel shuffle at the end; 1 for none.
    pub shuffle: usize,
}

/// What a layer is to look like; [`LayerPlan::build`] names its parameters.
#[derive(Debug, Clone)]
pub struct LayerPlan {
    /// Input channels.
    pub channels: usize,
    /// Output channels.
    pub kernels: usize,
    /// Kernel taps a spatial axis.
    pub kernel: Vec<usize>,
    /// Steps a spatial axis.
    pub stride: Vec<usize>,
    /// Groups of channels.
    pub groups: usize,
    /// Whether batch normalisation follows.
    pub norm: bool,
    /// What follows.
    pub activation: Activation,
    /// Groups of a channel shuffle at the end; 1 for none.
    pub shuffle: usize,
    /// The weights as a tensor network, if they are not full.
    pub composed: Option<Composition>,
}

/// Composed weights: a network over `(O, taps…, C)` and its operands.
#[derive(Debug, Clone)]
pub struct Composition {
    /// The network.
    pub network: Einsum,
    /// Operands, in the network's order.
    pub factors: Vec<FactorPlan>,
}

/// An operand of composed weights before it has a number.
#[derive(Debug, Clone)]
pub enum FactorPlan {
    /// A factor of this layer.
    Own(String, Vec<usize>),
    /// A factor that other layers use too, under its full name.
    Shared(String, Vec<usize>),
    /// A unit vector: its size, and where the one is.
    Unit(usize, usize),
}

impl LayerPlan {
    /// A convolution of `kernel` taps with batch normalisation and ReLU.
    pub fn new(channels: usize, kernels: usize, kernel: &[usize], stride: &[usize]) -> Self {
        Self {
            channels,
            kernels,
            kernel: kernel.to_vec(),
            stride: stride.to_vec(),
            groups: 1,
            norm: true,
            activation: Activation::Relu,
            shuffle: 1,
            composed: None,
        }
    }

    /// A convolution of one tap.
    pub fn pointwise(channels: usize, kernels: usize, axes: usize) -> Self {
        Self::new(channels, kernels, &vec![1; axes], &vec![1; axes])
    }

    /// The same in groups of channels.
    pub fn groups(self, groups: usize) -> Self {
        Self { groups, ..self }
    }

    /// The same with another activation.
    pub fn activation(self, activation: Activation) -> Self {
        Self { activation, ..self }
    }

    /// The same without batch normalisation and activation.
    pub fn bare(self) -> Self {
        Self { norm: false, activation: Activation::Identity, ..self }
    }

    /// The layer; adds its parameters and running statistics.
    ///
    /// # Errors
    /// Groups that do not divide the channels; sizes of 0.
    pub fn build(self, name: &str, parameters: &mut Parameters, running: &mut Parameters) -> Result<Layer> {
        let Self { channels, kernels, groups, .. } = self;
        if groups == 0 || channels % groups != 0 || kernels % groups != 0 {
            let mend = format!("it has to divide {channels} input and {kernels} output channels");
            return Err(TrainError::bad(format!("groups of {name}"), groups, mend));
        }
        let taps = self.kernel.iter().fold(1usize, |n, &taps| n.saturating_mul(taps));
        let fan_in = taps.saturating_mul(channels / groups);
        // PyTorch's default for convolutions: uniform with variance 1/(3 fan-in).
        let bound = 1.0 / (fan_in.max(1) as f64).sqrt();
        let weight = match &self.composed {
            None => {
                let shape = [&[kernels], self.kernel.as_slice(), &[channels / groups]].concat();
                Weight::Full(parameters.add(format!("{name}.conv.weight"), &shape, Start::Uniform(bound))?)
            }
            Some(composition) => composed(name, composition, bound * bound / 3.0, parameters)?,
        };
        let add = |what: &str, to: &mut Parameters, value: f64| {
            to.add(format!("{name}.norm.{what}"), &[kernels], Start::Constant(value))
        };
        let norm = if self.norm {
            Some(Norm {
                gamma: add("gamma", parameters, 1.0)?,
                beta: add("beta", parameters, 0.0)?,
                mean: add("mean", running, 0.0)?,
                variance: add("variance", running, 1.0)?,
            })
        } else {
            None
        };
        Ok(Layer {
            name: name.to_owned(),
            weight,
            channels,
            kernels,
            spec: ConvSpec { groups, ..ConvSpec::same(&self.kernel, &self.stride) },
            kernel: self.kernel,
            norm,
            activation: self.activation,
            shuffle: self.shuffle,
        })
    }
}

/// Composed weights whose entries have this variance at the start.
pub(crate) fn composed(
    name: &str,
    plan: &Composition,
    variance: f64,
    parameters: &mut Parameters,
) -> Result<Weight> {
    let shape = |f: &FactorPlan| match f {
        FactorPlan::Own(_, shape) | FactorPlan::Shared(_, shape) => shape.clone(),
        FactorPlan::Unit(size, _) => vec![*size],
    };
    // An entry sums products of one entry of every factor over all bonds that a unit vector does not pick.
    let mut bonds = std::collections::BTreeMap::new();
    for (labels, factor) in plan.network.inputs.iter().zip(&plan.factors) {
        for (&label, size) in labels.iter().zip(shape(factor)) {
            let size = if matches!(factor, FactorPlan::Unit(..)) { 1 } else { size };
            let known = bonds.entry(label).or_insert(size);
            *known = size.min(*known);
        }
    }
    let size = |label: &char| {
        let missing =
            || TrainError::shape("composed weights", format!("{name}: no factor has label {label}"));
        bonds.get(label).copied().ok_or_else(missing)
    };
    let sizes = plan.network.output.iter().map(size).collect::<Result<Vec<usize>>>()?;
    memory::check(&format!("the weights of {name}"), &sizes)?;
    let terms: f64 =
        bonds.iter().filter(|(l, _)| !plan.network.output.contains(l)).map(|(_, s)| *s as f64).product();
    let trained = plan.factors.iter().filter(|f| !matches!(f, FactorPlan::Unit(..))).count();
    let deviation = (variance / terms).powf(0.5 / trained.max(1) as f64);
    let factors = plan.factors.iter().map(|factor| match factor {
        FactorPlan::Own(own, shape) => {
            let number = parameters.add(format!("{name}.{own}"), shape, Start::Normal(deviation))?;
            Ok(Factor::Parameter(number))
        }
        FactorPlan::Shared(full, shape) => {
            Ok(Factor::Parameter(parameters.add(full.clone(), shape, Start::Normal(deviation))?))
        }
        FactorPlan::Unit(size, place) => Ok(Factor::Unit { size: *size, place: *place }),
    });
    Ok(Weight::Composed { network: plan.network.clone(), factors: factors.collect::<Result<_>>()? })
}

/// The tensors a forward pass reads and the running statistics it changes.
#[derive(Debug)]
pub struct State<'a> {
    /// Parameters, by number.
    pub parameters: &'a [Tensor],
    /// Running statistics, by number; replaced in training.
    pub running: &'a mut [Tensor],
}

impl Weight {
    /// Numbers of the trained parameters.
    pub fn parameters(&self) -> Vec<usize> {
        match self {
            Self::Full(number) => vec![*number],
            Self::Composed { factors, .. } => factors
                .iter()
                .filter_map(|f| match f {
                    Factor::Parameter(number) => Some(*number),
                    Factor::Unit { .. } => None,
                })
                .collect(),
        }
    }

    /// The weights on a tape.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn on(&self, tape: &mut Tape, parameters: &[Tensor]) -> convstat_engine::Result<Var> {
        match self {
            Self::Full(number) => Ok(tape.parameter(*number, parameters[*number].clone())),
            Self::Composed { network, factors } => {
                let dtype = parameters[self.parameters()[0]].dtype();
                let mut operands = Vec::with_capacity(factors.len());
                for factor in factors {
                    operands.push(match factor {
                        Factor::Parameter(number) => tape.parameter(*number, parameters[*number].clone()),
                        Factor::Unit { size, place } => {
                            let entries: Vec<f64> = (0..*size).map(|i| f64::from(i == *place)).collect();
                            tape.constant_vector(&entries, dtype)?
                        }
                    });
                }
                tape.compose(network, &operands)
            }
        }
    }
}

impl Layer {
    /// The layer's output for `x`; `residual` is added before the activation.
    ///
    /// # Errors
    /// Those of the engine.
    pub fn forward(
        &self,
        tape: &mut Tape,
        state: &mut State,
        x: Var,
        residual: Option<Var>,
    ) -> convstat_engine::Result<Var> {
        let w = self.weight.on(tape, state.parameters)?;
        let mut y = tape.convolve(x, w, &self.spec)?;
        if let Some(norm) = self.norm {
            let [gamma, beta] =
                [norm.gamma, norm.beta].map(|i| tape.parameter(i, state.parameters[i].clone()));
            let running = [&state.running[norm.mean], &state.running[norm.variance]];
            let fused = if self.activation.is_clamp() { self.activation } else { Activation::Identity };
            let (z, next) = tape.normalise(y, [gamma, beta], running, residual, fused)?;
            if let Some((mean, variance)) = next {
                state.running[norm.mean] = mean;
                state.running[norm.variance] = variance;
            }
            y = if fused == self.activation { z } else { tape.activate(z, self.activation)? };
        } else {
            if let Some(residual) = residual {
                y = tape.add(y, residual)?;
            }
            if self.activation != Activation::Identity {
                y = tape.activate(y, self.activation)?;
            }
        }
        if self.shuffle > 1 { tape.shuffle(y, self.shuffle) } else { Ok(y) }
    }

    /// Spatial sizes behind the layer.
    ///
    /// # Errors
    /// A kernel that does not fit the sizes.
    pub fn output(&self, input: &[usize]) -> Result<Vec<usize>> {
        let spec = &self.spec;
        let w =
            convstat_engine::Window::new(input, &self.kernel, &spec.stride, &spec.padding, &spec.dilation)?;
        Ok(w.output[3 - input.len()..].to_vec())
    }

    /// Multiply–accumulates of the convolution for one input of these spatial sizes; padding counts.
    ///
    /// # Errors
    /// A kernel that does not fit the sizes.
    pub fn macs(&self, input: &[usize]) -> Result<u64> {
        let output = self.output(input)?;
        let sizes = output.iter().chain(&self.kernel).chain([&self.kernels]);
        let all = sizes.fold(1u64, |n, &size| n.saturating_mul(size as u64));
        Ok(all.saturating_mul((self.channels / self.spec.groups) as u64))
    }
}
