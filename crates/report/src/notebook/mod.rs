//! Notebooks that read a run's files, redraw its figures and recompute its standard errors: Jupyter with Python, Quarto
//! with R. They are written without outputs; whoever opens one runs it on the run directory.

mod cells;
mod jupyter;
mod quarto;

use std::path::Path;
use std::str::FromStr;

use convstat_study::StudyFile;

use crate::Result;

/// Formats of notebooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotebookFormat {
    /// `.ipynb`, Python (polars, matplotlib).
    Jupyter,
    /// `.qmd`, R (arrow, ggplot2).
    Quarto,
}

impl NotebookFormat {
    /// The format of a file by its ending.
    pub fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "ipynb" => Some(Self::Jupyter),
            "qmd" => Some(Self::Quarto),
            _ => None,
        }
    }

    /// The ending of its files.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jupyter => "ipynb",
            Self::Quarto => "qmd",
        }
    }
}

impl FromStr for NotebookFormat {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "jupyter" => Ok(Self::Jupyter),
            "quarto" => Ok(Self::Quarto),
            other => Err(format!("unknown format \"{other}\"; use jupyter or quarto")),
        }
    }
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq)]
enum NotebookCell {
    /// Text.
    Markdown(String),
    /// Code.
    Code(String),
}

/// The notebook of a study whose run directory is `run`, seen from the notebook's folder.
///
/// # Errors
/// The notebook cannot be written as JSON.
pub fn notebook(file: &StudyFile, run: &str, format: NotebookFormat) -> Result<String> {
    let cells = cells::cells(file, run, format)?;
    match format {
        NotebookFormat::Jupyter => jupyter::write(&cells),
        NotebookFormat::Quarto => quarto::write(&file.study.name, &cells),
    }
}
