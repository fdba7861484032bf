//! Checks with their verdicts in words.

use convstat_study::CheckOutcome;

use super::escape::escape;
use super::notation::typeset;

/// Every check with its claim, verdict and comparisons; those of a failed one are open.
pub fn checks(checks: &[CheckOutcome], is_finished: bool) -> String {
    if checks.is_empty() {
        return "<p>The study has no <code>[[check]]</code>.</p>\n".to_owned();
    }
    let mut out = String::new();
    if !is_finished {
        out += "<p>The run is not finished: verdicts are those of the replicates that are there.</p>\n";
    }
    for check in checks {
        let (class, word) = verdict(check.passed);
        let lines: String = check.details.iter().map(|l| format!("{}\n", typeset(l))).collect();
        let open = if check.passed { "" } else { " open" };
        out += &format!(
            "<article class=\"check {class}\">\n<h3><span class=\"badge {class}\">{word}</span> {}</h3>\n<p>{}</p>\n\
             <p><b>{}</b></p>\n<details{open}><summary>{} comparisons</summary>\n<pre tabindex=\"0\">{lines}</pre></details>\n</article>\n",
            escape(&check.kind),
            typeset(&check.claim),
            typeset(&check.verdict),
            check.details.len()
        );
    }
    out
}

/// How many passed and failed, as a badge.
pub fn badge(checks: &[CheckOutcome]) -> String {
    let failed = checks.iter().filter(|c| !c.passed).count();
    let (class, _) = verdict(failed == 0);
    let text = match (checks.len(), failed) {
        (0, _) => return "<span class=\"badge\">no checks</span>".to_owned(),
        (1, 0) => "the check passed".to_owned(),
        (1, _) => "the check failed".to_owned(),
        (all, 0) => format!("all {all} checks passed"),
        (all, failed) => format!("{failed} of {all} checks failed"),
    };
    format!("<span class=\"badge {class}\">{text}</span>")
}

fn verdict(passed: bool) -> (&'static str, &'static str) {
    if passed { ("pass", "✓ passed") } else { ("fail", "✗ failed") }
}
