//! The engine: operations of convolutional networks forward and backward, and a tape that differentiates.
//!
//! Tensors are candle's, channels last: activations `(N, spatial…, C)`, convolution weights `(O, taps…, C / groups)`. The
//! derivatives are ours: candle's own are wrong for some of these operations and slow for others. [`Backend`] is
//! one device's way to compute them; [`cpu::Cpu`] is the portable one, and the oracle for others. `cuda::Cuda` (feature
//! `cuda`) is an NVIDIA GPU.

pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
#[cfg(any(test, feature = "cuda"))]
mod pairs;
pub mod tape;
pub mod window;

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};
use convstat_tensor::Einsum;
use serde::{Deserialize, Serialize};

use crate::data::{Batch, Images, Make, Normalisation, View};
use crate::optimiser::OptimiserSpec;
use crate::{Result, TrainError};
pub use tape::{Gradients, Tape, Var};
pub use window::{ConvSpec, PoolSpec, Window};

/// A function applied to every entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// `x`.
    Identity,
    /// `max(x, 0)`.
    #[default]
    Relu,
    /// `min(max(x, 0), 6)`.
    Relu6,
    /// `x / (1 + e^{-x})`.
    Silu,
    /// `tanh x`.
    Tanh,
    /// `1 / (1 + e^{-x})`.
    Sigmoid,
    /// `x Φ(x)`, Φ the normal distribution function.
    Gelu,
}

impl Activation {
    /// Whether its derivative can be read off its value, so that it can be fused into [`Backend::normalise`].
    pub fn is_clamp(self) -> bool {
        matches!(self, Self::Identity | Self::Relu | Self::Relu6)
    }
}

/// A kind of pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Pool {
    /// Mean of the window, padding counted as zeros.
    Average,
    /// Largest entry of the window.
    Max,
}

/// Arithmetic of products and convolutions; sums, statistics and parameters are f32 or better in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Single precision.
    F32,
    /// Factors of products rounded to 10 bits, activations in single precision.
    Tf32,
    /// Activations and factors in 7 bits, parameters in single precision.
    Bf16,
}

impl Precision {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::F32, Self::Tf32, Self::Bf16];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
            Self::Bf16 => "bf16",
        }
    }
}

/// A device and how it computes, as a user names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceSpec {
    /// Number of the GPU; none for the processor.
    pub gpu: Option<usize>,
    /// Arithmetic.
    pub precision: Precision,
}

impl DeviceSpec {
    /// From `cpu`, `cuda` or `cuda:N`, and a precision (default: f32 on the processor, tf32 on a GPU).
    ///
    /// # Errors
    /// Another name; a precision that the device does not have.
    pub fn parse(device: &str, precision: Option<&str>) -> Result<Self> {
        let gpu = match device.split_once(':') {
            None if device == "cpu" => None,
            None if device == "cuda" => Some(0),
            Some(("cuda", number)) if number.parse::<usize>().is_ok() => number.parse().ok(),
            _ => return Err(TrainError::bad("--device", device, "use cpu, cuda or cuda:N")),
        };
        let usual = if gpu.is_some() { Precision::Tf32 } else { Precision::F32 };
        let precision = match precision {
            None => usual,
            Some(name) => Precision::ALL
                .into_iter()
                .find(|p| p.name() == name)
                .ok_or_else(|| TrainError::bad("--precision", name, "use f32, tf32 or bf16"))?,
        };
        if gpu.is_none() && precision != Precision::F32 {
            let mend = "the processor computes in f32; use --device cuda";
            return Err(TrainError::bad("--precision", precision.name(), mend));
        }
        Ok(Self { gpu, precision })
    }

    /// The backend, with a stream of its own on a GPU.
    ///
    /// # Errors
    /// A GPU that is not there, or that this program was built without.
    pub fn open(&self) -> Result<Box<dyn Backend>> {
        match self.gpu {
            None => Ok(Box::new(cpu::Cpu)),
            #[cfg(feature = "cuda")]
            Some(number) => Ok(Box::new(cuda::Cuda::new(number, self.precision)?)),
            #[cfg(not(feature = "cuda"))]
            Some(number) => {
                let mend = "this program is built without CUDA; build it with: cargo build --release --bin convstat-train \
                            --features cuda";
                Err(TrainError::bad("--device", format!("cuda:{number}"), mend))
            }
        }
    }
}

/// Scale and shift of a batch normalisation and what it has seen, each of C entries.
#[derive(Debug, Clone, Copy)]
pub struct NormState<'a> {
    /// Scale γ.
    pub gamma: &'a Tensor,
    /// Shift β.
    pub beta: &'a Tensor,
    /// Running mean.
    pub mean: &'a Tensor,
    /// Running variance (unbiased).
    pub variance: &'a Tensor,
}

