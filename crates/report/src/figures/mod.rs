//! The standard figures, one file each. A new figure is a file here and a line in [`FIGURES`].

mod bounds;
mod collapse;
mod coverage;
mod kernels;
mod rate;

use std::path::{Path, PathBuf};

use convstat_study::file::FigureKind;
use convstat_study::{CellSummary, StudyFile, Summary};

use crate::{Canvas, Format, ReportError, Result};

/// What a figure is drawn from.
#[derive(Debug, Clone, Copy)]
pub struct FigureData<'a> {
    /// Name of the study.
    pub name: &'a str,
    /// Standard deviation of its noise.
    pub sigma: f64,
    /// Its summary.
    pub summary: &'a Summary,
}

/// A standard figure: none where the study has no data for it.
pub type Draw = fn(&FigureData) -> Result<Option<Canvas>>;

/// All standard figures.
pub const FIGURES: &[(FigureKind, Draw)] = &[
    (FigureKind::Rate, rate::draw),
    (FigureKind::Bounds, bounds::draw),
    (FigureKind::Kernels, kernels::draw),
    (FigureKind::Collapse, collapse::draw),
    (FigureKind::Coverage, coverage::draw),
];

/// Draws the figures that the study names (rate and bounds if it names none) and saves those it has
/// data for; returns the files.
pub fn draw(file: &StudyFile, summary: &Summary, out: &Path, formats: &[Format]) -> Result<Vec<PathBuf>> {
    let data = FigureData { name: &file.study.name, sigma: file.noise.sigma, summary };
    let mut wanted: Vec<FigureKind> = file.figure.iter().map(|f| f.kind).collect();
    if wanted.is_empty() {
        wanted = vec![FigureKind::Rate, FigureKind::Bounds];
    }
    let mut files = Vec::new();
    for (_, figure) in FIGURES.iter().filter(|(kind, _)| wanted.contains(kind)) {
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
        "student-t" => "Student t",
        "rademacher" => "Rademacher",
        other => other,
    };
    let keys = keys.trim_end_matches(')').replace("rho=", "ρ = ").replace("nu=", "ν = ");
    let keys = if keys.is_empty() { keys } else { format!(", {keys}") };
    crate::math::escape(&format!("{kind} inputs{keys}"))
}
