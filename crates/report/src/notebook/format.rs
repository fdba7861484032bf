//! What a format of notebooks is.

use super::cell::NotebookCell;
use crate::Result;
use crate::chapter::Code;

/// A format of notebooks.
#[derive(Debug)]
pub struct NotebookFormat {
    /// Its name.
    pub name: &'static str,
    /// The ending of its files.
    pub extension: &'static str,
    /// Its code.
    pub(super) code: fn(&Code) -> &'static str,
    /// What opens a dictionary of texts in its language, what stands between a key and its value, and what closes it.
    pub(super) dictionary: [&'static str; 3],
    /// Writes cells under a title.
    pub(super) write: fn(&str, &[NotebookCell]) -> Result<String>,
}
