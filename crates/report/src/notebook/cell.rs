//! A cell of a notebook.

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotebookCell {
    /// Text, in Markdown.
    Markdown(String),
    /// Code.
    Code(String),
}
