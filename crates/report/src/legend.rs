//! The legend over the panels of a figure.

use maud::{Markup, html};

use crate::lettering::{FONT, from_left, height, lines, width};
use crate::panel::{LegendEntry, Symbol};
use crate::shapes::{LINE, MARKER, Stroke, stroke, symbol};

/// Figures narrower than this have their legend at the very left.
const NARROW: f64 = 300.0;
/// Left edges of the legend.
const LEFT: [f64; 2] = [10.0, 46.0];
/// Length of the line of a symbol, from its left end to the text, and from a text to the next symbol, points.
const LENGTH: f64 = 18.0;
const INDENT: f64 = 22.0;
const GAP: f64 = 14.0;

/// The legend in as few lines as fit; returns its SVG and height.
pub(crate) fn draw_legend(figure_width: f64, entries: &[LegendEntry]) -> (Markup, f64) {
    let mut drawn = Vec::new();
    let left = LEFT[usize::from(figure_width >= NARROW)];
    let right = figure_width - 4.0;
    let (mut x, mut y) = (left, 12.0);
    for entry in entries {
        let indent = if matches!(entry.symbol, Symbol::Nothing | Symbol::Heading) { 0.0 } else { INDENT };
        let words = lines(&entry.text, FONT, right - left - indent);
        let needed = indent + words.iter().map(|line| width(line, FONT)).fold(0.0, f64::max);
        let is_new = entry.symbol == Symbol::Heading || x + needed > right;
        if x > left && is_new {
            x = left;
            y += height(1, FONT);
        }
        drawn.push(draw_symbol(entry, x, y - 3.0));
        drawn.push(from_left(x + indent, y, FONT, right - left - indent, &words));
        // What follows an entry of several lines begins below them.
        if words.len() > 1 {
            x = left;
            y += height(words.len(), FONT);
        } else {
            x += needed + GAP;
        }
    }
    let is_begun = x > left;
    let bottom = y + 6.0 - if is_begun { 0.0 } else { height(1, FONT) };
    (html! { @for element in drawn { (element) } }, if entries.is_empty() { 2.0 } else { bottom })
}

/// The symbol of an entry, its left end at a place.
fn draw_symbol(entry: &LegendEntry, x: f64, y: f64) -> Markup {
    let line = |kind| stroke(&[(x, y), (x + LENGTH, y)], entry.style, LINE, kind);
    let marker = || symbol(x + LENGTH / 2.0, y, MARKER, entry.style);
    match entry.symbol {
        Symbol::Marker => marker(),
        Symbol::MarkerLine => html! { (line(Stroke::Solid)) (marker()) },
        Symbol::Line => line(Stroke::Solid),
        Symbol::Dashed => line(Stroke::Dashed),
        Symbol::Dotted => line(Stroke::Dotted),
        Symbol::Nothing | Symbol::Heading => Markup::default(),
    }
}
