//! The study file as a whole.

use serde::{Deserialize, Serialize};

use super::estimator::Estimator;
use super::figure::Figure;
use super::inference::InferenceOptions;
use super::noise::Noise;
use super::response::Response;
use super::samples::Samples;
use super::setting::Setting;
use super::theory::TheoryOptions;
use super::truth::Truth;
use crate::checks::CheckSpec;
use crate::designs::DesignSpec;

/// A study file, in ADEMP order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyFile {
    /// Name, aim, seed, replicates.
    pub study: Info,
    /// Geometries with structures.
    pub setting: Vec<Setting>,
    /// Laws of the inputs.
    #[serde(default = "one_normal_design")]
    pub design: Vec<DesignSpec>,
    /// Law of the noise.
    #[serde(default)]
    pub noise: Noise,
    /// Law of the responses, if it is not Gaussian.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// How true coefficients are drawn.
    #[serde(default)]
    pub truth: Truth,
    /// Sample sizes.
    pub samples: Samples,
    /// Solvers and starts.
    #[serde(default = "one_default_estimator")]
    pub estimator: Vec<Estimator>,
    /// Whether coverage is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference: Option<InferenceOptions>,
    /// How theory columns are computed.
    #[serde(default)]
    pub theory: TheoryOptions,
    /// Unit tests of error bounds.
    #[serde(default)]
    pub check: Vec<CheckSpec>,
    /// Figures to draw (default: rate and bounds).
    #[serde(default)]
    pub figure: Vec<Figure>,
}

/// Table `[study]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Info {
    /// Name; also the default run directory's.
    pub name: String,
    /// What the study is to show.
    #[serde(default)]
    pub aim: String,
    /// Seed of all random streams.
    pub seed: u64,
    /// Replicates a cell.
    pub replicates: u64,
}

fn one_normal_design() -> Vec<DesignSpec> {
    vec![DesignSpec::Normal(crate::designs::normal::Normal {})]
}

fn one_default_estimator() -> Vec<Estimator> {
    vec![Estimator::default()]
}
