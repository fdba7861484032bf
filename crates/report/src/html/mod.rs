//! A run as one self-contained HTML page: no network, no other file. In the order of ADEMP, then checks, failures and
//! provenance; a section is a function that returns markup, and a line in [`page`].

mod checks;
mod design;
mod download;
mod failures;
mod figure;
mod notation;
mod performance;
mod provenance;
mod table;

use convstat_runner::{Manifest, slurm::quoted};
use convstat_study::{CheckOutcome, Record, Study, Summary};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::Result;

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
/// Nothing is loaded from elsewhere.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'";

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
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            (head(&plan.file.study.name))
            body {
                a class="skip" href="#main" { "To the content" }
                header {
                    p class="kind" { "Simulation study" }
                    h1 { (plan.file.study.name) }
                    (state(data))
                    nav aria-label="Contents" {
                        ol { @for (id, title, _) in &sections { li { a href={ "#" (id) } { (title) } } " " } }
                    }
                }
                main id="main" {
                    @if !is_finished { (unfinished(data, &run)) }
                    @for (id, title, content) in &sections {
                        section aria-labelledby=(id) { h2 id=(id) { (title) } (content) }
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    Ok(page.into_string().replace(is_forbidden, "\u{fffd}"))
}

/// Characters that HTML does not allow.
fn is_forbidden(c: char) -> bool {
    c.is_control() && c != '\n' && c != '\t'
}

fn head(name: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(POLICY);
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="generator" content={ "convstat " (env!("CARGO_PKG_VERSION")) };
            title { (name) ": simulation study" }
            style {
                (PreEscaped(STYLE))
                "@media screen and (prefers-color-scheme: dark) {" (PreEscaped(figure::dark_rules())) "}"
            }
        }
    }
}

/// One line on the whole: replicates, checks, failures.
fn state(data: &PageData) -> Markup {
    let plan = &data.study.plan;
    let wanted = plan.cells.len() as u64 * plan.replicates();
    let there = wanted.saturating_sub(data.summary.missing_replicates as u64);
    html! {
        p class="state" {
            @if there == wanted {
                span class="badge" { (wanted) " replicates in " (plan.cells.len()) " cells" }
            } @else {
                span class="badge warn" { "unfinished: " (there) " of " (wanted) " replicates" }
            }
            " " (checks::badge(data.checks)) " " (failures::badges(data.record))
        }
    }
}

/// What an unfinished run lacks and how it goes on.
fn unfinished(data: &PageData, run: &str) -> Markup {
    let (summary, manifest) = (data.summary, data.manifest);
    let command = format!(
        "convstat study run {} --replicates {} --out {run}",
        quoted(&format!("{}.toml", manifest.name)),
        manifest.replicates
    );
    html! {
        aside class="notice" aria-label="Unfinished run" {
            p {
                b { "This run is not finished." } " " (summary.missing_replicates) " replicates are missing; "
                (summary.missing_cells) " of its " (data.study.plan.cells.len())
                " cells have none. The command that started it goes on; or save the " a href="#file" { "study file" } " and run:"
            }
            pre tabindex="0" { code { (command) } }
            (failures::missing(&data.study.plan, data.record))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_markup_and_no_control_character_survives() {
        let hostile = "</style><script>alert('x')</script>\" onload=\"y\u{0}&amp;";
        let page = html! { p title=(hostile) { (hostile) } }.into_string().replace(is_forbidden, "\u{fffd}");
        assert!(!page.contains("<script") && !page.contains("</style") && !page.contains('\0'), "{page}");
        assert!(!page.contains("\" onload") && page.contains("y\u{fffd}&amp;amp;"), "{page}");
        assert!(!is_forbidden('\n') && !is_forbidden('\t'));
    }
}
