//! Bad input, as a diagnostic that points into the file and says the mend.

use std::path::Path;

use convstat::runner::RunnerError;
use convstat::study::StudyError;
use miette::{Diagnostic, NamedSource, SourceSpan};
use thiserror::Error;

/// Why a command could not be done.
#[derive(Debug, Error, Diagnostic)]
#[error("{message}")]
pub struct Failure {
    message: String,
    #[help]
    help: Option<String>,
    #[source_code]
    source_code: Option<NamedSource<String>>,
    #[label("here")]
    span: Option<SourceSpan>,
}

impl Failure {
    /// From a message alone.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None, source_code: None, span: None }
    }

    /// With advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A file or folder that cannot be read; names the nearest one where there is none of this name.
    pub fn cannot_read(path: &Path, error: &dyn std::fmt::Display) -> Self {
        let failure = Self::new(format!("cannot read {}: {error}", path.display()));
        match crate::nearest::path(path) {
            Some(near) => failure.help(near),
            None => failure,
        }
    }

    /// From any error.
    pub fn from_error(error: impl std::error::Error) -> Self {
        Self::new(error.to_string())
    }

    /// From a structure that cannot be read, the value of `option`; a bare word is quoted as it should have been written.
    pub fn in_structure(option: &str, text: &str, error: convstat::cnn::CnnError) -> Self {
        let is_word = text.chars().all(|c| c.is_alphanumeric() || "-_ ".contains(c));
        let known = match &error {
            convstat::cnn::CnnError::StructureKey { help, .. } => help.clone(),
            _ => None,
        };
        let failure = Self { help: known, ..Self::from_error(error) };
        if is_word {
            failure
                .help(format!("write {option} '{{ kind = \"cnn\", kernels = 3 }}', with its kind and keys"))
        } else {
            failure
        }
    }

    /// From an error in a TOML text read from `path`.
    pub fn in_file(error: StudyError, path: &Path, text: &str) -> Self {
        match error {
            StudyError::File(e) => Self { message: e.message, help: e.help, source_code: None, span: None }
                .at(path, text, e.span),
            StudyError::Set { pair, message, help } => {
                let text = format!("--set {pair}");
                let span = 0..text.len();
                Self { message, help, source_code: None, span: None }.at(
                    Path::new("command line"),
                    &text,
                    Some(span),
                )
            }
            StudyError::BadValue { ref key, .. } if key.to_string().starts_with("--") => {
                Self::from_error(error)
            }
            other => Self::new(format!("{}: {other}", path.display())),
        }
    }

    /// Points at a place of a text.
    #[must_use]
    pub fn at(mut self, path: &Path, text: &str, span: Option<std::ops::Range<usize>>) -> Self {
        match span {
            Some(span) => {
                self.source_code = Some(NamedSource::new(path.display().to_string(), text.to_owned()));
                self.span = Some(span.into());
            }
            None => self.message = format!("{}: {}", path.display(), self.message),
        }
        self
    }
}

macro_rules! from_errors {
    ($($error:ty),*) => {
        $(impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::from_error(error)
            }
        })*
    };
}

from_errors!(
    convstat::audit::AuditError,
    convstat::graph::GraphError,
    convstat::cnn::CnnError,
    convstat::estimate::EstimateError,
    convstat::report::ReportError,
    convstat::tensor::TensorError,
    convstat::theory::TheoryError
);

impl From<RunnerError> for Failure {
    fn from(error: RunnerError) -> Self {
        // A folder that is not there is more often misspelt than damaged.
        match &error {
            RunnerError::NotARun { path, .. } if !path.exists() => {
                Self::cannot_read(path, &"it is not a run directory: there is no such folder")
            }
            RunnerError::NotARun { path, .. } if path.is_file() => {
                let run = Path::new("runs").join(path.file_stem().unwrap_or_default());
                let run = if run.is_dir() { run } else { "runs/NAME".into() };
                Self::new(format!("{} is a file; a run directory is wanted", path.display()))
                    .help(format!("study run makes it: {}", run.display()))
            }
            _ => Self::from_error(error),
        }
    }
}

impl From<StudyError> for Failure {
    fn from(error: StudyError) -> Self {
        match error {
            StudyError::Runner(error) => error.into(),
            other => Self::from_error(other),
        }
    }
}
