//! Table `[inference]`.

use serde::{Deserialize, Serialize};

/// Table `[inference]`: each replicate records what its intervals and its region cover.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InferenceOptions {
    /// Probability with which they should.
    pub level: f64,
}
