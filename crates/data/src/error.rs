//! What can go wrong.

use std::path::{Path, PathBuf};

/// Errors of this crate; the message says what to change.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// Sizes that do not fit each other.
    #[error("{operation}: {reason}")]
    Shape {
        /// The operation.
        operation: &'static str,
        /// What does not fit.
        reason: String,
    },
    /// A value in an ablation file or on the command line that makes no sense.
    #[error("{key} = {value}: {mend}")]
    Bad {
        /// Where it stands.
        key: String,
        /// The value.
        value: String,
        /// What to change.
        mend: String,
    },
    /// A file of a data set that is missing, cut short or of the wrong kind.
    #[error("{}: {reason}", path.display())]
    BadData {
        /// The file.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// A file that cannot be read or written.
    #[error("cannot {action} {}: {cause}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not. Not a source: the message says it.
        cause: std::io::Error,
    },
    /// A signal came while videos were decoded.
    #[error("{}: stopped with {done} of {all} videos decoded; the same command goes on", path.display())]
    Stopped {
        /// The folder of what was decoded.
        path: PathBuf,
        /// Videos decoded.
        done: usize,
        /// Videos there were to decode.
        all: usize,
    },
}

/// Result of this crate.
pub type Result<T> = std::result::Result<T, DataError>;

impl DataError {
    /// A value that makes no sense.
    pub fn bad(key: impl Into<String>, value: impl ToString, mend: impl Into<String>) -> Self {
        Self::Bad { key: key.into(), value: value.to_string(), mend: mend.into() }
    }

    /// Sizes that do not fit.
    pub fn shape(operation: &'static str, reason: impl Into<String>) -> Self {
        Self::Shape { operation, reason: reason.into() }
    }

    /// A file of a data set that cannot be used.
    pub fn data(path: &Path, reason: impl Into<String>) -> Self {
        Self::BadData { path: path.to_owned(), reason: reason.into() }
    }

    /// A write that failed; a full disk says what is `kept`, and what to do.
    pub(crate) fn unwritten(
        action: &'static str,
        path: &Path,
        kept: &str,
    ) -> impl FnOnce(std::io::Error) -> Self {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        move |error| {
            if matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge) {
                let mend = "make room and run the same command, which goes on from there";
                Self::data(path, format!("cannot {action} it ({error}); {kept}: {mend}"))
            } else {
                Self::io(action, path)(error)
            }
        }
    }

    /// An operation on a file that failed.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |cause| Self::Io { action, path, cause }
    }
}
