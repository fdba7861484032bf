//! Notebooks that read a run's files, redraw its figures and recompute its standard errors: Jupyter with Python, Quarto
//! with R. They are written without outputs; whoever opens one runs it on the run directory.

mod cell;
mod cells;
mod format;
mod jupyter;
mod quarto;

use convstat_study::StudyFile;

use crate::Result;

pub use format::NotebookFormat;

/// All formats; the first is the usual one. A new one is a file here and a line.
pub const NOTEBOOK_FORMATS: &[NotebookFormat] = &[jupyter::FORMAT, quarto::FORMAT];

/// The format of a name, or of the ending of a file.
pub fn notebook_format(name: &str) -> Option<&'static NotebookFormat> {
    NOTEBOOK_FORMATS.iter().find(|format| [format.name, format.extension].contains(&name))
}

/// The notebook of a study whose run directory is `run`, seen from the notebook's folder.
///
/// # Errors
/// A kind of figure that there is not; a notebook that cannot be written as JSON.
pub fn notebook(file: &StudyFile, run: &str, format: &NotebookFormat) -> Result<String> {
    (format.write)(&file.study.name, &cells::cells(file, run, format)?)
}