/// Result of [`Backend::normalise`].
#[derive(Debug)]
pub struct Normalised {
    /// The activations.
    pub y: Tensor,
    /// Mean of each channel.
    pub mean: Tensor,
    /// `1/√(variance + ε)` of each channel.
    pub inverse_deviation: Tensor,
    /// Scale of each channel: γ times the inverse deviation.
    pub scale: Tensor,
    /// Shift of each channel: β less the scale times the mean.
    pub shift: Tensor,
    /// Running mean and variance after this batch (training only).
    pub running: Option<(Tensor, Tensor)>,
}

/// Derivatives by the inputs of [`Backend::normalise`].
#[derive(Debug)]
pub struct NormGradients {
    /// By the input.
    pub x: Tensor,
    /// By the scale.
    pub gamma: Tensor,
    /// By the shift.
    pub beta: Tensor,
    /// By the residual, if there is one.
    pub residual: Option<Tensor>,
}

/// Constant ε of batch normalisation.
pub const EPSILON: f64 = 1e-5;
/// Share of a batch in the running statistics.
pub const NORM_MOMENTUM: f64 = 0.1;

/// Operations forward and backward on one device. Shapes are checked by [`Tape`], which calls these.
///
/// Some operations return the *successor* of a tensor: a device may write over the old one, whose value is then lost.
pub trait Backend: Send + Sync + std::fmt::Debug {
    /// Where its tensors live.
    fn device(&self) -> &Device;
    /// Device and arithmetic, for manifests.
    fn name(&self) -> String;
    /// Arithmetic: results of another one are not the same run's.
    fn precision(&self) -> Precision;

    /// Activations from a tensor in main memory.
    fn input(&self, x: &Tensor) -> Result<Tensor>;
    /// A tensor in main memory, f32 or f64, from activations.
    fn output(&self, x: &Tensor) -> Result<Tensor>;
    /// Weights in the number type of the activations `x`.
    fn operand(&self, w: &Tensor, x: &Tensor) -> Result<Tensor>;
    /// A vector that never changes.
    fn constant(&self, entries: &[f64], dtype: DType) -> Result<Tensor>;

    /// Cross-correlation of `x` (`N, spatial…, C`) with `w` (`O, taps…, C / groups`).
    fn convolve(&self, x: &Tensor, w: &Tensor, spec: &ConvSpec) -> Result<Tensor>;
    /// Its derivative by `x`, of shape `shape`.
    fn convolve_by_input(&self, dy: &Tensor, w: &Tensor, shape: &[usize], spec: &ConvSpec) -> Result<Tensor>;
    /// Its derivative by `w`, of shape `shape`.
    fn convolve_by_weight(&self, dy: &Tensor, x: &Tensor, shape: &[usize], spec: &ConvSpec)
    -> Result<Tensor>;

    /// `activation(γ (x − mean)/√(variance + ε) + β + residual)` with the statistics of the batch, or the running ones in
    /// evaluation. The activation is a clamp. In training `running` of the result are the successors of the running
    /// statistics.
    fn normalise(
        &self,
        x: &Tensor,
        state: NormState,
        residual: Option<&Tensor>,
        activation: Activation,
        training: bool,
    ) -> Result<Normalised>;
    /// Derivatives with the statistics of the batch.
    fn normalise_backward(
        &self,
        dy: &Tensor,
        x: &Tensor,
        gamma: &Tensor,
        has_residual: bool,
        activation: Activation,
        forward: &Normalised,
    ) -> Result<NormGradients>;

    /// The function of every entry.
    fn activate(&self, x: &Tensor, activation: Activation) -> Result<Tensor>;
    /// Its derivative times `dy`.
    fn activate_backward(&self, dy: &Tensor, x: &Tensor, activation: Activation) -> Result<Tensor>;

    /// Pool of `x` (`N, spatial…, C`), and for maxima the winning positions.
    fn pool(&self, x: &Tensor, kind: Pool, spec: &PoolSpec) -> Result<(Tensor, Option<Tensor>)>;
    /// Its derivative by the input of shape `shape`.
    fn pool_backward(
        &self,
        dy: &Tensor,
        winners: Option<&Tensor>,
        shape: &[usize],
        kind: Pool,
        spec: &PoolSpec,
    ) -> Result<Tensor>;

    /// `x` (`…, C`) plus `b` (`C`).
    fn add_bias(&self, x: &Tensor, b: &Tensor) -> Result<Tensor>;
    /// Sums of `dy` (`…, C`) over all but the last axis.
    fn sum_rows(&self, dy: &Tensor) -> Result<Tensor>;
    /// `a + b` of equal shapes.
    fn add(&self, a: &Tensor, b: &Tensor) -> Result<Tensor>;
    /// Channels seen as `(groups, C / groups)` and transposed.
    fn shuffle(&self, x: &Tensor, groups: usize) -> Result<Tensor>;
    /// A tensor network of small factors.
    fn contract(&self, network: &Einsum, operands: &[Tensor]) -> Result<Tensor>;

    /// Mean cross-entropy (one f64) of `logits` (`N, classes`) with smoothed labels (`N`, u32), and its derivative.
    fn cross_entropy(&self, logits: &Tensor, labels: &Tensor, smoothing: f64) -> Result<(Tensor, Tensor)>;

