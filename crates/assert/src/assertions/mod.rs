//! The assertions, one file each.

mod bound;
mod rate;
mod risk;

pub use bound::{bound, ratio_test};
pub use rate::{rate, slope_of};
pub use risk::matches_risk;

use crate::{Decision, Options};

/// Where limits at a level lie about `target (1 ± margin)`: inside, outside or neither, at one of `looks` looks. The level of
/// [`Options::false_alarm`] is divided between both sides too.
fn judged(
    limits: impl Fn(f64) -> (f64, f64),
    target: f64,
    margin: f64,
    looks: usize,
    options: &Options,
) -> Decision {
    let width = margin * target.abs();
    let (low, high) = limits(options.miss / looks as f64);
    if low > target - width && high < target + width {
        return Decision::Holds;
    }
    let (low, high) = limits(options.false_alarm / (2 * looks) as f64);
    if low > target + width || high < target - width {
        return Decision::Violated;
    }
    Decision::Undecided
}

/// How many replicates would decide, as far as `used` of them tell: the limits at the level of a miss have to clear the edge
/// that is nearest to the estimate.
fn advice(estimate: f64, limits: (f64, f64), target: f64, margin: f64, used: usize) -> String {
    let width = margin * target.abs();
    let gap = (estimate - target - width).abs().min((estimate - target + width).abs());
    let needed = used as f64 * ((limits.1 - limits.0) / (2.0 * gap)).powi(2);
    if needed.is_finite() && needed < 1000.0 * used as f64 {
        let rounded = 10f64.powf(needed.log10().floor() - 1.0);
        return format!("raise budget to about {}", (needed / rounded).ceil() * rounded);
    }
    "it lies near an edge of the margin: raise budget or margin".to_owned()
}
