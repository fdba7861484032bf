//! Table `[truth]`.

use serde::{Deserialize, Serialize};

/// Table `[truth]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truth {
    /// One truth a setting, or one a replicate.
    #[serde(default)]
    pub draw: TruthDraw,
}

/// When true coefficients are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TruthDraw {
    /// Once a setting.
    #[default]
    Setting,
    /// Anew for every replicate.
    Replicate,
}
