//! One device's operations, forward and backward.

use std::collections::BTreeMap;

use candle_core::{DType, Device, Tensor};
use convstat_tensor::Einsum;

use crate::Result;
use crate::activation::{Activation, Pool};
use crate::feed::{Feed, Samples};
use crate::normalisation::{NormGradients, NormState, Normalised};
use crate::precision::Precision;
use crate::step::Step;
use crate::window::{ConvSpec, PoolSpec};

/// Derivatives by the parameters, by the numbers they were put on the tape with.
pub type Gradients = BTreeMap<usize, Tensor>;

/// Operations forward and backward on one device. Shapes are checked by [`Tape`](crate::Tape), which calls these.
///
/// Some operations return the *successor* of a tensor: a device may write over the old one, whose value is then lost.
///
/// # Errors
/// Every operation fails where its device does: no memory, a library's error, a type of numbers that the device does not have.
#[allow(clippy::missing_errors_doc, reason = "the errors of the trait are those of each operation")]
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
    /// What brings batches of these samples to the device.
    fn feed(&self, samples: &Samples) -> Result<Box<dyn Feed + '_>>;

    /// Whether an error says that the device's memory is too small.
    fn is_out_of_memory(&self, _error: &dyn std::error::Error) -> bool {
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
    ///
    /// # Errors
    /// Those of `body`; the device fails.
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
