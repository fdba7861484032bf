//! First-order training of networks with an activation: its options; [`train`](fn@crate::train) does it.

use serde::{Deserialize, Serialize};

use super::solver::{Algorithm, Describe};
use crate::outcome::Start;
use crate::{EstimateError, Result};

/// Adam on shuffled batches, the rate falling along a half cosine (Kingma & Ba 2015; Loshchilov & Hutter 2017).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Adam {
    /// Starts, in order; `Random` may stand several times, `Spectral` has no meaning here. The default is three random ones.
    pub starts: Vec<Start>,
    /// Steps (default 3000).
    pub steps: usize,
    /// Observations of a step (default 32).
    pub batch: usize,
    /// First length of a step, relative to the root mean square of the parameters at the start (default 0.1).
    pub learning_rate: f64,
}

impl Default for Adam {
    fn default() -> Self {
        Self { starts: vec![Start::Random; 3], steps: 3000, batch: 32, learning_rate: 0.1 }
    }
}

impl Describe for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn summary(&self) -> &'static str {
        "First-order training of networks with an activation"
    }

    fn algorithm(&self) -> Algorithm<'_> {
        Algorithm::Training
    }

    fn starts(&self) -> &[Start] {
        &self.starts
    }

    fn starts_mut(&mut self) -> Option<&mut Vec<Start>> {
        Some(&mut self.starts)
    }

    fn check(&self) -> Result<()> {
        let bad = |option, value: String, mend| Err(EstimateError::BadOption { option, value, mend });
        match self {
            o if o.steps == 0 => bad("steps", "0".to_owned(), "give at least 1"),
            o if o.batch == 0 => bad("batch", "0".to_owned(), "give at least 1"),
            o if !(o.learning_rate > 0.0 && o.learning_rate.is_finite()) => {
                bad("learning_rate", o.learning_rate.to_string(), "it has to be a finite number above 0")
            }
            o if o.starts.is_empty() => bad("starts", "[]".to_owned(), "give at least one of random, oracle"),
            o if o.starts.contains(&Start::Spectral) => bad(
                "starts",
                "spectral".to_owned(),
                "a network with an activation has no spectral start; use random",
            ),
            _ => Ok(()),
        }
    }
}
