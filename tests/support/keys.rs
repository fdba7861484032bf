//! Tables of the reference and the keys that a reader's errors name.

// Every test uses a part of it.
#![allow(dead_code)]

use std::collections::BTreeSet;

/// Rows of the tables below a heading, down to the next heading.
pub fn rows(page: &str, heading: &str) -> Vec<Vec<String>> {
    let mut lines =
        page.lines().skip_while(|l| l.trim_start_matches('#').trim() != heading || !l.starts_with('#'));
    assert!(lines.next().is_some(), "no heading {heading}");
    let table = lines.take_while(|l| !l.starts_with('#')).filter(|l| l.starts_with('|'));
    let cells = |l: &str| l.trim_matches('|').split(" | ").map(|c| c.trim().to_owned()).collect::<Vec<_>>();
    table.map(cells).filter(|c| c[0].starts_with('`')).collect()
}

/// A cell without its backticks.
pub fn unquoted(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

/// What stands in backticks in a text.
pub fn in_backticks(text: &str) -> BTreeSet<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Names in backticks of an error's message, the first (what was found) left out.
pub fn known(message: &str) -> BTreeSet<String> {
    message.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

/// A text with `line` in the table that `header` opens; a table that it lacks comes last, with the lines it needs.
pub fn with_line(base: &str, header: &str, needed: &str, line: &str) -> String {
    if base.contains(&format!("\n{header}\n")) {
        base.replace(&format!("\n{header}\n"), &format!("\n{header}\n{line}\n"))
    } else {
        format!("{base}{header}\n{needed}\n{line}\n")
    }
}
