//! What can go wrong in reading a network.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// Result of reading a network.
pub type Result<T> = std::result::Result<T, GraphError>;

/// Errors of networks and the files they are read from.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum GraphError {
    /// A file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A file with something wrong in it.
    #[error("{}: {reason}", path.display())]
    BadModel {
        /// The file.
        path: PathBuf,
        /// What is wrong, and the mend.
        reason: String,
    },
    /// A network whose parts do not fit together.
    #[error("{node}: {reason}")]
    BadGraph {
        /// The node at fault, by its name.
        node: String,
        /// What is wrong.
        reason: String,
    },
    /// A name that is not in the catalogue.
    #[error("no network \"{name}\"{hint}")]
    UnknownName {
        /// The name.
        name: String,
        /// The nearest one.
        hint: String,
    },
    /// A value outside its range.
    #[error("{option} = {value}: {mend}")]
    BadOption {
        /// The option.
        option: &'static str,
        /// Its value.
        value: String,
        /// What would be right.
        mend: String,
    },
    /// What cannot be: a fault of this program.
    #[error("internal error: {what}; please report it")]
    Internal {
        /// The invariant that does not hold.
        what: String,
    },
}

impl GraphError {
    /// That a file has something wrong in it.
    pub fn bad_model(path: &Path, reason: impl Into<String>) -> Self {
        Self::BadModel { path: path.to_owned(), reason: reason.into() }
    }

    /// That a file cannot be read.
    pub fn io(path: &Path) -> impl Fn(std::io::Error) -> Self + '_ {
        |source| Self::Io { path: path.to_owned(), source }
    }
}
