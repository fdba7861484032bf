//! What a figure is made of: panels with series of points and curves, and the entries of a legend.

use crate::math::Label;
use crate::shapes::Stroke;

/// A measured point.
#[derive(Debug, Clone, Copy)]
pub struct Point {
    /// Abscissa.
    pub x: f64,
    /// Ordinate.
    pub y: f64,
    /// Half-length of the error bar.
    pub error: f64,
}

impl Point {
    /// Whether it has a value to draw.
    pub(crate) fn is_drawn(&self) -> bool {
        self.y.is_finite()
    }
}

/// What a series looks like and holds.
#[derive(Debug, Clone)]
pub enum Mark {
    /// Points with error bars.
    Points(Vec<Point>),
    /// A solid curve.
    Curve(Vec<(f64, f64)>),
    /// A dashed curve.
    Dashed(Vec<(f64, f64)>),
    /// A dotted curve.
    Dotted(Vec<(f64, f64)>),
    /// A level stroke over the slot of each value.
    Levels(Vec<(f64, f64)>),
}

impl Mark {
    /// The corners of a line, and how it is drawn; none of points.
    pub(crate) fn line(&self) -> Option<(&[(f64, f64)], Stroke)> {
        match self {
            Self::Points(_) => None,
            Self::Curve(points) | Self::Levels(points) => Some((points, Stroke::Solid)),
            Self::Dashed(points) => Some((points, Stroke::Dashed)),
            Self::Dotted(points) => Some((points, Stroke::Dotted)),
        }
    }

    /// Pieces of a curve between values that are not there.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = &[(f64, f64)]> {
        let points = self.line().map_or(&[][..], |(points, _)| points);
        points.split(|(x, y)| !x.is_finite() || !y.is_finite()).filter(|piece| !piece.is_empty())
    }
}

/// A series: one colour and marker for all panels of a figure.
#[derive(Debug, Clone)]
pub struct Series {
    /// Number that gives colour and marker.
    pub style: usize,
    /// What is drawn.
    pub mark: Mark,
}

/// A panel.
#[derive(Debug, Clone, Default)]
pub struct Panel {
    /// Title.
    pub title: Label,
    /// Label of the abscissa.
    pub x_label: Label,
    /// Label of the ordinate.
    pub y_label: Label,
    /// Its series.
    pub series: Vec<Series>,
    /// Logarithmic ordinate.
    pub log_y: bool,
    /// Logarithmic abscissa.
    pub log_x: bool,
    /// Ticks of the abscissa; chosen where there are none.
    pub x_ticks: Vec<f64>,
    /// The abscissa has grid lines and no labels.
    pub bare_x: bool,
    /// A linear ordinate starts at 0.
    pub from_zero: bool,
    /// Ordinates that the axis holds besides those of the series, so that panels have one scale.
    pub y_holds: Vec<f64>,
    /// Values of the abscissa that have a slot each, in their order; points of several series stand side by side in it.
    pub x_slots: Vec<f64>,
}

/// An entry of a legend.
#[derive(Debug, Clone)]
pub struct LegendEntry {
    /// Text.
    pub text: Label,
    /// Colour and marker number.
    pub style: usize,
    /// Which symbol.
    pub symbol: Symbol,
}

/// The symbol of a legend entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol {
    /// A marker.
    Marker,
    /// A marker on a line.
    MarkerLine,
    /// A line.
    Line,
    /// A dashed line.
    Dashed,
    /// A dotted line.
    Dotted,
    /// Text alone.
    Nothing,
    /// Text alone that begins a line.
    Heading,
}

impl Panel {
    /// All coordinates that are drawn.
    pub(crate) fn extents(&self) -> (Vec<f64>, Vec<f64>) {
        let (mut xs, mut ys) = (Vec::new(), self.y_holds.clone());
        for series in &self.series {
            if let Mark::Points(points) = &series.mark {
                for p in points.iter().filter(|p| p.is_drawn()) {
                    xs.push(p.x);
                    ys.extend([p.y - p.error.max(0.0), p.y + p.error.max(0.0)]);
                }
            }
            for &(x, y) in series.mark.pieces().flatten() {
                xs.push(x);
                ys.push(y);
            }
        }
        (xs, ys)
    }

    /// Whether a curve has a value without neighbours, which is drawn as a short level line.
    pub(crate) fn has_short_line(&self) -> bool {
        let curves = self.series.iter().filter(|s| !matches!(s.mark, Mark::Levels(_)));
        curves.flat_map(|s| s.mark.pieces()).any(|piece| piece.len() == 1)
    }
}
