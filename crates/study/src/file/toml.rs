//! Reads TOML with errors that carry a place.

use convstat_text::suggestion;

use crate::place::of_word;
use crate::{Result, StudyError};

/// Reads TOML; errors carry the place, and unknown keys the nearest known one.
pub fn parse_toml<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| toml_error(&e, text))
}

/// What a table says that stands in the files of the other program alone.
fn file_of_another_program(table: &str, known: &[&str]) -> Option<&'static str> {
    let is_study = known.contains(&"setting");
    if is_study && table == "ablation" {
        return Some(
            "this is an ablation, of convstat-train; a finished one has its table in summary.md and its figures in figures/",
        );
    }
    let of_studies = ["study", "setting", "design", "noise", "samples", "estimator", "theory", "check"];
    (!is_study && known.contains(&"ablation") && of_studies.contains(&table))
        .then_some("this is a study: convstat study run FILE")
}

/// An error of the TOML reader, with the nearest known key.
fn toml_error(error: &toml::de::Error, text: &str) -> StudyError {
    let message = error.message().trim().to_owned();
    // serde writes: unknown field `x`, expected one of `a`, `b`
    let mut quoted = message.split('`').skip(1).step_by(2);
    let help = if message.contains("unknown field") || message.contains("unknown variant") {
        quoted.next().map(|word| {
            let known: Vec<&str> = quoted.collect();
            if let Some(help) = file_of_another_program(word, &known) {
                return help.to_owned();
            }
            suggestion(word, known.into_iter()).trim_start_matches("; ").trim().to_owned()
        })
    } else {
        None
    };
    let span = error.span().map(|around| of_word(text, around.clone(), &message).unwrap_or(around));
    StudyError::File { message, help, span }
}
