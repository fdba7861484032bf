//! Horizontal bars of three parts, a row each: the parameters of a network's blocks by what data say of them.

use crate::Canvas;
use crate::axis::{Axis, Line};
use crate::lettering::{text, width};
use crate::math;
use crate::shapes::{grid_line, rectangle};

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
        |f: &dyn Fn(&Bar) -> &String| bars.iter().map(|b| width(&math::text(f(b)), FONT)).fold(0.0, f64::max);
    let left = 10.0 + widest(&|b| &b.label);
    let right = 10.0 + widest(&|b| &b.note);
    let (top, height) = (34.0, ROW * bars.len() as f64);
    let size = ((left + WIDTH + right + 6.0).max(320.0), top + height + 34.0);
    let lengths: Vec<f64> = bars.iter().map(|b| b.parts.iter().sum()).chain([0.0]).collect();
    let scale = Axis::new(&lengths, false, true, Line { upright: false, length: WIDTH, font: FONT });
    let x = |v: f64| left + WIDTH * scale.share(v);
    let label = |x: f64, y: f64, anchor: &str, label: &str| text(x, y, anchor, 0.0, FONT, &math::text(label));
    let mut elements = vec![text(size.0 / 2.0, 11.0, "middle", 0.0, 9.0, &math::text(title))];
    let mut at = 8.0;
    for (part, colour) in parts.iter().zip(COLOURS) {
        elements.push(rectangle(at, 18.0, 8.0, 8.0, colour));
        elements.push(label(at + 11.0, 25.0, "start", part));
        at += 24.0 + width(&math::text(part), FONT);
    }
    for (share, tick) in scale.ticks() {
        let x = left + WIDTH * share;
        elements.push(grid_line(&[(x, top), (x, top + height)]));
        elements.push(label(x, top + height + 10.0, "middle", tick));
    }
    for (i, bar) in bars.iter().enumerate() {
        let y = top + ROW * i as f64;
        elements.push(label(left - 4.0, y + 8.0, "end", &bar.label));
        let mut end = 0.0;
        for (length, colour) in bar.parts.iter().zip(COLOURS) {
            elements.push(rectangle(x(end), y + 1.5, x(end + length) - x(end), ROW - 3.0, colour));
            end += length;
        }
        elements.push(label(x(end) + 4.0, y + 8.0, "start", &bar.note));
    }
    elements.push(label(left + WIDTH / 2.0, top + height + 24.0, "middle", axis));
    Canvas::new(name, alt, size, elements)
}
