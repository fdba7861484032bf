//! The summary of a run as a table for a paper: LaTeX, Markdown, or CSV with all digits.

use std::str::FromStr;

use convstat_runner::{Column, Table};
use convstat_study::{CellSummary, Plan, Summary};
use convstat_theory::Bounds;

use super::columns::{HEADINGS, SHARES, extended, find, standard_errors, usual};
use super::latex::{self, escape_latex};
use crate::Result;
use crate::csv::line;
use crate::digits::{self, Notation, Style, Uncertainty};
use crate::figures::design_name;
use crate::missing;

/// Formats of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// A `table` with booktabs rules; a `longtable` where one page does not hold it.
    Latex,
    /// A pipe table.
    Markdown,
    /// Comma-separated values, every digit.
    Csv,
}

impl FromStr for TableFormat {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "latex" | "tex" => Ok(Self::Latex),
            "markdown" | "md" => Ok(Self::Markdown),
            "csv" => Ok(Self::Csv),
            other => Err(format!("unknown format \"{other}\"; use latex, markdown or csv")),
        }
    }
}

/// What a table shows, and how.
#[derive(Debug, Clone, Default)]
pub struct TableOptions {
    /// Names of columns of the summary, or `failures`, `ratio_pred`, `ratio_frob`; the usual ones if there are none (in CSV: all).
    pub columns: Vec<String>,
    /// How Monte Carlo standard errors are written.
    pub uncertainty: Uncertainty,
    /// Caption (LaTeX); the study's aim if there is none.
    pub caption: Option<String>,
    /// Label (LaTeX); `tab:` and the study's name if there is none.
    pub label: Option<String>,
}

/// A table for a paper.
#[derive(Debug, Clone)]
pub struct PaperTable {
    /// In its format.
    pub text: String,
    /// What is wrong with it, for its reader.
    pub warning: Option<String>,
}

/// The summary of a study as a table.
///
/// # Errors
/// A column that the summary does not have.
pub fn paper_table(
    plan: &Plan,
    summary: &Summary,
    format: TableFormat,
    options: &TableOptions,
) -> Result<PaperTable> {
    let table = extended(&summary.to_table(plan))?;
    let fits = |text: String| PaperTable { text, warning: None };
    match format {
        TableFormat::Csv => csv(&table, &options.columns).map(fits),
        TableFormat::Markdown => Ok(fits(markdown(&Shown::new(summary, &table, options, Notation::Plain)?))),
        TableFormat::Latex => {
            let shown = Shown::new(summary, &table, options, Notation::Latex)?;
            let info = &plan.file.study;
            let caption = options.caption.clone().unwrap_or_else(|| {
                let said = if info.aim.is_empty() { &info.name } else { &info.aim };
                latex::sentence(said) + &shown.legend(&replicates(plan, summary), options.uncertainty)
            });
            let label = options.label.clone().unwrap_or_else(|| format!("tab:{}", info.name));
            let (text, width) = latex::write(&shown, &caption, &label);
            let warning = (width > latex::TEXT_WIDTH).then(|| {
                format!(
                    "the table is about {width:.0} pt wide, and the text of an article {:.0} pt; leave columns out with --columns (these are \
                     {})",
                    latex::TEXT_WIDTH,
                    shown.names.join(",")
                )
            });
            Ok(PaperTable { text, warning })
        }
    }
}

/// Rows of a table under one name.
pub(super) struct Group {
    /// Setting with its structure, design and estimator; empty where the setting is a column.
    pub name: String,
    pub rows: Vec<Vec<String>>,
}

/// A table as texts, grouped by setting.
pub(super) struct Shown {
    names: Vec<String>,
    pub headings: Vec<String>,
    pub numeric: Vec<bool>,
    pub groups: Vec<Group>,
    /// Headings and values of the columns that say the same everywhere and are left out.
    constants: Vec<(String, String)>,
    /// Why numbers lack, and what stands for standard errors that are none.
    notes: String,
    has_errors: bool,
}

