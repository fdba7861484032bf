//! Table `[noise]`.

use serde::{Deserialize, Serialize};

/// Table `[noise]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Noise {
    /// Law.
    pub kind: NoiseKind,
    /// Standard deviation.
    pub sigma: f64,
}

/// Laws of the noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NoiseKind {
    /// Normal.
    Normal,
}

impl Default for Noise {
    fn default() -> Self {
        Self { kind: NoiseKind::Normal, sigma: 1.0 }
    }
}
