//! A table as texts, in the notation of its format.

use convstat_runner::{Column, Table};
use convstat_study::{CellSummary, Summary};
use convstat_theory::Bounds;

use super::columns::{HEADINGS, SHARES, find, standard_errors, usual};
use super::escape::{escape, term};
use super::format::TableData;
use crate::Result;
use crate::digits::{self, Notation, Style, Uncertainty};
use crate::figures::design_name;
use crate::missing;

/// Rows of a table under one name.
pub(super) struct Group {
    /// Setting with its structure, design and estimator; empty where the setting is a column.
    pub name: String,
    pub rows: Vec<Vec<String>>,
}

/// A column as texts.
struct TextColumn {
    name: String,
    cells: Vec<String>,
}

impl TextColumn {
    fn new(data: &TableData, name: String, notation: Notation) -> Result<Self> {
        let style = Style { notation, uncertainty: data.options.uncertainty };
        Ok(Self { cells: cells(data.summary, data.columns, &name, style)?, name })
    }
}

/// A table as texts, grouped by setting.
pub(super) struct Shown {
    /// Names of its columns.
    pub names: Vec<String>,
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
    pub fn new(data: &TableData, notation: Notation) -> Result<Self> {
        let (table, options) = (data.columns, data.options);
        let chosen = !options.columns.is_empty();
        let mut shown = if chosen { options.columns.clone() } else { usual(table) }
            .into_iter()
            .map(|name| TextColumn::new(data, name, notation))
            .collect::<Result<Vec<_>>>()?;
        let mut constants = Vec::new();
        let mut above = Vec::new();
        if !chosen && table.rows() > 0 {
            constants = take_constants(&mut shown, table, notation)?;
        }
        if !chosen && notation == Notation::Latex {
            // Design and estimator above their rows take no column.
            let is_above = |column: &mut TextColumn| ["design", "solver"].contains(&column.name.as_str());
            above = shown.extract_if(.., is_above).collect();
        }
        let names: Vec<String> = shown.iter().map(|column| column.name.clone()).collect();
        let columns: Vec<&Column> = names.iter().map(|n| find(table, n)).collect::<Result<_>>()?;
        Ok(Self {
            headings: names.iter().map(|n| heading(n, notation)).collect(),
            numeric: columns.iter().map(|c| !matches!(c, Column::Text(_))).collect(),
            groups: groups(table, &shown, &above, notation)?,
            constants,
            notes: notes(table, &names, data.summary.bounds, notation)?,
            has_errors: names.iter().any(|n| standard_errors(table, n).is_some()),
            names,
        })
    }

    /// What a caption has to say.
    pub fn legend(&self, replicates: &str, uncertainty: Uncertainty) -> String {
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

/// Takes out the columns that are empty, and those that say the same everywhere; returns headings and values of the latter. What
/// says the same is said once, in the caption; Markdown has none, and keeps numbers.
fn take_constants(
    shown: &mut Vec<TextColumn>,
    table: &Table,
    notation: Notation,
) -> Result<Vec<(String, String)>> {
    let once = notation == Notation::Latex && table.rows() > 1;
    let mut constants = Vec::new();
    let mut kept = Vec::new();
    for column in shown.drain(..) {
        let stored = find(table, &column.name)?;
        let is_empty = matches!(stored, Column::Float(v) if v.iter().all(|v| v.is_nan()));
        let same = column.cells.iter().all(|t| *t == column.cells[0]);
        let is_constant = same && (once || matches!(stored, Column::Text(_)));
        if is_constant && !is_empty {
            constants.push((heading(&column.name, notation), column.cells[0].clone()));
        }
        if !is_constant && !is_empty {
            kept.push(column);
        }
    }
    *shown = kept;
    Ok(constants)
}

/// The rows of columns under the setting, where it is no column, and what stands above them.
fn groups(
    table: &Table,
    shown: &[TextColumn],
    above: &[TextColumn],
    notation: Notation,
) -> Result<Vec<Group>> {
    let grouped = !shown.iter().any(|column| column.name == "setting");
    let (settings, structures) = (table.texts("setting")?, table.texts("structure")?);
    let mut groups: Vec<Group> = Vec::new();
    for row in 0..table.rows() {
        let mut name = String::new();
        if grouped {
            let own = structures[row].split('(').next() == Some(settings[row].as_str());
            let both = format!("{}: {}", settings[row], structures[row]);
            name = escape(if own { &structures[row] } else { &both }, notation);
            above.iter().for_each(|column| name += &format!("; {}", column.cells[row]));
        }
        let cells = shown.iter().map(|column| column.cells[row].clone()).collect();
        match groups.iter_mut().find(|g| g.name == name) {
            Some(group) => group.rows.push(cells),
            None => groups.push(Group { name, rows: vec![cells] }),
        }
    }
    Ok(groups)
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
    let mut missing_columns = Vec::new();
    for name in names {
        let is_missing = matches!(find(table, name)?, Column::Float(v) if v.iter().any(|v| v.is_nan()));
        missing_columns.push((name.as_str(), is_missing));
    }
    let latex = notation == Notation::Latex;
    let (dash, n) = if latex { ("--", "$n$") } else { ("–", "n") };
    let mut text = missing::sentence(missing_columns, bounds, dash, n);
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
        Notation::Latex => name.split(", ").map(term).collect::<Vec<_>>().join(", "),
        Notation::Plain => escape(&name, notation),
    }
}
