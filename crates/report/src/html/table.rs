//! Tables of the page: a caption, headers with scope, a box of its own to scroll in, columns that sort.

use super::escape::escape;
use crate::digits::{self, Style};

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Header as HTML.
    head: String,
    /// Numbers, set flush right.
    numeric: bool,
}

impl Column {
    /// Of texts; `head` is HTML.
    pub fn text(head: &str) -> Self {
        Self { head: head.to_owned(), numeric: false }
    }

    /// Of numbers; `head` is HTML.
    pub fn number(head: &str) -> Self {
        Self { head: head.to_owned(), numeric: true }
    }
}

/// A cell of a table.
#[derive(Debug, Clone)]
pub struct Cell {
    html: String,
    /// Longer than a line.
    is_long: bool,
    /// By what its column sorts; the text where there is none.
    value: Option<f64>,
}

impl Cell {
    /// Text as it is.
    pub fn text(text: &str) -> Self {
        Self { html: escape(text), is_long: false, value: None }
    }

    /// Text that may take several lines.
    pub fn long(text: &str) -> Self {
        Self { is_long: true, ..Self::text(text) }
    }

    /// HTML.
    pub fn html(html: impl Into<String>) -> Self {
        Self { html: html.into(), is_long: false, value: None }
    }

    /// A number as `shown`.
    pub fn number(value: f64, shown: &str) -> Self {
        Self { value: Some(value), ..Self::text(shown) }
    }

    /// A value with its Monte Carlo standard error.
    pub fn measured((value, error): (f64, f64)) -> Self {
        Self::number(value, &digits::measured(value, error, Style::PAGE))
    }

    /// A share of `count` replicates with its Monte Carlo standard error.
    pub fn share((value, error): (f64, f64), count: usize) -> Self {
        Self::number(value, &digits::share(value, error, count, Style::PAGE))
    }

    /// A value of theory with the standard error of its simulation.
    pub fn theory(value: f64, error: f64) -> Self {
        Self::number(value, &digits::theory(value, error, Style::PAGE))
    }

    /// A whole number, or a dash.
    pub fn count(count: impl Into<Option<usize>>) -> Self {
        match count.into() {
            Some(count) => Self::number(count as f64, &count.to_string()),
            None => Self::number(f64::NAN, "–"),
        }
    }
}

/// Takes the columns of these heads out where all rows say the same, and says it once: `Design: normal.`
pub fn without_constants(heads: &[&str], columns: &mut Vec<Column>, rows: &mut [Vec<Cell>]) -> String {
    let mut said = String::new();
    if rows.len() < 2 {
        return said;
    }
    for head in heads {
        let Some(c) = columns.iter().position(|column| column.head == *head) else { continue };
        if rows.iter().any(|row| row[c].html != rows[0][c].html) {
            continue;
        }
        if rows[0][c].html != "–" {
            said += &format!(" {head}: {}.", rows[0][c].html);
        }
        columns.remove(c);
        rows.iter_mut().for_each(|row| drop(row.remove(c)));
    }
    said
}

/// Characters of a line of a table that fit a page in portrait.
const PORTRAIT: usize = 125;

/// Whether a table is too wide for a page in portrait: by its widest cells, with the space between columns.
fn is_wide(columns: &[Column], rows: &[Vec<Cell>]) -> bool {
    const SPACE: usize = 2;
    const LONG: usize = 40;
    let shown = |html: &str| {
        html.split('<').map(|t| t.rsplit('>').next().unwrap_or(t).chars().count()).sum::<usize>()
    };
    // Heads break between words.
    let word = |head: &str| head.split(' ').map(shown).max().unwrap_or(0);
    let width = |(c, column): (usize, &Column)| {
        let cells = rows.iter().map(|row| if row[c].is_long { LONG } else { shown(&row[c].html) });
        cells.chain([word(&column.head)]).max().unwrap_or(0) + SPACE
    };
    columns.iter().enumerate().map(width).sum::<usize>() > PORTRAIT
}

/// A table whose first column names its rows. `caption` is HTML; `id` is unique among tables.
pub fn table(id: &str, caption: &str, columns: &[Column], rows: &[Vec<Cell>]) -> String {
    table_with_notes(id, caption, columns, rows, "")
}

/// [`table`] with notes below it, HTML; none where they are empty.
pub fn table_with_notes(
    id: &str,
    caption: &str,
    columns: &[Column],
    rows: &[Vec<Cell>],
    notes: &str,
) -> String {
    let class = |numeric: bool| if numeric { " class=\"num\"" } else { "" };
    let head: String =
        columns.iter().map(|c| format!("<th scope=\"col\"{}>{}</th>", class(c.numeric), c.head)).collect();
    let body: String = rows
        .iter()
        .map(|row| {
            let cells = row.iter().zip(columns).enumerate().map(|(i, (cell, column))| {
                let value = cell.value.map_or_else(String::new, |v| {
                    let v = if v.is_nan() { String::new() } else { v.to_string() };
                    format!(" data-v=\"{v}\"")
                });
                let class = if cell.is_long { " class=\"long\"" } else { class(column.numeric) };
                if i == 0 {
                    format!("<th scope=\"row\"{class}{value}>{}</th>", cell.html)
                } else {
                    format!("<td{class}{value}>{}</td>", cell.html)
                }
            });
            format!("<tr>{}</tr>\n", cells.collect::<String>())
        })
        .collect();
    // One row needs no sorting.
    let sortable = if rows.len() > 1 { " class=\"sortable\"" } else { "" };
    let notes = if notes.is_empty() { String::new() } else { format!("<p class=\"notes\">{notes}</p>\n") };
    let wide = if is_wide(columns, rows) { " wide" } else { "" };
    format!(
        "<figure class=\"table{wide}\">\n<figcaption id=\"table-{id}-caption\">{caption}</figcaption>\n<div class=\"scroll\" tabindex=\"0\" \
         role=\"region\" aria-labelledby=\"table-{id}-caption\">\n<table id=\"table-{id}\"{sortable} aria-labelledby=\"table-{id}-caption\">\n\
         <thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n{notes}</figure>\n"
    )
}

/// A list of terms and what they are, both HTML.
pub fn terms(pairs: &[(&str, String)]) -> String {
    let items: String = pairs.iter().map(|(k, v)| format!("<div><dt>{k}</dt><dd>{v}</dd></div>\n")).collect();
    format!("<dl>\n{items}</dl>\n")
}
