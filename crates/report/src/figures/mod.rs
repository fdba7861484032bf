//! The standard figures, one file each. A new kind is a file here and a line in [`FIGURES`].

mod bounds;
mod collapse;
mod confidence;
mod coverage;
mod estimators;
mod forest;
mod kernels;
mod kind;
mod layout;
mod names;
mod nested_loop;
mod rate;
mod requires;
mod selection;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use convstat_study::file::Figure;
use convstat_study::{CellSummary, StudyError, StudyFile, Summary};
use convstat_text::{KeyPath, suggestion};

use crate::{Canvas, Format, ReportError, Result};

pub use kind::{FigureData, FigureKind};
pub(crate) use names::{design_name, design_title};

/// All kinds.
pub const FIGURES: &[FigureKind] = &[
    rate::KIND,
    bounds::KIND,
    kernels::KIND,
    collapse::KIND,
    coverage::KIND,
    estimators::KIND,
    confidence::KIND,
    selection::KIND,
    nested_loop::KIND,
    forest::KIND,
];

/// The kind of a name.
///
/// # Errors
/// The name, and those that there are.
pub fn kind(name: &str) -> Result<&'static FigureKind> {
    FIGURES.iter().find(|kind| kind.name == name).ok_or_else(|| ReportError::UnknownFigure {
        kind: name.to_owned(),
        known: suggestion(name, FIGURES.iter().map(|kind| kind.name)),
    })
}

/// Fails where the study asks for a figure that there is not, or that would be empty for it.
///
/// # Errors
/// Key `figure.kind` of the study file, with the mend.
pub fn check(file: &StudyFile) -> convstat_study::Result<()> {
    for (i, figure) in file.figure.iter().enumerate() {
        let checked = kind(&figure.kind).map_err(|e| e.to_string()).and_then(|kind| (kind.requires)(file));
        let at = KeyPath::from("figure").index(i).key("kind");
        checked.map_err(|mend| StudyError::bad(at, &figure.kind, &mend))?;
    }
    Ok(())
}

/// The figures that the study names (rate and bounds if it names none), those that it has data for.
///
/// # Errors
/// A kind that there is not; a figure that cannot be drawn.
pub fn canvases(file: &StudyFile, summary: &Summary) -> Result<Vec<Canvas>> {
    let mut canvases = Vec::new();
    for (name, options) in file.figures() {
        canvases.extend(draw_one(file, summary, &name, &options)?);
    }
    Ok(canvases)
}

/// Draws the figures of a study and saves them; returns the files.
///
/// # Errors
/// As [`canvases`]; a run without data for any; a file that cannot be written.
pub fn draw(file: &StudyFile, summary: &Summary, out: &Path, formats: &[Format]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for canvas in canvases(file, summary)? {
        files.extend(canvas.save(out, formats)?);
    }
    if files.is_empty() { Err(ReportError::NothingToDraw) } else { Ok(files) }
}

/// One figure of a study under a name; none where the study has no data for it.
///
/// # Errors
/// A kind that there is not; a figure that cannot be drawn.
pub fn draw_one(file: &StudyFile, summary: &Summary, name: &str, options: &Figure) -> Result<Option<Canvas>> {
    let kind = kind(&options.kind)?;
    let is_shown = |c: &&CellSummary| options.shows(&c.setting, &c.design, &c.solver);
    let cells: Vec<CellSummary> = summary.cells.iter().filter(is_shown).cloned().collect();
    let summary = Summary { cells, ..*summary };
    let first_order = file.response.is_some() || summary.cells.iter().any(|c| c.activation.is_some());
    let risk = if first_order { "first-order" } else { "exact" };
    (kind.draw)(&FigureData { name, sigma: file.noise.sigma, risk, summary: &summary, options })
}
