//! Checks with their verdicts in words.

use convstat_study::CheckOutcome;
use maud::{Markup, html};

use super::notation::typeset;

/// Every check with its claim, verdict and comparisons; those of a failed one are open.
pub fn checks(checks: &[CheckOutcome], is_finished: bool) -> Markup {
    if checks.is_empty() {
        return html! { p { "The study has no " code { "[[check]]" } "." } };
    }
    html! {
        @if !is_finished {
            p { "The run is not finished: verdicts are those of the replicates that are there." }
        }
        @for check in checks { (article(check)) }
    }
}

fn article(check: &CheckOutcome) -> Markup {
    let (class, word) = verdict(check.passed);
    html! {
        article class={ "check " (class) } {
            h3 { span class={ "badge " (class) } { (word) } " " (check.kind) }
            p { (typeset(&check.claim)) }
            p { b { (typeset(&check.verdict)) } }
            details open[!check.passed] {
                summary { (check.details.len()) " comparisons" }
                pre tabindex="0" { @for line in &check.details { (typeset(line)) "\n" } }
            }
        }
    }
}

/// How many passed and failed, as a badge.
pub fn badge(checks: &[CheckOutcome]) -> Markup {
    let failed = checks.iter().filter(|c| !c.passed).count();
    let (class, _) = verdict(failed == 0);
    let text = match (checks.len(), failed) {
        (0, _) => return html! { span class="badge" { "no checks" } },
        (1, 0) => "the check passed".to_owned(),
        (1, _) => "the check failed".to_owned(),
        (all, 0) => format!("all {all} checks passed"),
        (all, failed) => format!("{failed} of {all} checks failed"),
    };
    html! { span class={ "badge " (class) } { (text) } }
}

fn verdict(passed: bool) -> (&'static str, &'static str) {
    if passed { ("pass", "✓ passed") } else { ("fail", "✗ failed") }
}
