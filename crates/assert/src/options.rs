//! What an assertion may be wrong with, and how long it may try.

use crate::{AssertError, Result};

/// Exceedance of a bound that has to be found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Detectable {
    /// Twice the odds that the bound allows, or the least that the budget can tell from them, whichever is more.
    Auto,
    /// `P(error > bound)` of at least this probability.
    Probability(f64),
    /// `P(error > bound)` of at least so many times what the bound allows.
    Factor(f64),
}

/// Error probabilities and limits of an assertion.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Most probability with which a right claim may be called violated (default 1e-6).
    pub false_alarm: f64,
    /// Most probability with which a claim wrong by what is detectable may be said to hold (default 1e-3).
    pub miss: f64,
    /// Most replicates, at each n (default 2000).
    pub budget: usize,
    /// For bounds with a probability: the exceedance that has to be found.
    pub detectable: Detectable,
    /// For risks, rates and bounds on the mean square: relative margin within which a root risk or a slope counts as right
    /// (default 0.05).
    pub margin: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { false_alarm: 1e-6, miss: 1e-3, budget: 2000, detectable: Detectable::Auto, margin: 0.05 }
    }
}

impl Options {
    /// Fails on values outside their range.
    pub(crate) fn check(&self) -> Result<()> {
        for (argument, value) in [("false_alarm", self.false_alarm), ("miss", self.miss)] {
            if !(value > 0.0 && value < 0.5) {
                return Err(AssertError::bad(argument, value, "it has to be above 0 and below 0.5"));
            }
        }
        if self.budget == 0 {
            return Err(AssertError::bad("budget", 0, "it has to be at least 1"));
        }
        if !(self.margin > 0.0 && self.margin < 1.0) {
            return Err(AssertError::bad(
                "margin",
                self.margin,
                "it has to be above 0 and below 1, for instance 0.05",
            ));
        }
        Ok(())
    }
}
