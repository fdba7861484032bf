//! Minimum-norm ordinary least squares without the structure.

use convstat_cnn::Structure;
use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::ridge::solve_ridge;
use super::solver::{Algorithm, Describe, Direct};
use crate::inference::Inference;
use crate::outcome::Fit;
use crate::scale::Scale;
use crate::trace::Trace;
use crate::{Result, Sample};

/// Minimum-norm ordinary least squares without the structure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ols {}

impl Describe for Ols {
    fn name(&self) -> &'static str {
        "ols"
    }

    fn summary(&self) -> &'static str {
        "Least squares without the structure"
    }

    fn algorithm(&self) -> Algorithm<'_> {
        Algorithm::Direct(self)
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }
}

impl Direct for Ols {
    fn solve(&self, _: &Structure, sample: &Sample, _: &Scale, trace: &mut Trace) -> Result<Fit> {
        solve_ridge(sample, 0.0, trace)
    }

    fn inference(&self, sample: &Sample, scale: &Scale, w: &Array2<f64>) -> Result<Inference> {
        Inference::unstructured(sample, scale, w, 0.0)
    }
}
