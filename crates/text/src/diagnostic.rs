//! What is wrong with a text, where, and what to do.

use std::ops::Range;

use thiserror::Error;

use crate::path::KeyPath;
use crate::spelling::suggestion;

/// A word that is none of those known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownWord {
    /// As it was written.
    pub word: String,
    /// Those known.
    pub known: Vec<String>,
}

impl UnknownWord {
    /// A word and those known.
    pub fn new(word: &str, known: &[&str]) -> Self {
        Self { word: word.to_owned(), known: known.iter().map(|k| (*k).to_owned()).collect() }
    }

    /// "did you mean …?", and the list of those known.
    pub fn advice(&self) -> String {
        let text = suggestion(&self.word, self.known.iter().map(String::as_str));
        text.trim_start_matches("; ").trim().to_owned()
    }
}

/// An error in a text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Diagnostic {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The key at fault, as far as it is known.
    pub path: KeyPath,
    /// Bytes of the text at fault.
    pub span: Option<Range<usize>>,
    /// The key or value that is not known, if that is the error.
    pub unknown: Option<UnknownWord>,
}

impl Diagnostic {
    /// From a message alone.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// At these bytes of the text.
    #[must_use]
    pub fn at(mut self, span: Option<Range<usize>>) -> Self {
        self.span = span;
        self
    }
}
