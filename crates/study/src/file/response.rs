//! Table `[response]`: labels of classes in place of Gaussian responses.

use convstat_estimate::Family;
use serde::{Deserialize, Serialize};

/// Keys of `[response]`; without the table responses are Gaussian.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// `logistic`, or `multinomial` with `outputs` + 1 classes in a setting (two are the logistic law).
    pub family: Family,
    /// Size of the truth: root mean square, over the responses, of the standard deviation `‖Σ_Z^{1/2} w‖` of a linear
    /// predictor. Factors as they are drawn would make labels certain or random, as the structure happens to be.
    #[serde(default = "two")]
    pub scale: f64,
}

fn two() -> f64 {
    2.0
}
