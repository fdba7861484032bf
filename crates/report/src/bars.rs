//! Horizontal bars of three parts, a row each: the parameters of a network's blocks by what data say of them.

use crate::Canvas;
use crate::axis::{Axis, Line};
use crate::lettering::{text, width};
use crate::math::escape;
use crate::palette::colour;
use crate::shapes::grid_line;
use crate::units::UNITS;

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

/// Places in the palette of the parts' colours.
const COLOURS: [usize; 3] = [0, 4, 1];

/// Draws bars from top to bottom under a title and a legend of the parts; `axis` says what their lengths are.
pub fn draw_bars(name: &str, alt: &str, title: &str, parts: [&str; 3], axis: &str, bars: &[Bar]) -> Canvas {
    let widest =
        |f: &dyn Fn(&Bar) -> &String| bars.iter().map(|b| width(&escape(f(b)), FONT)).fold(0.0, f64::max);
    let left = 10.0 + widest(&|b| &b.label);
    let right = 10.0 + widest(&|b| &b.note);
    let (top, height) = (34.0, ROW * bars.len() as f64);
    let size = ((left + WIDTH + right + 6.0).max(320.0), top + height + 34.0);
    let lengths: Vec<f64> = bars.iter().map(|b| b.parts.iter().sum()).chain([0.0]).collect();
    let scale = Axis::new(&lengths, false, true, Line { upright: false, length: WIDTH, font: FONT });
    let x = |v: f64| left + WIDTH * scale.share(v);
    let mut body = String::new();
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
    body += &text(size.0 / 2.0, 11.0, "middle", 0.0, 9.0, &escape(title));
    let mut at = 8.0;
    for (i, part) in parts.iter().enumerate() {
        body += &rectangle(at, 18.0, 8.0, 8.0, COLOURS[i]);
        body += &text(at + 11.0, 25.0, "start", 0.0, FONT, &escape(part));
        at += 24.0 + width(&escape(part), FONT);
    }
    for (share, label) in scale.ticks() {
        let x = left + WIDTH * share;
        body += &grid_line(&[(x, top), (x, top + height)]);
        body += &text(x, top + height + 10.0, "middle", 0.0, FONT, label);
    }
    for (i, bar) in bars.iter().enumerate() {
        let y = top + ROW * i as f64;
        body += &text(left - 4.0, y + 8.0, "end", 0.0, FONT, &escape(&bar.label));
        let mut end = 0.0;
        for (part, length) in bar.parts.iter().enumerate() {
            body += &rectangle(x(end), y + 1.5, x(end + length) - x(end), ROW - 3.0, COLOURS[part]);
            end += length;
        }
        body += &text(x(end) + 4.0, y + 8.0, "start", 0.0, FONT, &escape(&bar.note));
    }
    body += &text(left + WIDTH / 2.0, top + height + 24.0, "middle", 0.0, FONT, &escape(axis));
    Canvas::new(name, alt, size, body)
}
