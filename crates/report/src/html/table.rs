//! Tables of the page: a caption, headers with scope, a box of its own to scroll in, columns that sort.

use super::digits;
use super::escape::escape;

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
        Self::number(value, &digits::with_error(value, error))
    }

    /// A whole number, or a dash.
    pub fn count(count: impl Into<Option<usize>>) -> Self {
        match count.into() {
            Some(count) => Self::number(count as f64, &count.to_string()),
            None => Self::number(f64::NAN, "–"),
        }
    }
}

/// A table whose first column names its rows. `caption` is HTML; `id` is unique among tables.
pub fn table(id: &str, caption: &str, columns: &[Column], rows: &[Vec<Cell>]) -> String {
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
    format!(
        "<figure class=\"table\">\n<figcaption id=\"table-{id}-caption\">{caption}</figcaption>\n<div class=\"scroll\" tabindex=\"0\" \
         role=\"region\" aria-labelledby=\"table-{id}-caption\">\n<table id=\"table-{id}\"{sortable} aria-labelledby=\"table-{id}-caption\">\n\
         <thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n</figure>\n"
    )
}

/// A list of terms and what they are, both HTML.
pub fn terms(pairs: &[(&str, String)]) -> String {
    let items: String = pairs.iter().map(|(k, v)| format!("<div><dt>{k}</dt><dd>{v}</dd></div>\n")).collect();
    format!("<dl>\n{items}</dl>\n")
}
