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
