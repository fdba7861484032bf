//! The standard figures, one file each. A new figure is a file here and a line in [`FIGURES`].

mod bounds;
mod rate;

use std::path::{Path, PathBuf};

use convstat_study::{CellSummary, Summary};

use crate::{Canvas, Format, ReportError, Result};

/// What a figure is drawn from.
#[derive(Debug, Clone, Copy)]
pub struct FigureData<'a> {
    /// Name of the study.
    pub name: &'a str,
    /// Its summary.
    pub summary: &'a Summary,
}

/// A standard figure: none where the study has no data for it.
pub type Draw = fn(&FigureData) -> Result<Option<Canvas>>;

/// All standard figures.
pub const FIGURES: &[(&str, Draw)] = &[("rate", rate::draw), ("bounds", bounds::draw)];

/// Draws every standard figure that the study has data for and saves it; returns the files.
pub fn draw(name: &str, summary: &Summary, out: &Path, formats: &[Format]) -> Result<Vec<PathBuf>> {
    let data = FigureData { name, summary };
    let mut files = Vec::new();
    for (_, figure) in FIGURES {
        if let Some(canvas) = figure(&data)? {
            files.extend(canvas.save(out, formats)?);
        }
    }
    if files.is_empty() { Err(ReportError::NothingToDraw) } else { Ok(files) }
}

/// Distinct values of a text column, in order of appearance.
fn distinct<'a>(cells: &'a [CellSummary], f: impl Fn(&'a CellSummary) -> &'a str) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for c in cells {
        if !seen.contains(&f(c)) {
            seen.push(f(c));
        }
    }
    seen
}

/// A design's name as a title: `var1(rho=0.5)` becomes `VAR(1) inputs, ρ = 0.5`.
fn design_title(label: &str) -> String {
    let (kind, keys) = label.split_once('(').unwrap_or((label, ""));
    let kind = match kind {
        "var1" => "VAR(1)",
        other => other,
    };
    let keys = keys.trim_end_matches(')').replace("rho=", "ρ = ").replace("nu=", "ν = ");
    let keys = if keys.is_empty() { keys } else { format!(", {keys}") };
    crate::panel::plain(&format!("{kind} inputs{keys}"))
}
