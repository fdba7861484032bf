//! Ridge regression without the structure (Hoerl & Kennard 1970).

use convstat_cnn::Structure;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::solver::{Algorithm, Describe, Direct, check_penalty};
use crate::inference::Inference;
use crate::outcome::{Fit, SingleFit, Termination};
use crate::scale::Scale;
use crate::trace::Trace;
use crate::unstructured::ridge;
use crate::{Result, Sample};

/// Ridge without the structure: `(ZᵀZ + λI)⁻¹Zᵀy`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Ridge {
    /// Penalty, on the scale of `ZᵀZ` (default 1).
    pub lambda: f64,
}

impl Default for Ridge {
    fn default() -> Self {
        Self { lambda: 1.0 }
    }
}

impl Describe for Ridge {
    fn name(&self) -> &'static str {
        "ridge"
    }

    fn summary(&self) -> &'static str {
        "Ridge without the structure"
    }

    fn algorithm(&self) -> Algorithm<'_> {
        Algorithm::Direct(self)
    }

    fn check(&self) -> Result<()> {
        check_penalty(self.lambda)
    }
}

impl Direct for Ridge {
    fn solve(&self, _: &Structure, sample: &Sample, scale: &Scale, trace: &mut Trace) -> Result<Fit> {
        solve_ridge(sample, self.penalty(scale), trace)
    }

    fn inference(&self, sample: &Sample, scale: &Scale, w: &Array2<f64>) -> Result<Inference> {
        Inference::unstructured(sample, scale, w, self.penalty(scale))
    }

    fn penalty(&self, scale: &Scale) -> f64 {
        scale.unit_penalty(self.lambda)
    }

    fn shrinks(&self) -> bool {
        true
    }
}

/// The ridge fit with this penalty; minimum-norm least squares for 0.
pub(super) fn solve_ridge(sample: &Sample, penalty: f64, trace: &mut Trace) -> Result<Fit> {
    let w = ridge(sample, penalty)?;
    let objective = sample.objective(&w.view());
    trace.end(1, objective - sample.rss, Termination::Direct);
    let end = SingleFit { start: None, objective, iterations: 1, termination: Termination::Direct };
    Ok(Fit::unstructured(w, end))
}
