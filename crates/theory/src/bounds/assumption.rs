//! What a bound assumes, and whether it holds for a setting and an n.

use serde::Serialize;

use crate::ErrorNorm;

/// What the failure of an assumption does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The bound does not speak of this setting, whatever n is: it has no number. The reason, for a table.
    Refuses(&'static str),
    /// The formula itself shows it: it has no finite number, or one that is marked as failing its condition.
    InFormula,
}

/// One assumption.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assumption {
    /// In words.
    pub text: String,
    /// Whether it holds; `None` where that cannot be known.
    pub holds: Option<bool>,
    /// The norm it is for; both, if none is named.
    #[serde(skip)]
    pub norm: Option<ErrorNorm>,
    /// What its failure does.
    #[serde(skip)]
    pub effect: Effect,
}

impl Assumption {
    /// It is about errors in this norm, and it does not hold.
    pub fn fails_in(&self, norm: ErrorNorm) -> bool {
        self.holds == Some(false) && self.norm.is_none_or(|own| own == norm)
    }
}

/// The assumptions of one bound.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assumptions {
    /// The bound, with its source.
    pub of: &'static str,
    /// Its assumptions.
    pub list: Vec<Assumption>,
}

impl Assumptions {
    /// None yet.
    pub fn new(of: &'static str) -> Self {
        Self { of, list: Vec::new() }
    }

    /// And what is about the setting: without it there is no number, for this reason.
    #[must_use]
    pub fn premise(self, text: &str, holds: impl Into<Option<bool>>, reason: &'static str) -> Self {
        self.and(text.to_owned(), holds.into(), None, Effect::Refuses(reason))
    }

    /// The same for one norm.
    #[must_use]
    pub fn premise_in(
        self,
        norm: ErrorNorm,
        text: &str,
        holds: impl Into<Option<bool>>,
        reason: &'static str,
    ) -> Self {
        self.and(text.to_owned(), holds.into(), Some(norm), Effect::Refuses(reason))
    }

    /// And what the formula shows: a condition on n, or one without which the number is infinite.
    #[must_use]
    pub fn condition(self, text: impl Into<String>, holds: impl Into<Option<bool>>) -> Self {
        self.and(text.into(), holds.into(), None, Effect::InFormula)
    }

    /// The same for one norm.
    #[must_use]
    pub fn condition_in(
        self,
        norm: ErrorNorm,
        text: impl Into<String>,
        holds: impl Into<Option<bool>>,
    ) -> Self {
        self.and(text.into(), holds.into(), Some(norm), Effect::InFormula)
    }

    fn and(mut self, text: String, holds: Option<bool>, norm: Option<ErrorNorm>, effect: Effect) -> Self {
        self.list.push(Assumption { text, holds, norm, effect });
        self
    }

    /// Why there is no number in a norm, whatever n is.
    pub fn refusal(&self, norm: ErrorNorm) -> Option<&'static str> {
        self.list.iter().filter(|a| a.fails_in(norm)).find_map(|a| match a.effect {
            Effect::Refuses(reason) => Some(reason),
            Effect::InFormula => None,
        })
    }

    /// Whether all of them are among those of another bound.
    pub fn are_among(&self, others: &Self) -> bool {
        self.list.iter().all(|a| others.list.contains(a))
    }
}
