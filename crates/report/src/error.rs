//! What can go wrong in drawing.

use std::path::PathBuf;

use thiserror::Error;

/// Errors of figures.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A file cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The drawing library failed.
    #[error("figure \"{figure}\": {reason}")]
    Drawing {
        /// The figure.
        figure: String,
        /// Why.
        reason: String,
    },
    /// A format that is not known.
    #[error("unknown format \"{0}\"; use svg, png or pdf, separated by commas")]
    UnknownFormat(String),
    /// A kind of figure that there is not.
    #[error("there is no figure \"{kind}\"{known}")]
    UnknownFigure {
        /// Its name.
        kind: String,
        /// The nearest name, and all of them.
        known: String,
    },
    /// A column that the summary does not have.
    #[error("no column \"{column}\" in the summary{known}")]
    UnknownColumn {
        /// Its name.
        column: String,
        /// The nearest name, and all of them.
        known: String,
    },
    /// From the table of the summary.
    #[error(transparent)]
    Runner(#[from] convstat_runner::RunnerError),
    /// A notebook cannot be written as JSON.
    #[error("cannot write the notebook: {0}")]
    Notebook(#[from] serde_json::Error),
    /// Nothing to draw.
    #[error("the run has no complete cell to draw; run the study first (convstat study run)")]
    NothingToDraw,
}
