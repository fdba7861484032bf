//! Errors that point into the file.

use std::path::PathBuf;

use convstat_text::suggestion;

use crate::GraphError;

/// Points into the file.
pub(super) struct Place<'a> {
    pub text: &'a str,
    pub path: PathBuf,
}

impl Place<'_> {
    /// An error at a byte of the text.
    pub(super) fn error(&self, at: Option<usize>, reason: &str) -> GraphError {
        let place = at.and_then(|at| self.text.get(..at)).map_or(String::new(), |before| {
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            format!("line {line}, column {column}: ")
        });
        GraphError::BadModel { path: self.path.clone(), reason: format!("{place}{reason}") }
    }

    /// An error of the TOML reader, with the nearest known key.
    pub(super) fn toml_error(&self, error: &toml::de::Error) -> GraphError {
        let message = error.message().trim();
        // serde writes: unknown field `x`, expected one of `a`, `b`
        let mut quoted = message.split('`').skip(1).step_by(2);
        let unknown = message.starts_with("unknown field") || message.starts_with("unknown variant");
        let reason = match quoted.next().filter(|_| unknown) {
            Some(word) => {
                let what = if message.starts_with("unknown field") { "key" } else { "value" };
                format!("unknown {what} \"{word}\"{}", suggestion(word, quoted))
            }
            None => message.to_owned(),
        };
        self.error(error.span().map(|s| s.start), &reason)
    }
}
