//! A run as one self-contained HTML page: no network, no other file. In the order of ADEMP, then checks, failures and
//! provenance; a section is a function that returns HTML, and a line in [`page`].

mod checks;
mod design;
mod escape;
mod failures;
mod figure;
mod notation;
mod performance;
mod provenance;
mod table;

use convstat_runner::{Manifest, slurm::quoted};
use convstat_study::{CheckOutcome, Record, Study, Summary};

use crate::Result;
use escape::escape;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// What a page is made from.
#[derive(Debug, Clone, Copy)]
pub struct PageData<'a> {
    /// The study.
    pub study: &'a Study,
    /// Its summary.
    pub summary: &'a Summary,
    /// Its checks.
    pub checks: &'a [CheckOutcome],
    /// Manifest of the run.
    pub manifest: &'a Manifest,
    /// What its parts say beyond the summary.
    pub record: &'a Record,
    /// The run directory as the user wrote it, for commands.
    pub run: &'a str,
}

/// The page.
///
/// # Errors
/// A figure that cannot be drawn.
pub fn page(data: &PageData) -> Result<String> {
    let plan = &data.study.plan;
    let run = quoted(data.run);
    let is_finished = data.summary.missing_replicates == 0;
    let sections = [
        ("aim", "Aim", design::aim(&plan.file)),
        ("mechanisms", "Data-generating mechanisms", design::mechanisms(plan)),
        ("estimands", "Estimands", design::estimands(&plan.file)),
        ("methods", "Methods", design::methods(plan)),
        ("performance", "Performance", performance::performance(plan, data.summary)?),
        ("checks", "Checks", checks::checks(data.checks, is_finished)),
        ("failures", "Failures", failures::failures(plan, data.record, &run)),
        ("provenance", "Provenance", provenance::provenance(data.manifest, data.record)),
        ("file", "Study file", provenance::study_file(data.manifest, &run)),
        ("cite", "How to cite", provenance::cite(data.manifest)),
    ];
    let contents: String =
        sections.iter().map(|(id, title, _)| format!("<li><a href=\"#{id}\">{title}</a></li>\n")).collect();
    let body: String = sections
        .iter()
        .map(|(id, title, html)| {
            format!("<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{title}</h2>\n{html}</section>\n")
        })
        .collect();
    let name = escape(&plan.file.study.name);
    let dark = figure::dark_rules();
    Ok(format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"generator\" content=\"convstat {}\">\n<title>{name}: simulation study</title>\n\
         <style>\n{STYLE}@media screen and (prefers-color-scheme: dark) {{\n{dark}}}\n</style>\n</head>\n<body>\n\
         <a class=\"skip\" href=\"#main\">To the content</a>\n<header>\n<p class=\"kind\">Simulation study</p>\n<h1>{name}</h1>\n{}\
         <nav aria-label=\"Contents\"><ol>\n{contents}</ol></nav>\n</header>\n<main id=\"main\">\n{}{body}</main>\n<script>\n{SCRIPT}</script>\n\
         </body>\n</html>\n",
        env!("CARGO_PKG_VERSION"),
        state(data),
        unfinished(data, &run),
    ))
}

/// One line on the whole: replicates, checks, failures.
fn state(data: &PageData) -> String {
    let plan = &data.study.plan;
    let wanted = plan.cells.len() as u64 * plan.replicates();
    let there = wanted.saturating_sub(data.summary.missing_replicates as u64);
    let (class, replicates) = if there == wanted {
        ("", format!("{wanted} replicates in {} cells", plan.cells.len()))
    } else {
        (" warn", format!("unfinished: {there} of {wanted} replicates"))
    };
    format!(
        "<p class=\"state\"><span class=\"badge{class}\">{replicates}</span> {} {}</p>\n",
        checks::badge(data.checks),
        failures::badges(data.record)
    )
}

/// What an unfinished run lacks and how it goes on.
fn unfinished(data: &PageData, run: &str) -> String {
    let summary = data.summary;
    if summary.missing_replicates == 0 {
        return String::new();
    }
    let command = format!(
        "convstat study run {} --replicates {} --out {run}",
        quoted(&format!("{}.toml", data.manifest.name)),
        data.manifest.replicates
    );
    format!(
        "<aside class=\"notice\" aria-label=\"Unfinished run\">\n<p><b>This run is not finished.</b> {} replicates are missing; {} of its {} \
         cells have none. The command that started it goes on; or save the <a href=\"#file\">study file</a> and run:</p>\n\
         <pre tabindex=\"0\"><code>{}</code></pre>\n{}</aside>\n",
        summary.missing_replicates,
        summary.missing_cells,
        data.study.plan.cells.len(),
        escape(&command),
        failures::missing(&data.study.plan, data.record)
    )
}
