//! How replicates end, and how a stored table says so.

use crate::{Result, RunnerError};

/// How a replicate ended: with a result that came about as `T` says, or in an error that says why.
///
/// A table has one text for it: the word of `T`, or `error: …`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<T> {
    /// It has a result.
    Completed(T),
    /// It has none; what went wrong.
    Failed(String),
}

/// How the text of an error begins.
const ERROR: &str = "error: ";

impl<T: Copy> Outcome<T> {
    /// Whether it ended in an error.
    pub fn is_failed(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    /// How the result came about, if there is one.
    pub fn completed(&self) -> Option<T> {
        match self {
            Self::Completed(how) => Some(*how),
            Self::Failed(_) => None,
        }
    }

    /// What went wrong, if it ended in an error.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Completed(_) => None,
            Self::Failed(why) => Some(why),
        }
    }

    /// As a table has it; `word` is the text of a `T`.
    pub fn text(&self, word: impl Fn(T) -> &'static str) -> String {
        match self {
            Self::Completed(how) => word(*how).to_owned(),
            Self::Failed(why) => format!("{ERROR}{why}"),
        }
    }

    /// Reads what [`Outcome::text`] has written in the column `column`; `known` are all `T`.
    ///
    /// # Errors
    /// A word that no `T` has.
    pub fn read(column: &str, text: &str, known: &[T], word: impl Fn(T) -> &'static str) -> Result<Self> {
        if let Some(why) = text.strip_prefix(ERROR) {
            return Ok(Self::Failed(why.to_owned()));
        }
        known.iter().find(|how| word(**how) == text).map(|how| Self::Completed(*how)).ok_or_else(|| {
            let mut words: Vec<&str> = known.iter().map(|how| word(*how)).collect();
            words.push("error: …");
            RunnerError::UnknownWord {
                column: column.to_owned(),
                value: text.to_owned(),
                known: words.join(", "),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(finished: bool) -> &'static str {
        if finished { "done" } else { "stopped early" }
    }

    #[test]
    fn outcomes_read_as_they_are_written() {
        for outcome in
            [Outcome::Completed(true), Outcome::Completed(false), Outcome::Failed("no data: 0".to_owned())]
        {
            let text = outcome.text(word);
            assert_eq!(Outcome::read("termination", &text, &[true, false], word).unwrap(), outcome);
        }
        assert_eq!(Outcome::Failed::<bool>("x".to_owned()).text(word), "error: x");
    }

    #[test]
    fn an_unknown_word_is_named() {
        for text in ["finished", "", "error", "Done"] {
            let error = Outcome::read("termination", text, &[true, false], word).unwrap_err().to_string();
            assert!(
                error.contains(&format!("\"{text}\"")) && error.contains("done, stopped early"),
                "{error}"
            );
        }
    }
}
