//! What stands in a notebook: the study's aim, the run's tables, the check of the standard errors, failures, figures.

use convstat_study::StudyFile;
use convstat_study::figure::FigureKind;

use super::{NotebookCell, NotebookFormat};
use crate::Result;
use crate::figures::design_title;
use crate::math::plain;

/// Code in both languages.
struct Code {
    python: &'static str,
    r: &'static str,
}

macro_rules! code {
    ($name:literal) => {
        Code {
            python: include_str!(concat!("python/", $name, ".py")),
            r: include_str!(concat!("r/", $name, ".R")),
        }
    };
}

/// A figure's text and code.
fn figure(kind: FigureKind) -> (&'static str, Code) {
    match kind {
        FigureKind::Rate => (
            "## Error against √(d_M/n)\n\nPoints are measured errors with their Monte Carlo standard errors, lines the risk; \
             nothing is fitted.",
            code!("rate"),
        ),
        FigureKind::Bounds => (
            "## Bounds, risk and measurement\n\nA bound with unknown constants, set as in the study file, is dashed where its \
             condition on n fails. Any other ends where its condition does.",
            code!("bounds"),
        ),
        FigureKind::Kernels => (
            "## Error and parameters against the number of kernels\n\nWhat the data identify (df) beside naive parameters.",
            code!("kernels"),
        ),
        FigureKind::Collapse => (
            "## All structures on one line\n\nPrediction error over σ against √(df/(n − df − 1)).",
            code!("collapse"),
        ),
        FigureKind::Coverage => (
            "## How often the explicit bound is exceeded\n\nIt may be exceeded with the stated probability at most.",
            code!("coverage"),
        ),
        FigureKind::Estimators => (
            "## Estimators beside each other\n\nError with the risk, share of data sets whose starts missed the optimum, and \
             time.",
            code!("estimators"),
        ),
        FigureKind::Confidence => (
            "## Coverage of confidence intervals and regions\n\nThe line is the level of the study.",
            code!("confidence"),
        ),
        FigureKind::Selection => (
            "## Choice of the structure\n\nShare of the replicates in which each criterion chose the true structure.",
            code!("selection"),
        ),
        FigureKind::NestedLoop => (
            "## Nested-loop plot\n\nAll cells in a row over setting, design and n (Rücker and Schwarzer 2014).",
            code!("nested_loop"),
        ),
        FigureKind::Forest => (
            "## Error over risk, a line a cell\n\nIntervals are ± 1.96 Monte Carlo standard errors, that of a simulated risk \
             included.",
            code!("forest"),
        ),
    }
}

/// Titles of the designs by their names, as the figures have them: a dictionary of Python, or a named vector of R.
fn designs(file: &StudyFile, format: NotebookFormat) -> Result<String> {
    let (open, between, close) = match format {
        NotebookFormat::Jupyter => ("{", ": ", "}"),
        NotebookFormat::Quarto => ("c(", " = ", ")"),
    };
    let mut entries = Vec::new();
    for design in &file.design {
        let label = design.label();
        let title = plain(&design_title(&label));
        entries.push(serde_json::to_string(&label)? + between + &serde_json::to_string(&title)?);
    }
    Ok(format!("{open}{}{close}", entries.join(", ")))
}

/// The cells of a study's notebook; `run` is the run directory seen from the notebook's folder.
pub(super) fn cells(file: &StudyFile, run: &str, format: NotebookFormat) -> Result<Vec<NotebookCell>> {
    // JSON's strings are strings of Python and R too.
    let run = serde_json::to_string(run)?;
    let level = file.inference.as_ref().map_or(f64::NAN, |i| i.level);
    let designs = designs(file, format)?;
    let filled = |code: Code| {
        let text = match format {
            NotebookFormat::Jupyter => code.python,
            NotebookFormat::Quarto => code.r,
        };
        let text = text
            .replace("@SIGMA@", &file.noise.sigma.to_string())
            .replace("@CONFIDENCE@", &file.theory.confidence.to_string())
            .replace("@LEVEL@", &level.to_string())
            .replace("@DESIGNS@", &designs)
            .replace("@RUN@", &run);
        NotebookCell::Code(text.trim_end().to_owned())
    };
    let text = |t: &str| NotebookCell::Markdown(t.to_owned());
    let info = &file.study;
    let aim = if info.aim.is_empty() { String::new() } else { format!("**Aim.** {}\n\n", info.aim) };
    let mut cells = vec![
        NotebookCell::Markdown(format!(
            "# {}\n\n{aim}{} settings, {} replicates a cell, seed {}. This notebook reads the files of the run alone \
             (`parts/*.parquet`, one row a replicate; `summary.parquet`, one row a cell) and needs no convstat.",
            info.name,
            file.setting.len(),
            info.replicates,
            info.seed
        )),
        filled(code!("setup")),
        text("## The run"),
        filled(code!("load")),
        text(
            "## Errors and their Monte Carlo standard errors, again\n\nThe error of a cell is the root of the mean squared \
             error of its replicates; its standard error is sd(e²) / (2 √mean(e²) √R) by the delta method. Both are computed \
             from the replicates and have to agree with the summary.",
        ),
        filled(code!("mcse")),
        text(
            "## Failures\n\nReplicates that ended in an error count in no mean. Fits that did not converge, and fits whose \
             starts missed the optimum, count.",
        ),
        filled(code!("failures")),
    ];
    let mut seen = Vec::new();
    for (_, options) in file.figures() {
        // Without bounds there is nothing to draw them from; one kind is drawn once, with all series.
        let has_bounds = file.theory.bounds && file.response.is_none();
        let needs_bounds = matches!(options.kind, FigureKind::Bounds | FigureKind::Coverage);
        let has_levels = file.inference.is_some() || options.kind != FigureKind::Confidence;
        let selects =
            file.estimator.iter().any(|e| e.select.is_some()) || options.kind != FigureKind::Selection;
        if seen.contains(&options.kind) || (needs_bounds && !has_bounds) || !has_levels || !selects {
            continue;
        }
        seen.push(options.kind);
        let (said, code) = figure(options.kind);
        cells.extend([text(said), filled(code)]);
    }
    Ok(cells)
}
