//! Tables of the page: a caption, headers with scope, a box of its own to scroll in, columns that sort.

use maud::{Markup, PreEscaped, Render, html};

use crate::digits::{self, Style};

/// A column.
#[derive(Debug, Clone)]
pub struct Column {
    head: Markup,
    /// Numbers, set flush right.
    numeric: bool,
}

impl Column {
    /// Of texts.
    pub fn text(head: impl Render) -> Self {
        Self { head: head.render(), numeric: false }
    }

    /// Of numbers.
    pub fn number(head: impl Render) -> Self {
        Self { head: head.render(), numeric: true }
    }
}

/// A cell of a table.
#[derive(Debug, Clone)]
pub struct Cell {
    html: Markup,
    /// Longer than a line.
    is_long: bool,
    /// By what its column sorts; the text where there is none.
    value: Option<f64>,
}

impl Cell {
    /// Text, or markup.
    pub fn text(text: impl Render) -> Self {
        Self { html: text.render(), is_long: false, value: None }
    }

    /// Text that may take several lines.
    pub fn long(text: impl Render) -> Self {
        Self { is_long: true, ..Self::text(text) }
    }

    /// A number as `shown`.
    pub fn number(value: f64, shown: impl Render) -> Self {
        Self { value: Some(value), ..Self::text(shown) }
    }

    /// A value with its Monte Carlo standard error.
    pub fn measured((value, error): (f64, f64)) -> Self {
        Self::number(value, digits::measured(value, error, Style::PAGE))
    }

    /// A share of `count` replicates with its Monte Carlo standard error.
    pub fn share((value, error): (f64, f64), count: usize) -> Self {
        Self::number(value, digits::share(value, error, count, Style::PAGE))
    }

    /// A value of theory with the standard error of its simulation.
    pub fn theory(value: f64, error: f64) -> Self {
        Self::number(value, digits::theory(value, error, Style::PAGE))
    }

    /// A whole number, or a dash.
    pub fn count(count: impl Into<Option<usize>>) -> Self {
        match count.into() {
            Some(count) => Self::number(count as f64, count),
            None => Self::number(f64::NAN, "–"),
        }
    }
}

/// Takes the columns of these heads out where all rows say the same, and says it once: `Design: normal.`
pub fn without_constants(heads: &[&str], columns: &mut Vec<Column>, rows: &mut [Vec<Cell>]) -> Markup {
    let mut constants = Vec::new();
    if rows.len() < 2 {
        return Markup::default();
    }
    for head in heads {
        let Some(c) = columns.iter().position(|column| column.head.0 == *head) else { continue };
        if rows.iter().any(|row| row[c].html.0 != rows[0][c].html.0) {
            continue;
        }
        if rows[0][c].html.0 != "–" {
            constants.push((head, rows[0][c].html.clone()));
        }
        columns.remove(c);
        rows.iter_mut().for_each(|row| drop(row.remove(c)));
    }
    html! { @for (head, value) in constants { " " (head) ": " (value) "." } }
}

/// Characters of a line of a table that fit a page in portrait.
const PORTRAIT: usize = 125;

/// Whether a table is too wide for a page in portrait: by its widest cells, with the space between columns.
fn is_wide(columns: &[Column], rows: &[Vec<Cell>]) -> bool {
    const SPACE: usize = 2;
    const LONG: usize = 40;
    let shown = |PreEscaped(html): &Markup| {
        html.split('<').map(|t| t.rsplit('>').next().unwrap_or(t).chars().count()).sum::<usize>()
    };
    // Heads break between words.
    let word =
        |head: &Markup| head.0.split(' ').map(|word| shown(&PreEscaped(word.to_owned()))).max().unwrap_or(0);
    let width = |(c, column): (usize, &Column)| {
        let cells = rows.iter().map(|row| if row[c].is_long { LONG } else { shown(&row[c].html) });
        cells.chain([word(&column.head)]).max().unwrap_or(0) + SPACE
    };
    columns.iter().enumerate().map(width).sum::<usize>() > PORTRAIT
}

/// A table whose first column names its rows. `id` is unique among tables.
pub fn table(id: &str, caption: impl Render, columns: &[Column], rows: &[Vec<Cell>]) -> Markup {
    table_with_notes(id, caption, columns, rows, &Markup::default())
}

/// [`table`] with notes below it; none where they are empty.
pub fn table_with_notes(
    id: &str,
    caption: impl Render,
    columns: &[Column],
    rows: &[Vec<Cell>],
    notes: &Markup,
) -> Markup {
    let class = |numeric: bool| numeric.then_some("num");
    let caption_id = format!("table-{id}-caption");
    html! {
        figure class={ "table" @if is_wide(columns, rows) { " wide" } } {
            figcaption id=(caption_id) { (caption) }
            div class="scroll" tabindex="0" role="region" aria-labelledby=(caption_id) {
                // One row needs no sorting.
                table id={ "table-" (id) } class=[(rows.len() > 1).then_some("sortable")] aria-labelledby=(caption_id) {
                    thead { tr { @for c in columns { th scope="col" class=[class(c.numeric)] { (c.head) } } } }
                    tbody {
                        @for row in rows {
                            tr {
                                @for (i, (cell, column)) in row.iter().zip(columns).enumerate() {
                                    @let class = if cell.is_long { Some("long") } else { class(column.numeric) };
                                    @let value = cell.value.map(sorted_by);
                                    @if i == 0 {
                                        th scope="row" class=[class] data-v=[value] { (cell.html) }
                                    } @else {
                                        td class=[class] data-v=[value] { (cell.html) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
            @if !notes.0.is_empty() { p class="notes" { (notes) } }
        }
    }
}

/// A value as the script reads it; nothing for what is not a number.
fn sorted_by(value: f64) -> String {
    if value.is_nan() { String::new() } else { value.to_string() }
}

/// A list of terms and what they are.
pub fn terms(pairs: &[(&str, Markup)]) -> Markup {
    html! { dl { @for (term, text) in pairs { div { dt { (term) } dd { (text) } } } } }
}
