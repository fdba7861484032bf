//! What to fetch, and what became of it.

use std::path::PathBuf;
use std::time::Duration;

use super::sources::Source;
use super::sums::{Digests, Sums};
use crate::DataError;

/// How long a server is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Time without a byte until a connection counts as lost.
    pub stall: Duration,
    /// Connections without progress that are tried before a file is given up.
    pub tries: u32,
    /// Pause before the second try; it doubles each time.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { stall: Duration::from_secs(60), tries: 6, pause: Duration::from_secs(1) }
    }
}

/// What to fetch, and where to.
#[derive(Debug, Clone)]
pub struct Request {
    /// The files.
    pub sources: Vec<Source>,
    /// The data folder.
    pub folder: PathBuf,
    /// A mirror: it replaces all of each URL but the file's name.
    pub from: Option<String>,
    /// Sums that replace the known ones (and the known lengths).
    pub sums: Option<Sums>,
    /// How long servers are waited for.
    pub patience: Patience,
}

/// What became of a file.
#[derive(Debug)]
pub enum State {
    /// It was there already.
    InPlace,
    /// It is there now.
    Fetched,
    /// It is not there.
    Failed(DataError),
    /// An interruption came before it was there.
    Unfinished,
}

/// A file, and what became of it.
#[derive(Debug)]
pub struct FileReport {
    /// The file's name.
    pub name: &'static str,
    /// Where the file is, or the folder that was unpacked.
    pub path: PathBuf,
    /// What became of it.
    pub state: State,
    /// Length and checksums, if they were computed.
    pub digests: Option<Digests>,
}

/// What became of all files.
#[derive(Debug)]
pub struct Report {
    /// By file.
    pub files: Vec<FileReport>,
}

impl Report {
    /// Number of files that are in place.
    pub fn in_place(&self) -> usize {
        self.files.iter().filter(|f| matches!(f.state, State::InPlace | State::Fetched)).count()
    }

    /// Whether an interruption came before the end.
    pub fn interrupted(&self) -> bool {
        self.files.iter().any(|f| matches!(f.state, State::Unfinished))
    }
}