    /// Called before a step with what changes from step to step.
    fn begin(&self, step: &Step) -> Result<()>;
    /// One step of an optimiser: the successors of the parameters that have a gradient and of their moments, see
    /// [`crate::optimiser::update`]. `decays` says to which parameters weight decay applies.
    fn update(
        &self,
        step: &Step,
        parameters: &mut [Tensor],
        gradients: &Gradients,
        moments: &mut [Vec<Tensor>],
        decays: &dyn Fn(usize) -> bool,
    ) -> Result<()>;
    /// The successor of a moving average: `decay · mean + (1 − decay) · value` with the step's decay.
    fn average(&self, step: &Step, mean: &Tensor, value: &Tensor) -> Result<Tensor>;
    /// The successor of a sum of losses.
    fn accumulate(&self, sum: &Tensor, loss: &Tensor) -> Result<Tensor>;
    /// The successor of a tensor, all zeros.
    fn cleared(&self, t: &Tensor) -> Result<Tensor>;

    /// Runs the same step many times.
    fn recorder(&self) -> Box<dyn Recorder + '_> {
        Box::new(Direct)
    }
    /// Runs work that is not a step of a recorder; on a device that records, never during a recording. Not to be nested, nor
    /// to hold [`Feed::load`].
    fn direct(&self, body: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        body()
    }
    /// Steps after which the loss is worth waiting for.
    fn reads_every(&self) -> u64 {
        1
    }
    /// What turns recipes of these samples into batches on the device.
    fn feed(&self, images: &Images, normalisation: &Normalisation) -> Result<Arc<dyn Feed + '_>>;

    /// Whether an error says that the device's memory is too small.
    fn is_out_of_memory(&self, _error: &TrainError) -> bool {
        false
    }
    /// Gives memory back that no tensor uses.
    fn release(&self) -> Result<()> {
        Ok(())
    }
    /// The device's memory in bytes, if it has its own.
    fn memory(&self) -> Option<usize> {
        None
    }
}

/// Runs a step that does the same on the same tensors every time; a device may record and replay it.
pub trait Recorder: std::fmt::Debug {
    /// Runs `body` or what it did before.
    fn run(&mut self, body: &mut dyn FnMut() -> Result<()>) -> Result<()>;
}

/// Runs a step as it is.
#[derive(Debug)]
struct Direct;

impl Recorder for Direct {
    fn run(&mut self, body: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        body()
    }
}

/// A batch on a device.
#[derive(Debug, Clone)]
pub struct Inputs {
    /// Activations (`N, spatial…, C`).
    pub x: Tensor,
    /// Classes (`N`, u32).
    pub labels: Tensor,
}

impl Inputs {
    /// Whether these are the same tensors.
    pub fn same(&self, other: &Self) -> bool {
        self.x.id() == other.x.id() && self.labels.id() == other.labels.id()
    }
}

/// A batch as a loader's thread leaves it.
#[derive(Debug)]
pub enum Prepared {
    /// Ready.
    Ready(Batch),
    /// To be cut, normalised and blanked on the device.
    Recipe {
        /// The bytes that the views read, if the device does not hold them.
        bytes: Option<Vec<u8>>,
        /// How samples are cut.
        views: Vec<View>,
        /// Their classes.
        labels: Vec<u32>,
    },
}

impl Prepared {
    /// Classes of the samples.
    pub fn labels(&self) -> &[u32] {
        match self {
            Self::Ready(batch) => &batch.labels,
            Self::Recipe { labels, .. } => labels,
        }
    }
}

/// Brings batches to a device.
pub trait Feed {
    /// What a loader's thread does with a recipe.
    fn maker(&self) -> Make<Prepared>;
    /// The batch on the device: the successor of `previous` if that has the same shape.
    fn load(&self, batch: Prepared, previous: Option<Inputs>) -> Result<Inputs>;
}

/// What an optimiser's step needs besides tensors.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The optimiser.
    pub spec: &'a OptimiserSpec,
    /// Learning rate at this step.
    pub rate: f64,
    /// Number of the step, from 1.
    pub number: u64,
    /// Decay of the moving average at this step.
    pub average: f64,
}

impl Step<'_> {
    /// Length of [`numbers`](Self::numbers).
    pub const NUMBERS: usize = 6;

    /// What changes from step to step, for devices that replay the rest: rate; `AdamW`'s factor of weight decay, step size
    /// and correction of the deviation; the moving average's decay and what is left to one.
    pub fn numbers(&self) -> [f32; 6] {
        let (shrink, size, correction) = match *self.spec {
            OptimiserSpec::Sgd { .. } => (1.0, 0.0, 1.0),
            OptimiserSpec::Adamw { beta1, beta2, weight_decay, .. } => (
                1.0 - self.rate * weight_decay,
                self.rate / (1.0 - beta1.powf(self.number as f64)),
                (1.0 - beta2.powf(self.number as f64)).sqrt(),
            ),
        };
        [self.rate, shrink, size, correction, self.average, 1.0 - self.average].map(|v| v as f32)
    }
}
