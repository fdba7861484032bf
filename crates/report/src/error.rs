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
    /// Nothing to draw.
    #[error("the run has no complete cell to draw; run the study first (convstat study run)")]
    NothingToDraw,
}
