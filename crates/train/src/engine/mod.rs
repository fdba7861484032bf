//! The engine: operations of convolutional networks forward and backward, and a tape that differentiates.
//!
//! Tensors are candle's, channels last: activations `(N, spatial…, C)`, convolution weights `(O, taps…, C / groups)`. The
//! derivatives are ours: candle's own are wrong for some of these operations and slow for others. [`Backend`] is
//! one device's way to compute them; [`cpu::Cpu`] is the portable one, and the oracle for others.

pub mod cpu;
pub mod tape;
pub mod window;

use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::optimiser::OptimiserSpec;
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
pub trait Backend: Send + Sync + std::fmt::Debug {
    /// Where its tensors live.
    fn device(&self) -> &Device;

    /// Cross-correlation of `x` (`N, spatial…, C`) with `w` (`O, taps…, C / groups`).
    fn convolve(&self, x: &Tensor, w: &Tensor, spec: &ConvSpec) -> Result<Tensor>;
    /// Its derivative by `x`, of shape `shape`.
    fn convolve_by_input(&self, dy: &Tensor, w: &Tensor, shape: &[usize], spec: &ConvSpec) -> Result<Tensor>;
    /// Its derivative by `w`, of shape `shape`.
    fn convolve_by_weight(&self, dy: &Tensor, x: &Tensor, shape: &[usize], spec: &ConvSpec)
    -> Result<Tensor>;

    /// `activation(γ (x − mean)/√(variance + ε) + β + residual)` with the statistics of the batch, or the running ones in
    /// evaluation. The activation is a clamp.
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

    /// Mean cross-entropy of `logits` (`N, classes`) with smoothed labels, and its derivative.
    fn cross_entropy(&self, logits: &Tensor, labels: &[u32], smoothing: f64) -> Result<(f64, Tensor)>;

    /// One step of an optimiser: the new parameter and moments, see [`crate::optimiser::update`].
    fn update(
        &self,
        step: &OptimiserStep,
        parameter: &Tensor,
        gradient: &Tensor,
        moments: &[Tensor],
    ) -> Result<Updated>;
    /// `decay · mean + (1 − decay) · value`.
    fn average(&self, mean: &Tensor, value: &Tensor, decay: f64) -> Result<Tensor>;
}

/// What an optimiser's step needs besides tensors.
#[derive(Debug, Clone, Copy)]
pub struct OptimiserStep<'a> {
    /// The optimiser.
    pub spec: &'a OptimiserSpec,
    /// Learning rate at this step.
    pub rate: f64,
    /// Whether weight decay applies.
    pub decay: bool,
    /// Number of the step, from 1.
    pub number: u64,
}

/// A parameter and its moments after a step.
pub type Updated = (Tensor, Vec<Tensor>);
