//! Colours (Okabe & Ito 2008, safe for colour-blind readers) and markers that differ too.

use plotters::style::RGBColor;

/// Series colours, dark enough on white.
pub const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(150, 110, 0),
    RGBColor(60, 60, 60),
];

/// Colour of series `i`.
pub fn colour(i: usize) -> RGBColor {
    COLOURS[i % COLOURS.len()]
}

/// Markers by shape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// Filled circle.
    Circle,
    /// Filled square.
    Square,
    /// Filled triangle.
    Triangle,
    /// Filled diamond.
    Diamond,
    /// Filled triangle, point down.
    TriangleDown,
    /// Filled hexagon.
    Hexagon,
}

/// Marker of series `i`.
pub fn marker(i: usize) -> Marker {
    const ALL: [Marker; 6] = [
        Marker::Circle,
        Marker::Square,
        Marker::Triangle,
        Marker::Diamond,
        Marker::TriangleDown,
        Marker::Hexagon,
    ];
    ALL[i % ALL.len()]
}

impl Marker {
    /// Corners of the marker around the origin for half-width `r`, y downwards.
    pub fn corners(self, r: f64) -> Vec<(f64, f64)> {
        let ring = |k: usize, turn: f64, radius: f64| {
            (0..k)
                .map(|i| {
                    let a = std::f64::consts::TAU * (i as f64 / k as f64) + turn;
                    (radius * a.sin(), -radius * a.cos())
                })
                .collect()
        };
        let quarter = std::f64::consts::FRAC_PI_4;
        match self {
            Self::Circle => ring(32, 0.0, r),
            Self::Square => ring(4, quarter, 1.25 * r),
            Self::Triangle => ring(3, 0.0, 1.3 * r),
            Self::Diamond => ring(4, 0.0, 1.35 * r),
            Self::TriangleDown => ring(3, std::f64::consts::PI, 1.3 * r),
            Self::Hexagon => ring(6, 0.0, 1.15 * r),
        }
    }
}
