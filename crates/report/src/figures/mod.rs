//! The standard figures, one file each. A new figure is a file here and a line in [`FIGURES`].

mod bounds;
mod collapse;
mod confidence;
mod coverage;
mod estimators;
mod forest;
mod kernels;
mod layout;
mod nested_loop;
mod rate;
mod selection;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use convstat_study::figure::{Figure, FigureKind};
use convstat_study::{CellSummary, StudyFile, Summary};

use crate::{Canvas, Format, ReportError, Result};

use layout::Grid;

/// What a figure is drawn from.
#[derive(Debug, Clone, Copy)]
pub struct FigureData<'a> {
    /// Name of the figure, and of its file.
    pub name: &'a str,
    /// Standard deviation of its noise.
    pub sigma: f64,
    /// What its risk is: exact, or first-order for labels and trained networks.
    pub risk: &'a str,
    /// Its summary, with the cells that the figure shows.
    pub summary: &'a Summary,
    /// How it is drawn.
    pub options: &'a Figure,
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
    (FigureKind::Estimators, estimators::draw),
    (FigureKind::Confidence, confidence::draw),
    (FigureKind::Selection, selection::draw),
    (FigureKind::NestedLoop, nested_loop::draw),
    (FigureKind::Forest, forest::draw),
];

/// The figures that the study names (rate and bounds if it names none), those that it has data for.
pub fn canvases(file: &StudyFile, summary: &Summary) -> Result<Vec<Canvas>> {
    let mut canvases = Vec::new();
    for (name, options) in file.figures() {
        canvases.extend(draw_one(file, summary, &name, &options)?);
    }
    Ok(canvases)
}

/// Draws the figures of a study and saves them; returns the files.
pub fn draw(file: &StudyFile, summary: &Summary, out: &Path, formats: &[Format]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for canvas in canvases(file, summary)? {
        files.extend(canvas.save(out, formats)?);
    }
    if files.is_empty() { Err(ReportError::NothingToDraw) } else { Ok(files) }
}

/// One figure of a study under a name; none where the study has no data for it.
pub fn draw_one(file: &StudyFile, summary: &Summary, name: &str, options: &Figure) -> Result<Option<Canvas>> {
    let Some((_, figure)) = FIGURES.iter().find(|(kind, _)| *kind == options.kind) else { return Ok(None) };
    let shown = |c: &&CellSummary| options.shows(&c.setting, &c.design, &c.solver);
    let cells: Vec<CellSummary> = summary.cells.iter().filter(shown).cloned().collect();
    let summary = Summary { cells, ..*summary };
    let first_order = file.response.is_some() || summary.cells.iter().any(|c| c.activation.is_some());
    let risk = if first_order { "first-order" } else { "exact" };
    figure(&FigureData { name, sigma: file.noise.sigma, risk, summary: &summary, options })
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

/// A setting and its structure, once where they say the same.
fn setting_title(setting: &str, structure: &str) -> String {
    let same = structure.split('(').next().is_some_and(|kind| kind == setting);
    crate::math::escape(&if same { structure.to_owned() } else { format!("{setting}: {structure}") })
}

/// Abscissas that span more decades than this are drawn on a logarithmic axis.
const LINEAR_SPAN: f64 = 30.0;

/// Whether positive values need a logarithmic axis.
fn is_wide(values: impl Iterator<Item = f64>) -> bool {
    let (low, high) = values.fold((f64::INFINITY, 0.0f64), |(l, h), v| (l.min(v), h.max(v)));
    high > LINEAR_SPAN * low
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
    let (kind, keys) = match kind {
        "normal-exact" => ("normal", "exact law".to_owned()),
        kind => (kind, keys),
    };
    let keys = if keys.is_empty() { keys } else { format!(", {keys}") };
    crate::math::escape(&format!("{kind} inputs{keys}"))
}
