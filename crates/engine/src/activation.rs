//! Functions of every entry, and pools.

use serde::{Deserialize, Serialize};

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
    /// Whether its derivative can be read off its value, so that it can be fused into `Backend::normalise`.
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
