//! A file of a data set, and what becomes of it.

use crate::fetch::sums::Sum;

/// How an archive is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `.tar.gz`.
    TarGz,
    /// `.zip`.
    Zip,
    /// `.rar`, by the program `bsdtar`.
    Rar,
}

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It is read as it is.
    Keep,
    /// It is an archive.
    Unpack {
        /// How it is packed.
        format: Format,
        /// Its top folder, which lands beside it.
        top: &'static str,
        /// Something that is in this folder when it is whole.
        has: &'static str,
    },
}

/// A file of a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its official location; the part after the last `/` is its name on disk.
    pub url: &'static str,
    /// Folder under the data folder.
    pub folder: &'static str,
    /// Published checksum.
    pub sum: Option<Sum>,
    /// Bytes, where known.
    pub bytes: Option<u64>,
    /// What becomes of it.
    pub action: Action,
}

impl Source {
    /// The file's name.
    pub fn name(&self) -> &'static str {
        self.url.rsplit('/').next().unwrap_or(self.url)
    }
}
