//! What can go wrong in reading a network.

use std::path::PathBuf;

use thiserror::Error;

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
