//! Lines and markers as SVG elements, in points, for figures that plotters has no chart of.

use plotters::style::RGBColor;

use crate::canvas::UNITS;
use crate::palette::{colour, marker};

/// Colour of series `style` as SVG writes it.
fn rgb(style: usize) -> String {
    let RGBColor(r, g, b) = colour(style);
    format!("rgb({r},{g},{b})")
}

/// A line through points in the colour of a series, `width` points wide.
pub(crate) fn line(points: &[(f64, f64)], style: usize, width: f64) -> String {
    stroke(points, &rgb(style), width, "")
}

/// A dashed line through points.
pub(crate) fn dashed(points: &[(f64, f64)], style: usize, width: f64) -> String {
    let dash = format!(" stroke-dasharray=\"{} {}\"", 3.0 * UNITS, 2.0 * UNITS);
    stroke(points, &rgb(style), width, &dash)
}

/// A light line of a grid.
pub(crate) fn grid_line(points: &[(f64, f64)]) -> String {
    stroke(points, "#ddd", 0.5, "")
}

fn stroke(points: &[(f64, f64)], colour: &str, width: f64, more: &str) -> String {
    let places: Vec<String> =
        points.iter().map(|(x, y)| format!("{:.1},{:.1}", x * UNITS, y * UNITS)).collect();
    format!(
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{:.1}\"{more}/>",
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
