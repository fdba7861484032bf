//! What a bound is.

use serde::Serialize;

use super::assumption::Assumptions;
use crate::error::positive;
use crate::search::{MOST, smallest_n};
use crate::{ErrorNorm, Result, SettingTheory};

/// What a bound's number means, and so where it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The root mean squared error itself. A column of summaries and of `convstat bound`.
    Risk,
    /// Below it no estimator's root mean squared error stays around the truth. A column of summaries and of the JSON of
    /// `convstat bound`.
    Lower,
    /// A quantile of the error. For planning alone.
    Quantile,
    /// The error is at most the number with some probability. A column of summaries and of `convstat bound`, a curve of figure
    /// `bounds`.
    Upper,
    /// An order of n, constants left out: not to be compared with the others. For planning alone.
    Order,
}

impl Kind {
    /// Whether summaries and `convstat bound` have columns of it.
    pub fn has_columns(self) -> bool {
        matches!(self, Self::Risk | Self::Lower | Self::Upper)
    }
}

/// A bound at one sample size.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct BoundValue {
    /// Bound on the error norm (not squared); infinite where the formula gives none, NaN where an assumption fails.
    pub error: f64,
    /// Whether the bound's condition on n holds.
    pub condition_holds: bool,
    /// Probability with which the bound holds, at least (0 where the formula is negative); NaN where it is about a mean.
    pub probability: f64,
}

impl BoundValue {
    /// No number.
    pub const NOTHING: Self = Self { error: f64::NAN, condition_holds: false, probability: f64::NAN };

    /// A mean, or nothing.
    pub fn mean(error: Option<f64>) -> Self {
        let said = |error| Self { error, condition_holds: true, ..Self::NOTHING };
        error.map_or(Self::NOTHING, said)
    }
}

/// A number from which a bound is computed, a column of summaries.
#[derive(Clone, Copy)]
pub struct Detail {
    /// Name of the column.
    pub column: &'static str,
    /// The number in a setting.
    pub value: fn(&SettingTheory) -> Result<f64>,
}

/// The n for a target error by one bound.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// The n; none where the bound gives none.
    pub n: Option<f64>,
    /// What this n means, or why there is none.
    pub note: String,
}

/// A bound on the error of an estimate, or its risk: what is stated, by whom, under which assumptions.
///
/// An entry gives assumptions and a formula; [`evaluate`](trait.Bound.html#method.evaluate) and [`plan`](trait.Bound.html#method.plan)
/// ask for the assumptions first, so that a bound whose assumptions fail has no number anywhere.
pub trait Bound: Sync {
    /// Its name in the registry, from which names of columns and keys are made.
    fn name(&self) -> &'static str;

    /// Its name in words, for tables and figures.
    fn title(&self) -> &'static str;

    /// Where it is from.
    fn source(&self) -> &'static str;

    /// What its number means.
    fn kind(&self) -> Kind;

    /// The norms it bounds.
    fn norms(&self) -> &'static [ErrorNorm] {
        &ErrorNorm::BOTH
    }

    /// Whether its condition on n has constants that nobody knows: its number is then shown where the condition fails, with a mark.
    fn has_unknown_constants(&self) -> bool {
        false
    }

    /// Numbers it is computed from that summaries keep.
    fn details(&self) -> &'static [Detail] {
        &[]
    }

    /// What it assumes, held against a setting and an n.
    ///
    /// # Errors
    /// An option outside its range, or what does not fit into memory.
    fn assumptions(&self, setting: &SettingTheory, n: f64) -> Result<Assumptions>;

    /// The number at n in one of its norms, where its assumptions about the setting hold.
    ///
    /// # Errors
    /// As [`Bound::assumptions`].
    fn formula(&self, setting: &SettingTheory, norm: ErrorNorm, n: f64) -> Result<BoundValue>;

    /// The smallest n that meets a target error in one of its norms, where its assumptions about the setting hold.
    ///
    /// # Errors
    /// As [`Bound::assumptions`], or a target that is not finite and positive.
    fn smallest_n(&self, setting: &SettingTheory, norm: ErrorNorm, target: f64) -> Result<Option<f64>> {
        positive("target error", target)?;
        smallest_n(|n| {
            let value = self.formula(setting, norm, n)?;
            Ok(value.condition_holds && value.error <= target)
        })
    }

    /// What its number is, for the foot of a table.
    fn explanation(&self, setting: &SettingTheory) -> String;

    /// What the n that it plans for a target error means.
    fn meaning(&self, setting: &SettingTheory, target: f64) -> String;
}

impl std::fmt::Debug for dyn Bound + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl dyn Bound + '_ {
    /// The column of a summary with its number.
    pub fn column(&self, norm: ErrorNorm) -> String {
        format!("{}_{}", self.columns_begin(), norm.suffix())
    }

    /// How the names of its columns begin.
    pub fn columns_begin(&self) -> String {
        if self.kind() == Kind::Upper { format!("{}_bound", self.name()) } else { self.name().to_owned() }
    }

    /// The column of a summary that says whether its condition on n holds, where constants of it are not known.
    pub fn condition_column(&self) -> Option<String> {
        self.has_unknown_constants().then(|| format!("{}_condition", self.name()))
    }

    /// Its number at n; [`BoundValue::NOTHING`] in a norm that it does not bound, and where an assumption about the setting
    /// fails.
    ///
    /// # Errors
    /// As [`Bound::assumptions`].
    pub fn evaluate(&self, setting: &SettingTheory, norm: ErrorNorm, n: f64) -> Result<BoundValue> {
        if !self.norms().contains(&norm) || self.assumptions(setting, n)?.refusal(norm).is_some() {
            return Ok(BoundValue::NOTHING);
        }
        self.formula(setting, norm, n)
    }

    /// The n for a target error, or why there is none.
    ///
    /// # Errors
    /// As [`Bound::smallest_n`].
    pub fn plan(&self, setting: &SettingTheory, norm: ErrorNorm, target: f64) -> Result<Planned> {
        let none = |note: String| Ok(Planned { n: None, note });
        // What refuses a setting does so at every n.
        let at_large_n = self.assumptions(setting, MOST)?;
        if let Some(reason) = at_large_n.refusal(norm) {
            return none(reason.to_owned());
        }
        if !self.norms().contains(&norm) {
            let own: Vec<&str> = self.norms().iter().map(|n| n.title()).collect();
            return none(format!("a bound in {} norm", own.join(" and ")));
        }
        let n = self.smallest_n(setting, norm, target)?;
        match at_large_n.list.iter().find(|a| n.is_none() && a.fails_in(norm)) {
            Some(failing) => none(format!("fails: {}", failing.text)),
            None => Ok(Planned { n, note: self.meaning(setting, target) }),
        }
    }
}
