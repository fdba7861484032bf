//! Lines and markers as SVG elements, in points.

use plotters::style::RGBColor;

use crate::palette::{colour, marker};
use crate::units::UNITS;

/// Width of curves and half-width of markers, points.
pub(crate) const LINE: f64 = 1.1;
pub(crate) const MARKER: f64 = 2.4;

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stroke {
    Solid,
    Dashed,
    Dotted,
}

impl Stroke {
    /// Lengths of its strokes and of the gaps between them in points; none where it has no gaps.
    pub fn dash(self) -> Option<(f64, f64)> {
        match self {
            Self::Solid => None,
            Self::Dashed => Some((4.0, 2.0)),
            Self::Dotted => Some((1.1, 1.9)),
        }
    }
}

/// Colour of series `style` as SVG writes it.
fn rgb(style: usize) -> String {
    let RGBColor(r, g, b) = colour(style);
    format!("rgb({r},{g},{b})")
}

/// A line through points in the colour of a series, `width` points wide.
pub(crate) fn stroke(points: &[(f64, f64)], style: usize, width: f64, kind: Stroke) -> String {
    polyline(points, &rgb(style), width, kind)
}

/// A light line of a grid.
pub(crate) fn grid_line(points: &[(f64, f64)]) -> String {
    polyline(points, "#ddd", 0.5, Stroke::Solid)
}

fn polyline(points: &[(f64, f64)], colour: &str, width: f64, kind: Stroke) -> String {
    let places: Vec<String> =
        points.iter().map(|(x, y)| format!("{:.1},{:.1}", x * UNITS, y * UNITS)).collect();
    let dash = kind.dash().map_or_else(String::new, |(on, off)| {
        format!(" stroke-dasharray=\"{:.1} {:.1}\"", on * UNITS, off * UNITS)
    });
    format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{:.1}\"{dash}/>",
        places.join(" "),
        width * UNITS
    )
}

/// The marker of a series around a point, of half-width `r`.
pub(crate) fn symbol(x: f64, y: f64, r: f64, style: usize) -> String {
    let corners: Vec<String> = marker(style)
        .corners(r)
        .iter()
        .map(|(dx, dy)| format!("{:.1},{:.1}", (x + dx) * UNITS, (y + dy) * UNITS))
        .collect();
    format!("<polygon points=\"{}\" fill=\"{}\"/>", corners.join(" "), rgb(style))
}