impl Shown {
    fn new(summary: &Summary, table: &Table, options: &TableOptions, notation: Notation) -> Result<Self> {
        let latex = notation == Notation::Latex;
        let style = Style { notation, uncertainty: options.uncertainty };
        let chosen = !options.columns.is_empty();
        let mut names = if chosen { options.columns.clone() } else { usual(table) };
        let mut texts: Vec<Vec<String>> =
            names.iter().map(|n| cells(summary, table, n, style)).collect::<Result<_>>()?;
        let mut constants = Vec::new();
        // What says the same everywhere is said once, in the caption; Markdown has none, and keeps numbers.
        let mut leave_out = |i: usize, name: &str| -> Result<bool> {
            let column = find(table, name)?;
            let is_empty = matches!(column, Column::Float(v) if v.iter().all(|v| v.is_nan()));
            let is_constant = texts[i].iter().all(|t| *t == texts[i][0]);
            let constant = is_constant && (latex && table.rows() > 1 || matches!(column, Column::Text(_)));
            if constant && !is_empty {
                constants.push((heading(name, notation), texts[i][0].clone()));
            }
            Ok(constant || is_empty)
        };
        if !chosen && table.rows() > 0 {
            let out: Vec<bool> =
                names.iter().enumerate().map(|(i, n)| leave_out(i, n)).collect::<Result<_>>()?;
            let mut keep = out.iter().map(|out| !out);
            names.retain(|_| keep.next() == Some(true));
            let mut keep = out.iter().map(|out| !out);
            texts.retain(|_| keep.next() == Some(true));
        }
        // Design and estimator above their rows take no column.
        let mut above = Vec::new();
        for name in ["design", "solver"] {
            if let Some(i) = names.iter().position(|n| n == name).filter(|_| !chosen && latex) {
                names.remove(i);
                above.push(texts.remove(i));
            }
        }
        let grouped = !names.iter().any(|n| n == "setting");
        let (settings, structures) = (table.texts("setting")?, table.texts("structure")?);
        let mut groups: Vec<Group> = Vec::new();
        for row in 0..table.rows() {
            let mut name = String::new();
            if grouped {
                let own = structures[row].split('(').next() == Some(settings[row].as_str());
                let both = format!("{}: {}", settings[row], structures[row]);
                name = escape(if own { &structures[row] } else { &both }, notation);
                above.iter().for_each(|column| name += &format!("; {}", column[row]));
            }
            let cells = texts.iter().map(|column| column[row].clone()).collect();
            match groups.iter_mut().find(|g| g.name == name) {
                Some(group) => group.rows.push(cells),
                None => groups.push(Group { name, rows: vec![cells] }),
            }
        }
        let columns: Vec<&Column> = names.iter().map(|n| find(table, n)).collect::<Result<_>>()?;
        Ok(Self {
            headings: names.iter().map(|n| heading(n, notation)).collect(),
            numeric: columns.iter().map(|c| !matches!(c, Column::Text(_))).collect(),
            groups,
            constants,
            notes: notes(table, &names, summary.bounds, notation)?,
            has_errors: names.iter().any(|n| standard_errors(table, n).is_some()),
            names,
        })
    }

    /// What a caption has to say.
    fn legend(&self, replicates: &str, uncertainty: Uncertainty) -> String {
        let constants: String =
            self.constants.iter().map(|(name, value)| format!("; {name}: {value}")).collect();
        let how = match uncertainty {
            Uncertainty::Parentheses => "; Monte Carlo standard errors in parentheses",
            Uncertainty::PlusMinus => "; Monte Carlo standard errors behind $\\pm$",
            Uncertainty::None => "",
        };
        let how = if self.has_errors { how } else { "" };
        format!(" {replicates} replicates a cell{constants}{how}.{}", self.notes)
    }
}

/// Replicates a cell; of an unfinished run the fewest and the most that are there.
fn replicates(plan: &Plan, summary: &Summary) -> String {
    let planned = plan.replicates();
    let done = summary.cells.iter().map(|c| (c.replicates() + c.errors) as u64);
    match (done.clone().min(), done.max()) {
        (Some(fewest), Some(most)) if fewest < planned => format!("{fewest} to {most} of {planned}"),
        _ => planned.to_string(),
    }
}

