//! Lines and markers as SVG elements, in points.

use maud::{Markup, html};
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
pub(crate) fn stroke(points: &[(f64, f64)], style: usize, width: f64, kind: Stroke) -> Markup {
    polyline(points, &rgb(style), width, kind)
}

/// A light line of a grid.
pub(crate) fn grid_line(points: &[(f64, f64)]) -> Markup {
    polyline(points, "#ddd", 0.5, Stroke::Solid)
}

fn polyline(points: &[(f64, f64)], colour: &str, width: f64, kind: Stroke) -> Markup {
    let dash = kind.dash().map(|(on, off)| format!("{:.1} {:.1}", on * UNITS, off * UNITS));
    html! {
        polyline points=(places(points)) fill="none" stroke=(colour) stroke-width=(format!("{:.1}", width * UNITS))
            stroke-dasharray=[dash] {}
    }
}

/// Points as SVG writes them.
fn places(points: &[(f64, f64)]) -> String {
    points.iter().map(|(x, y)| format!("{:.1},{:.1}", x * UNITS, y * UNITS)).collect::<Vec<_>>().join(" ")
}

/// A rectangle in the colour of a series.
pub(crate) fn rectangle(left: f64, top: f64, width: f64, height: f64, style: usize) -> Markup {
    let [x, y, width, height] =
        [left, top, width.max(0.0), height].map(|points| format!("{:.1}", points * UNITS));
    html! { rect x=(x) y=(y) width=(width) height=(height) fill=(rgb(style)) {} }
}

/// The marker of a series around a point, of half-width `r`.
pub(crate) fn symbol(x: f64, y: f64, r: f64, style: usize) -> Markup {
    let corners: Vec<(f64, f64)> = marker(style).corners(r).iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
    html! { polygon points=(places(&corners)) fill=(rgb(style)) {} }
}
