//! Quarto documents.

use super::cell::NotebookCell;
use super::format::NotebookFormat;
use crate::Result;

/// `.qmd`, R (arrow, ggplot2).
pub(super) const FORMAT: NotebookFormat = NotebookFormat {
    name: "quarto",
    extension: "qmd",
    code: |code| code.r,
    dictionary: ["c(", " = ", ")"],
    write,
};

/// The document: a header, text, and chunks of R.
fn write(title: &str, cells: &[NotebookCell]) -> Result<String> {
    // JSON's strings are strings of YAML too.
    let title = serde_json::to_string(title)?;
    let mut out = format!("---\ntitle: {title}\nformat: html\nengine: knitr\n---\n");
    for cell in cells {
        match cell {
            // The header has the title.
            NotebookCell::Markdown(text) if text.starts_with("# ") => {
                let body = text.split_once('\n').map_or("", |(_, body)| body.trim_start());
                out += &format!("\n{body}\n");
            }
            NotebookCell::Markdown(text) => out += &format!("\n{text}\n"),
            NotebookCell::Code(code) => out += &format!("\n```{{r}}\n{code}\n```\n"),
        }
    }
    Ok(out)
}