fn heading(name: &str, notation: Notation) -> String {
    match (HEADINGS.iter().find(|h| h.name == name), notation) {
        (Some(h), Notation::Latex) => h.latex.to_owned(),
        (Some(h), Notation::Plain) => h.markdown.to_owned(),
        (None, _) => escape(&name.replace('_', " "), notation),
    }
}

/// The texts of a column, in one form.
fn cells(summary: &Summary, table: &Table, name: &str, style: Style) -> Result<Vec<String>> {
    let notation = style.notation;
    let values = match find(table, name)? {
        Column::Text(v) if name == "design" => {
            return Ok(v.iter().map(|label| design(label, notation)).collect());
        }
        Column::Text(v) => return Ok(v.iter().map(|text| escape(text, notation)).collect()),
        Column::Int(v) => return Ok(v.iter().map(ToString::to_string).collect()),
        Column::Float(v) => v,
    };
    if name == "sqrt_dm_over_n" {
        return Ok(values.iter().map(|v| digits::rate(*v, notation)).collect());
    }
    let Some(errors) = standard_errors(table, name) else { return Ok(digits::column(values, notation)) };
    let is_measured = table.floats(&format!("{name}_mcse")).is_ok();
    let pairs = values.iter().zip(errors).zip(&summary.cells);
    let text = |((value, error), cell): ((&f64, &f64), &CellSummary)| {
        if SHARES.contains(&name) {
            let intervals = cell.coverage.filter(|_| name.starts_with("covered_")).map(|c| c.replicates);
            digits::share(*value, *error, intervals.unwrap_or_else(|| cell.replicates()), style)
        } else if is_measured {
            digits::measured(*value, *error, style)
        } else {
            digits::theory(*value, *error, style)
        }
    };
    Ok(pairs.map(text).collect())
}

/// Sentences on what the columns do not show.
fn notes(table: &Table, names: &[String], bounds: Bounds, notation: Notation) -> Result<String> {
    let mut lacking = Vec::new();
    for name in names {
        let lacks = matches!(find(table, name)?, Column::Float(v) if v.iter().any(|v| v.is_nan()));
        lacking.push((name.as_str(), lacks));
    }
    let latex = notation == Notation::Latex;
    let (dash, n) = if latex { ("--", "$n$") } else { ("–", "n") };
    let mut text = missing::sentence(lacking, bounds, dash, n);
    let unanimous = |name: &String| match (table.floats(name), standard_errors(table, name)) {
        (Ok(v), Some(e)) => v.iter().zip(e).any(|(v, e)| digits::is_unanimous(*v, *e)),
        _ => false,
    };
    if names.iter().any(|n| SHARES.contains(&n.as_str()) && unanimous(n)) {
        text += " ($<$ $x$): all replicates agree; $x$, three over their number, is the 95\\,\\% bound on the share of others. A mean without a \
                 standard error is of replicates that all agree.";
    }
    Ok(text)
}

/// A design in the words of the figures.
fn design(label: &str, notation: Notation) -> String {
    let name = design_name(label);
    match notation {
        Notation::Latex => name.split(", ").map(latex::term).collect::<Vec<_>>().join(", "),
        Notation::Plain => escape(&name, notation),
    }
}

fn markdown(shown: &Shown) -> String {
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

/// Numbers in the shortest form that reads back as the same one; NaN and inf by name.
fn csv(table: &Table, names: &[String]) -> Result<String> {
    let all: Vec<String> = table.columns().iter().map(|(n, _)| n.clone()).collect();
    let names = if names.is_empty() { &all } else { names };
    let columns: Vec<&Column> = names.iter().map(|n| find(table, n)).collect::<Result<_>>()?;
    let mut out = line(names);
    for row in 0..table.rows() {
        out += &line(columns.iter().map(|column| match column {
            Column::Text(v) => v[row].clone(),
            Column::Int(v) => v[row].to_string(),
            Column::Float(v) => format!("{:?}", v[row]),
        }));
    }
    Ok(out)
}

fn escape(text: &str, notation: Notation) -> String {
    match notation {
        Notation::Latex => escape_latex(text),
        Notation::Plain => escape_markdown(text),
    }
}

/// Text in which Markdown sees no markup, in one cell.
fn escape_markdown(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' | '|' | '*' | '_' | '`' | '[' | ']' | '<' | '>' => out.extend(['\\', c]),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
