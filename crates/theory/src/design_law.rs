//! What theory asks of the law of the inputs.

use serde::Serialize;

/// What theory asks of the law of the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DesignLaw {
    /// All observations are jointly Gaussian.
    pub gaussian: bool,
    /// Observations are independent.
    pub independent: bool,
    /// Smallest and largest eigenvalue `c_x, C_x` of the joint covariance of all observations.
    pub spectrum: (f64, f64),
}

impl DesignLaw {
    /// Independent standard normal entries.
    pub const STANDARD: Self = Self { gaussian: true, independent: true, spectrum: (1.0, 1.0) };

    /// Independent Gaussian rows, as the finite-sample risk and the explicit bound assume.
    pub fn is_iid_gaussian(&self) -> bool {
        self.gaussian && self.independent
    }
}
