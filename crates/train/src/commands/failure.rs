//! Errors as a terminal shows them, and results.

use std::io::Write;
use std::path::Path;

use convstat_data::DataError;
use convstat_engine::EngineError;
use convstat_train::TrainError;
use miette::{Diagnostic, NamedSource, SourceSpan};

/// An error, with the place in the ablation file where there is one.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum Failure {
    /// An error in the file.
    #[error("{message}")]
    InFile {
        /// What is wrong.
        message: String,
        /// What was meant.
        #[help]
        help: Option<String>,
        /// The file.
        #[source_code]
        file: NamedSource<String>,
        /// Where.
        #[label("here")]
        place: SourceSpan,
    },
    /// Another one. Not a source: its message says all that its sources say.
    #[error("{0}")]
    Train(TrainError),
}

/// Result of a command.
pub type Result<T> = std::result::Result<T, Failure>;

impl From<TrainError> for Failure {
    fn from(e: TrainError) -> Self {
        Self::Train(e)
    }
}

impl From<DataError> for Failure {
    fn from(e: DataError) -> Self {
        Self::Train(e.into())
    }
}

impl From<EngineError> for Failure {
    fn from(e: EngineError) -> Self {
        Self::Train(e.into())
    }
}

impl From<convstat_report::ReportError> for Failure {
    fn from(e: convstat_report::ReportError) -> Self {
        Self::Train(TrainError::bad("figure", "", e.to_string()))
    }
}

/// Prints a result; a reader that went away is no error.
pub fn print(text: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(TrainError::io("write to", Path::new("standard output"))(e).into())
        }
        _ => Ok(()),
    }
}
