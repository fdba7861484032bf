//! Batch normalisation: its state, its result, its derivatives.

use candle_core::Tensor;

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

/// Result of `Backend::normalise`.
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

/// Derivatives by the inputs of `Backend::normalise`.
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
