//! Table `[theory]`.

use convstat_theory::BoundOptions;
use serde::{Deserialize, Serialize};

use crate::{Result, StudyError};

/// Draws, and random starts of each, beyond which theory takes days.
const MOST_DRAWS: usize = 1_000_000;
const MOST_STARTS: usize = 10_000;

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
        let BoundOptions { confidence, c_h, c_condition, delta } = BoundOptions::default();
        Self { bounds: true, confidence, draws: 100, starts: 2, designs: 50, c_h, c_condition, delta }
    }
}

impl TheoryOptions {
    /// Fails on values outside their range.
    ///
    /// # Errors
    /// The first of them, with its key.
    pub fn check(&self) -> Result<()> {
        let constants = [
            ("theory.c_h", self.c_h),
            ("theory.c_condition", self.c_condition),
            ("theory.delta", self.delta),
        ];
        for (key, value) in constants {
            if !(value.is_finite() && value > 0.0) {
                return Err(StudyError::bad(key, value, "it has to be a finite number above 0"));
            }
        }
        if !(self.confidence > 0.0 && self.confidence < 1.0) {
            return Err(StudyError::bad(
                "theory.confidence",
                self.confidence,
                "it has to be between 0 and 1",
            ));
        }
        for (key, value, most) in [
            ("theory.draws", self.draws, MOST_DRAWS),
            ("theory.designs", self.designs, MOST_DRAWS),
            ("theory.starts", self.starts, MOST_STARTS),
        ] {
            if value > most {
                return Err(StudyError::bad(key, value, &format!("at most {most} are possible")));
            }
        }
        for (key, value) in [("theory.draws", self.draws), ("theory.designs", self.designs)] {
            if value < 2 {
                return Err(StudyError::bad(key, value, "a standard error needs two"));
            }
        }
        Ok(())
    }

    /// What the bounds take of it.
    pub fn bound_options(&self) -> BoundOptions {
        BoundOptions {
            confidence: self.confidence,
            c_h: self.c_h,
            c_condition: self.c_condition,
            delta: self.delta,
        }
    }
}
