//! Table `[theory]`.

use serde::{Deserialize, Serialize};

/// Table `[theory]`: how theory columns are computed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TheoryOptions {
    /// Whether the bounds are computed (their statistical dimension takes seconds a setting).
    pub bounds: bool,
    /// Probability with which the explicit bound holds, at least.
    pub confidence: f64,
    /// Draws of noise for the statistical dimension.
    pub draws: usize,
    /// Random starts of each projection.
    pub starts: usize,
    /// Drawn designs for the risk under dependent rows.
    pub designs: usize,
    /// `c_H` of the literature bound, unknown.
    pub c_h: f64,
    /// Constant of the literature bound's condition, unknown.
    pub c_condition: f64,
    /// `δ` of the literature bound.
    pub delta: f64,
}

impl Default for TheoryOptions {
    fn default() -> Self {
        Self {
            bounds: true,
            confidence: 0.95,
            draws: 100,
            starts: 2,
            designs: 50,
            c_h: convstat_theory::CONSTANT_PROBABILITY,
            c_condition: convstat_theory::CONSTANT_CONDITION,
            delta: 1.0,
        }
    }
}
