//! Pipe tables of Markdown.

use super::format::TableFormat;
use super::shown::Shown;
use crate::digits::Notation;

/// A pipe table.
pub(super) const FORMAT: TableFormat = TableFormat {
    name: "markdown",
    extension: "md",
    write: |data| Ok(write(&Shown::new(data, Notation::Plain)?).into()),
};

fn write(shown: &Shown) -> String {
    let named = shown.groups.iter().any(|g| !g.name.is_empty());
    let line = |first: &str, cells: &[String]| {
        let all = named.then(|| first.to_owned()).into_iter().chain(cells.iter().cloned());
        format!("| {} |\n", all.collect::<Vec<_>>().join(" | "))
    };
    let rule: Vec<String> =
        shown.numeric.iter().map(|n| if *n { "---:" } else { "---" }.to_owned()).collect();
    let mut out = line("setting", &shown.headings) + &line("---", &rule);
    for group in &shown.groups {
        for (i, row) in group.rows.iter().enumerate() {
            out += &line(if i == 0 { &group.name } else { "" }, row);
        }
    }
    out
}
