//! The summary of a run as a table for a paper: LaTeX, Markdown, or CSV with all digits.

use std::str::FromStr;

use convstat_runner::{Column, Table};
use convstat_study::{Plan, Summary};

use super::columns::{HEADINGS, extended, find, standard_errors, usual};
use super::digits::{Notation, Uncertainty, number, with_error};
use crate::Result;
use crate::csv::line;

/// Formats of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// A `table` with booktabs rules.
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

/// The summary of a study as a table.
///
/// # Errors
/// A column that the summary does not have.
pub fn paper_table(
    plan: &Plan,
    summary: &Summary,
    format: TableFormat,
    options: &TableOptions,
) -> Result<String> {
    let table = extended(&summary.to_table(plan))?;
    match format {
        TableFormat::Csv => csv(&table, &options.columns),
        TableFormat::Markdown => Ok(markdown(&Shown::new(&table, options, Notation::Plain)?)),
        TableFormat::Latex => {
            let shown = Shown::new(&table, options, Notation::Latex)?;
            let info = &plan.file.study;
            let caption = options.caption.clone().unwrap_or_else(|| {
                let said = if info.aim.is_empty() { info.name.clone() } else { info.aim.clone() };
                escape_latex(&said) + &shown.legend(plan.replicates(), options.uncertainty)
            });
            let label = options.label.clone().unwrap_or_else(|| format!("tab:{}", info.name));
            Ok(latex(&shown, &caption, &label))
        }
    }
}

/// A table as texts, grouped by setting.
struct Shown {
    headings: Vec<String>,
    numeric: Vec<bool>,
    /// Setting with its structure, and its rows; one group without a name where the setting is a column.
    groups: Vec<(String, Vec<Vec<String>>)>,
    has_errors: bool,
}

impl Shown {
    fn new(table: &Table, options: &TableOptions, notation: Notation) -> Result<Self> {
        let names = if options.columns.is_empty() { usual(table) } else { options.columns.clone() };
        let heading = |name: &String| match (HEADINGS.iter().find(|h| h.name == name), notation) {
            (Some(h), Notation::Latex) => h.latex.to_owned(),
            (Some(h), Notation::Plain) => h.markdown.to_owned(),
            (None, _) => escape(&name.replace('_', " "), notation),
        };
        let columns: Vec<&Column> = names.iter().map(|n| find(table, n)).collect::<Result<_>>()?;
        let errors: Vec<Option<&[f64]>> = names.iter().map(|n| standard_errors(table, n)).collect();
        let cell = |c: usize, row: usize| match columns[c] {
            Column::Text(v) => escape(&v[row], notation),
            Column::Int(v) => v[row].to_string(),
            Column::Float(v) => match errors[c] {
                Some(se) => with_error(v[row], se[row], options.uncertainty, notation),
                None => number(v[row], notation),
            },
        };
        let grouped = !names.iter().any(|n| n == "setting");
        let (settings, structures) = (table.texts("setting")?, table.texts("structure")?);
        let mut groups: Vec<(String, Vec<Vec<String>>)> = Vec::new();
        for row in 0..table.rows() {
            let name = if grouped {
                let own = structures[row].split('(').next() == Some(settings[row].as_str());
                let both = format!("{}: {}", settings[row], structures[row]);
                escape(if own { &structures[row] } else { &both }, notation)
            } else {
                String::new()
            };
            let cells = (0..columns.len()).map(|c| cell(c, row)).collect();
            match groups.iter_mut().find(|g| g.0 == name) {
                Some(group) => group.1.push(cells),
                None => groups.push((name, vec![cells])),
            }
        }
        Ok(Self {
            headings: names.iter().map(heading).collect(),
            numeric: columns.iter().map(|c| !matches!(c, Column::Text(_))).collect(),
            groups,
            has_errors: errors.iter().flatten().next().is_some(),
        })
    }

    /// What a caption has to say.
    fn legend(&self, replicates: u64, uncertainty: Uncertainty) -> String {
        let how = match uncertainty {
            Uncertainty::Parentheses => "in parentheses",
            Uncertainty::PlusMinus => "behind $\\pm$",
            Uncertainty::None => return format!(" {replicates} replicates a cell."),
        };
        if self.has_errors {
            format!(" {replicates} replicates a cell; Monte Carlo standard errors {how}.")
        } else {
            format!(" {replicates} replicates a cell.")
        }
    }
}

fn markdown(shown: &Shown) -> String {
    let named = shown.groups.iter().any(|g| !g.0.is_empty());
    let line = |first: &str, cells: &[String]| {
        let all = named.then(|| first.to_owned()).into_iter().chain(cells.iter().cloned());
        format!("| {} |\n", all.collect::<Vec<_>>().join(" | "))
    };
    let rule: Vec<String> =
        shown.numeric.iter().map(|n| if *n { "---:" } else { "---" }.to_owned()).collect();
    let mut out = line("setting", &shown.headings) + &line("---", &rule);
    for (name, rows) in &shown.groups {
        for (i, row) in rows.iter().enumerate() {
            out += &line(if i == 0 { name } else { "" }, row);
        }
    }
    out
}

fn latex(shown: &Shown, caption: &str, label: &str) -> String {
    let spec: String = shown.numeric.iter().map(|n| if *n { 'r' } else { 'l' }).collect();
    let mut out = format!(
        "% needs \\usepackage{{booktabs}}\n\\begin{{table}}\n\\centering\n\\caption{{{caption}}}\n\\label{{{label}}}\n\
         \\begin{{tabular}}{{@{{}}{spec}@{{}}}}\n\\toprule\n{} \\\\\n\\midrule\n",
        shown.headings.join(" & ")
    );
    for (i, (name, rows)) in shown.groups.iter().enumerate() {
        if i > 0 {
            out += "\\addlinespace\n";
        }
        if !name.is_empty() {
            out += &format!("\\multicolumn{{{}}}{{@{{}}l}}{{{name}}} \\\\\n", shown.headings.len());
        }
        for row in rows {
            out += &format!("{} \\\\\n", row.join(" & "));
        }
    }
    out + "\\bottomrule\n\\end{tabular}\n\\end{table}\n"
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

/// Text in which LaTeX sees no command.
pub fn escape_latex(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' => out += "\\textbackslash{}",
            '~' => out += "\\textasciitilde{}",
            '^' => out += "\\textasciicircum{}",
            '<' => out += "\\textless{}",
            '>' => out += "\\textgreater{}",
            '|' => out += "\\textbar{}",
            '{' | '}' | '$' | '&' | '#' | '%' | '_' => out.extend(['\\', c]),
            // What statisticians write that a LaTeX font does not have outside mathematics.
            '√' => out += "$\\surd$",
            '≤' => out += "$\\le$",
            '≥' => out += "$\\ge$",
            'ρ' => out += "$\\rho$",
            'ν' => out += "$\\nu$",
            'σ' => out += "$\\sigma$",
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
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
