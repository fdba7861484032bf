//! What stands in a notebook: the study's aim, the run's tables, the check of the standard errors, failures, figures.

use convstat_study::StudyFile;

use super::cell::NotebookCell;
use super::format::NotebookFormat;
use crate::Result;
use crate::chapter::{Code, code};
use crate::figures::{design_title, kind};
use crate::math::plain;

/// Titles of the designs by their names, as the figures have them: a dictionary of Python, or a named vector of R.
fn designs(file: &StudyFile, format: &NotebookFormat) -> Result<String> {
    let [open, between, close] = format.dictionary;
    let mut entries = Vec::new();
    for design in &file.design {
        let label = design.label();
        let title = plain(&design_title(&label));
        entries.push(serde_json::to_string(&label)? + between + &serde_json::to_string(&title)?);
    }
    Ok(format!("{open}{}{close}", entries.join(", ")))
}

/// The cells of a study's notebook; `run` is the run directory seen from the notebook's folder.
pub(super) fn cells(file: &StudyFile, run: &str, format: &NotebookFormat) -> Result<Vec<NotebookCell>> {
    // JSON's strings are strings of Python and R too.
    let run = serde_json::to_string(run)?;
    let level = file.inference.as_ref().map_or(f64::NAN, |i| i.level);
    let designs = designs(file, format)?;
    let filled = |code: Code| {
        let text = (format.code)(&code)
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
        // One kind is drawn once, with all series.
        if seen.contains(&options.kind) {
            continue;
        }
        if let Some(chapter) = (kind(&options.kind)?.notebook)(file) {
            cells.extend([text(chapter.text), filled(chapter.code)]);
        }
        seen.push(options.kind);
    }
    Ok(cells)
}
