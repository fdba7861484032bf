//! Study files as TOML: errors point at their place in the text.

use convstat_text::{Diagnostic, Document, parse};
use serde::de::DeserializeOwned;

use crate::{Result, StudyError};

/// Reads TOML; errors carry the place, and unknown keys the nearest known one.
///
/// # Errors
/// What is not TOML, or does not fit the type.
pub fn parse_toml<T: DeserializeOwned>(text: &str) -> Result<T> {
    parse(text).map_err(|error| advised(error).into())
}

/// A table of an ablation in a study says so.
fn advised(mut error: Diagnostic) -> Diagnostic {
    let is_ablation =
        |known: &[String], word: &str| known.iter().any(|k| k == "setting") && word == "ablation";
    if error.unknown.as_ref().is_some_and(|u| is_ablation(&u.known, &u.word)) {
        let help = "this is an ablation, of convstat-train; a finished one has its table in summary.md and its figures in figures/";
        error.help = Some(help.to_owned());
    }
    error
}

/// The error with its place in `text`, where one can be told.
pub fn in_text(error: StudyError, text: &str) -> StudyError {
    if matches!(error, StudyError::File(_) | StudyError::Set { .. } | StudyError::Runner(_)) {
        return error;
    }
    let Some(path) = error.key() else { return error };
    let span = Document::new(text).ok().and_then(|document| document.place(&path));
    match span {
        Some(_) => {
            Diagnostic { path, help: error.help(), ..Diagnostic::new(error.to_string()) }.at(span).into()
        }
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use convstat_text::KeyPath;

    use super::*;

    #[test]
    fn the_entry_at_fault_is_found_among_several() {
        let text = "[[estimator]]\nlambda = 1\n\n[[estimator]]\nlambda = -2.0\n";
        let at = |key: &str| KeyPath::from("estimator").index(1).key(key);
        let error = in_text(StudyError::bad(at("lambda"), -2.0, "give more"), text);
        let StudyError::File(found) = error else { panic!("{error}") };
        assert_eq!(&text[found.span.unwrap()], "lambda = -2.0");
        assert_eq!(found.message, "estimator.lambda = -2; give more");
        let StudyError::File(found) = in_text(StudyError::bad(at("solver"), "x", "y"), text) else {
            panic!()
        };
        assert_eq!(found.span.unwrap().start, 26);
        assert!(matches!(
            in_text(StudyError::bad("--replicates", 0, "x"), text),
            StudyError::BadValue { .. }
        ));
    }
}
