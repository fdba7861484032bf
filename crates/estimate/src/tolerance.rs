//! Which differences of objectives mean something: beside the noise, and beside rounding.

use crate::Rows;
use crate::outcome::SAME_OPTIMUM;

/// Objectives below this share of the sum of squares of the data are those of an exact fit.
pub(crate) const EXACT: f64 = 1e-24;

/// When a solver has converged.
#[derive(Debug, Clone, Copy)]
pub struct Tolerance {
    /// Converged when the decrease still to be had is below this share of the residual variance, so
    /// that the error left is far below one standard error.
    pub share: f64,
    /// The best objective of earlier starts: near it there is no need to converge further than to tell whether this
    /// start ends below it.
    pub rival: Option<f64>,
}

impl Tolerance {
    /// The share at an objective with this residual variance.
    pub(crate) fn near(&self, objective: f64, variance: f64) -> f64 {
        match self.rival {
            Some(rival) if (objective - rival).abs() <= 0.5 * SAME_OPTIMUM * variance => {
                self.share.max(0.25 * SAME_OPTIMUM)
            }
            _ => self.share,
        }
    }

    /// The decrease that counts as none at this objective.
    pub(crate) fn at(&self, sample: &dyn Rows, objective: f64) -> f64 {
        let variance = (objective + sample.rss()) / sample.observations().max(1.0);
        negligible(sample, objective, self.near(objective, variance))
    }
}

/// Least deviance an observation that decreases are measured by: where classes are separated it goes to 0.
const LEAST_DEVIANCE: f64 = 1e-4;

/// A share of the residual variance at an objective; for labels of the deviance an observation, about 1 and so of the size
/// of decreases that mean nothing statistically.
pub(crate) fn variance_times(share: f64, sample: &dyn Rows, objective: f64) -> f64 {
    let variance = share * (objective + sample.rss()) / sample.observations().max(1.0);
    if sample.family().is_labels() { variance.max(share * LEAST_DEVIANCE) } else { variance }
}

/// The scale below which a decrease of the objective does not matter: the residual variance, or
/// rounding of the data where the fit is exact.
pub(crate) fn negligible(sample: &dyn Rows, objective: f64, tolerance: f64) -> f64 {
    variance_times(tolerance, sample, objective) + f64::EPSILON * f64::EPSILON * sample.sum_of_squares()
}

/// Roundings that add up in an objective.
const ROUNDINGS: f64 = 64.0;

/// Differences of objectives `‖y − ZW‖²` that rounding makes: residuals are differences of numbers of the size of y.
pub(crate) fn rounding(sample: &dyn Rows, objective: f64) -> f64 {
    let unit = ROUNDINGS * f64::EPSILON;
    let total = sample.sum_of_squares();
    unit * objective + f64::EPSILON * (total * objective).sqrt()
}
