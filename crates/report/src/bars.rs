//! Horizontal bars of three parts, a row each: the parameters of a network's blocks by what data say of them.

use plotters::coord::ranged1d::{BoldPoints, Ranged};

use crate::Canvas;
use crate::axis::Axis;
use crate::canvas::{UNITS, register_fonts};
use crate::math::escape;
use crate::palette::colour;

/// A row.
#[derive(Debug, Clone)]
pub struct Bar {
    /// What it is of.
    pub label: String,
    /// Lengths of the parts, one behind the other.
    pub parts: [f64; 3],
    /// Written behind the bar.
    pub note: String,
}

/// Height of a row, points.
const ROW: f64 = 11.0;
/// Font size, points.
const FONT: f64 = 7.5;
/// Width of the longest bar, points.
const WIDTH: f64 = 250.0;
/// Width of a character of the labels, about.
const LETTER: f64 = 4.6;

/// Places in the palette of the parts' colours.
const COLOURS: [usize; 3] = [0, 4, 1];

/// Draws bars from top to bottom under a title and a legend of the parts; `axis` says what their lengths are.
pub fn draw_bars(name: &str, alt: &str, title: &str, parts: [&str; 3], axis: &str, bars: &[Bar]) -> Canvas {
    register_fonts();
    let widest = |f: &dyn Fn(&Bar) -> &String| bars.iter().map(|b| f(b).chars().count()).max().unwrap_or(0);
    let left = 8.0 + LETTER * widest(&|b| &b.label) as f64;
    let right = 8.0 + LETTER * widest(&|b| &b.note) as f64;
    let (top, height) = (34.0, ROW * bars.len() as f64);
    let size = ((left + WIDTH + right + 6.0).max(320.0), top + height + 34.0);
    let lengths: Vec<f64> = bars.iter().map(|b| b.parts.iter().sum()).chain([0.0]).collect();
    let scale = Axis::new(&lengths, false, true, &[]);
    let longest = scale.range().end;
    let x = |v: f64| left + WIDTH * v / longest;
    let mut body = String::new();
    let text = |x: f64, y: f64, anchor: &str, size: f64, content: &str| {
        format!(
            "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"{:.1}\" text-anchor=\"{anchor}\" fill=\"#222\">{}</text>",
            x * UNITS,
            y * UNITS,
            size * UNITS,
            escape(content)
        )
    };
    let rectangle = |x0: f64, y0: f64, width: f64, height: f64, fill: usize| {
        let c = colour(fill);
        format!(
            "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"#{:02x}{:02x}{:02x}\"/>",
            x0 * UNITS,
            y0 * UNITS,
            width.max(0.0) * UNITS,
            height * UNITS,
            c.0,
            c.1,
            c.2
        )
    };
    body += &text(size.0 / 2.0, 11.0, "middle", 9.0, title);
    let mut at = 8.0;
    for (i, part) in parts.iter().enumerate() {
        body += &rectangle(at, 18.0, 8.0, 8.0, COLOURS[i]);
        body += &text(at + 11.0, 25.0, "start", FONT, part);
        at += 24.0 + LETTER * part.chars().count() as f64;
    }
    for tick in scale.key_points(BoldPoints(6)) {
        let place = x(tick) * UNITS;
        body += &format!(
            "<line x1=\"{place:.1}\" y1=\"{:.1}\" x2=\"{place:.1}\" y2=\"{:.1}\" stroke=\"#ddd\" stroke-width=\"{:.1}\"/>",
            top * UNITS,
            (top + height) * UNITS,
            0.5 * UNITS
        );
        body += &text(x(tick), top + height + 10.0, "middle", FONT, &short(tick));
    }
    for (i, bar) in bars.iter().enumerate() {
        let y = top + ROW * i as f64;
        body += &text(left - 4.0, y + 8.0, "end", FONT, &bar.label);
        let mut end = 0.0;
        for (part, length) in bar.parts.iter().enumerate() {
            body += &rectangle(x(end), y + 1.5, x(end + length) - x(end), ROW - 3.0, COLOURS[part]);
            end += length;
        }
        let end = x(end);
        body += &text(end + 4.0, y + 8.0, "start", FONT, &bar.note);
    }
    body += &text(left + WIDTH / 2.0, top + height + 24.0, "middle", FONT, axis);
    Canvas::new(name, alt, size, body)
}

/// A count as a tick says it.
fn short(v: f64) -> String {
    let trim = |v: f64| {
        let text = format!("{v:.1}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match v {
        v if v >= 1e6 => format!("{} M", trim(v / 1e6)),
        v if v >= 1e3 => format!("{} k", trim(v / 1e3)),
        v => trim(v),
    }
}
