//! `normal-exact`: the law of the compressed sample of independent Gaussian rows, drawn without any data.
//!
//! The triangle of the QR factorisation of a standard normal matrix has independent entries (Bartlett 1933), so a
//! data set of any n costs `O(D³)` (THEORY §3 "Exact law").

use convstat_theory::DesignLaw;
pub use convstat_theory::draw_compressed;
use serde::{Deserialize, Serialize};

use super::design::{Design, Sampler};
use super::normal::Normal;
use crate::Result;

/// Keys of design `normal-exact` (none).
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NormalExact {}

impl Design for NormalExact {
    fn label(&self) -> String {
        "normal-exact".to_owned()
    }

    fn words(&self) -> String {
        "compressed samples of independent standard normal entries, drawn from their exact law (Bartlett 1933)".to_owned()
    }

    fn law(&self) -> DesignLaw {
        DesignLaw::STANDARD
    }

    fn is_exact_law(&self) -> bool {
        true
    }

    fn sampler(&self, inputs: usize) -> Result<Box<dyn Sampler>> {
        Normal {}.sampler(inputs)
    }
}
