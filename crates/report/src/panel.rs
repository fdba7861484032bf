//! One panel: axes with ticks, series of points with error bars, curves; and a legend.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::FontDesc;

use crate::axis::Axis;
use crate::canvas::{UNITS, register_fonts};
use crate::drawing::{Drawing, DrawnPanel};
use crate::palette::{Marker, colour, marker};
use crate::{ReportError, Result};

/// Font size of labels, points.
pub(crate) const FONT: f64 = 9.0;
/// Line width of curves, points.
const LINE: f64 = 1.1;
/// Half-width of markers, points.
const MARKER: f64 = 2.4;

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
    /// Title, SVG spans.
    pub title: String,
    /// Label of the abscissa, SVG spans.
    pub x_label: String,
    /// Label of the ordinate, SVG spans.
    pub y_label: String,
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
    /// Points of several series at one abscissa stand side by side, so that those on top of each other are seen: by this
    /// factor.
    pub apart: Option<f64>,
}

impl Panel {
    /// By which each series' points are moved along the abscissa, 1 where they are not.
    fn asides(&self) -> Vec<f64> {
        let are_points = |s: &Series| matches!(s.mark, Mark::Points(_));
        let middle = 0.5 * (self.series.iter().filter(|s| are_points(s)).count() as f64 - 1.0);
        let mut place = 0.0;
        let aside = |s: &Series| {
            let Some(factor) = self.apart.filter(|_| are_points(s)) else { return 1.0 };
            let aside = factor.powf(place - middle);
            place += 1.0;
            aside
        };
        self.series.iter().map(aside).collect()
    }
}

/// An entry of a legend.
#[derive(Debug, Clone)]
pub struct LegendEntry {
    /// Text, SVG spans.
    pub text: String,
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
    /// Text alone.
    Nothing,
}

fn u(points: f64) -> i32 {
    (points * UNITS).round() as i32
}

/// SVG text at a place in points.
pub(crate) fn text(x: f64, y: f64, anchor: &str, turn: f64, size: f64, spans: &str) -> String {
    let (x, y, size) = (x * UNITS, y * UNITS, size * UNITS);
    let rotate =
        if turn == 0.0 { String::new() } else { format!(" transform=\"rotate({turn} {x:.1} {y:.1})\"") };
    format!(
        "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size:.1}\" text-anchor=\"{anchor}\" fill=\"#222\"{rotate}>{spans}</text>"
    )
}

/// Draws panels in a grid of `columns` under a legend. `size` in points.
pub fn draw_grid(
    figure: &str,
    size: (f64, f64),
    columns: usize,
    panels: &[Panel],
    legend: &[LegendEntry],
) -> Result<Drawing> {
    register_fonts();
    let failed = |reason: String| ReportError::Drawing { figure: figure.to_owned(), reason };
    let (legend_svg, top) = draw_legend(size.0, legend);
    let rows = panels.len().div_ceil(columns).max(1);
    let (w, h) = (size.0 / columns as f64, (size.1 - top) / rows as f64);
    let mut svg = String::new();
    let mut drawn = Vec::with_capacity(panels.len());
    {
        let root =
            SVGBackend::with_string(&mut svg, (u(size.0) as u32, u(size.1) as u32)).into_drawing_area();
        for (i, panel) in panels.iter().enumerate() {
            let (x0, y0) = ((i % columns) as f64 * w, top + (i / columns) as f64 * h);
            let area = root.clone().shrink((u(x0), u(y0)), (u(w) as u32, u(h) as u32));
            let places = draw_panel(&area, panel).map_err(|e| failed(e.to_string()))?;
            drawn.push(DrawnPanel::new(panel, legend, places));
        }
        root.present().map_err(|e| failed(e.to_string()))?;
    }
    let inner = svg.find('>').map_or("", |start| &svg[start + 1..]).trim_end().trim_end_matches("</svg>");
    let mut body = inner.to_owned() + &legend_svg;
    for (i, panel) in panels.iter().enumerate() {
        let (x0, y0) = ((i % columns) as f64 * w, top + (i / columns) as f64 * h);
        let (left, right, bottom) = (MARGIN_LEFT, MARGIN_RIGHT, MARGIN_BOTTOM);
        let middle = x0 + left + (w - left - right) / 2.0;
        let centre = y0 + MARGIN_TOP + (h - MARGIN_TOP - bottom) / 2.0;
        for (y, spans) in [(y0 + 11.0, &panel.title), (y0 + h - 5.0, &panel.x_label)] {
            // Over the plot, or where it has no room there over the whole panel.
            let needed = strip_tags(spans).chars().count() as f64 * FONT * LABEL_LETTER;
            let is_long = w < NARROW_PANEL && needed > 2.0 * (x0 + w - middle);
            let (x, size) =
                if is_long { (x0 + w / 2.0, FONT * ((w - 4.0) / needed).min(1.0)) } else { (middle, FONT) };
            body += &text(x, y, "middle", 0.0, size, spans);
        }
        body += &text(x0 + 11.0, centre, "middle", -90.0, FONT, &panel.y_label);
    }
    Ok(Drawing { svg: body, panels: drawn })
}

/// Room around the plot of a panel, points.
pub(crate) const MARGIN_LEFT: f64 = 46.0;
pub(crate) const MARGIN_RIGHT: f64 = 10.0;
pub(crate) const MARGIN_TOP: f64 = 16.0;
pub(crate) const MARGIN_BOTTOM: f64 = 30.0;

/// Most labels of an abscissa, and the width in points that they take.
const MOST_LABELS: f64 = 7.0;
const LABELS_WIDTH: f64 = 138.0;
/// Figures narrower than this have their legend at the very left.
const NARROW: f64 = 300.0;
/// Panels narrower than this have smaller titles and labels where they would not fit, and a character takes about this
/// share of the font size.
const NARROW_PANEL: f64 = 178.0;
const LABEL_LETTER: f64 = 0.56;
/// Width of a character of a legend, with room to spare, as a share of the font size.
pub(crate) const LETTER: f64 = 0.62;

/// The legend in as few lines as fit; returns its SVG and height.
pub(crate) fn draw_legend(width: f64, entries: &[LegendEntry]) -> (String, f64) {
    let mut svg = String::new();
    let left = if width < NARROW { 10.0 } else { MARGIN_LEFT };
    let (mut x, mut y) = (left, 12.0);
    let room = if width < NARROW { width - left } else { f64::INFINITY };
    for e in &broken(entries, room) {
        let plain: String = strip_tags(&e.text);
        let needed = 30.0 + plain.chars().count() as f64 * FONT * LETTER;
        if x + needed > width - 4.0 && x > left {
            x = left;
            y += 12.0;
        }
        let RGBColor(r, g, b) = colour(e.style);
        let rgb = format!("rgb({r},{g},{b})");
        if !matches!(e.symbol, Symbol::Marker | Symbol::Nothing) {
            let dash = if e.symbol == Symbol::Dashed {
                format!(" stroke-dasharray=\"{0} {1}\"", 3.0 * UNITS, 2.0 * UNITS)
            } else {
                String::new()
            };
            svg += &format!(
                "<line x1=\"{}\" y1=\"{2}\" x2=\"{}\" y2=\"{2}\" stroke=\"{rgb}\" stroke-width=\"{3}\"{dash}/>",
                x * UNITS,
                (x + 18.0) * UNITS,
                (y - 3.0) * UNITS,
                LINE * UNITS
            );
        }
        if matches!(e.symbol, Symbol::Marker | Symbol::MarkerLine) {
            let corners: Vec<String> = marker(e.style)
                .corners(MARKER)
                .iter()
                .map(|(dx, dy)| format!("{:.1},{:.1}", (x + 9.0 + dx) * UNITS, (y - 3.0 + dy) * UNITS))
                .collect();
            svg += &format!("<polygon points=\"{}\" fill=\"{rgb}\"/>", corners.join(" "));
        }
        let indent = if e.symbol == Symbol::Nothing { 0.0 } else { 22.0 };
        svg += &text(x + indent, y, "start", 0.0, FONT, &e.text);
        x += needed;
    }
    (svg, if entries.is_empty() { 2.0 } else { y + 6.0 })
}

/// Entries of text alone that are wider than `width` as several, at spaces.
fn broken(entries: &[LegendEntry], width: f64) -> Vec<LegendEntry> {
    let fits = |text: &str| text.chars().count() as f64 * FONT * LETTER <= width;
    let mut out: Vec<LegendEntry> = Vec::new();
    for e in entries {
        if e.symbol != Symbol::Nothing || fits(&e.text) || e.text.contains('<') {
            out.push(e.clone());
            continue;
        }
        let mut line = String::new();
        for word in e.text.split(' ') {
            if !line.is_empty() && !fits(&format!("{line} {word}")) {
                out.push(LegendEntry { text: std::mem::take(&mut line), ..e.clone() });
            }
            line = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
        }
        out.push(LegendEntry { text: line, ..e.clone() });
    }
    out
}

pub(crate) fn strip_tags(spans: &str) -> String {
    let mut inside = false;
    spans
        .chars()
        .filter(|&c| {
            let keep = !inside && c != '<';
            inside = (inside || c == '<') && c != '>';
            keep
        })
        .collect()
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type DrawResult<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Draws a panel; where the points of each series are, in canvas units.
fn draw_panel(area: &Area<'_>, panel: &Panel) -> DrawResult<Vec<Vec<(i32, i32)>>> {
    let (x, y) = extents(panel);
    let plot = f64::from(area.dim_in_pixel().0) / UNITS - MARGIN_LEFT - MARGIN_RIGHT;
    let labels = (MOST_LABELS * plot / LABELS_WIDTH).clamp(2.0, MOST_LABELS) as usize;
    let mut x_axis = Axis::new(&x, panel.log_x, false, &panel.x_ticks);
    if (labels as f64) < MOST_LABELS {
        x_axis = x_axis.with_at_most(labels);
    }
    let no_label = |_: &f64| String::new();
    let y_axis = Axis::new(&y, panel.log_y, panel.from_zero, &[]);
    let place = |x: f64, y: f64| (x_axis.place(x), y_axis.place(y));
    let mut builder = ChartBuilder::on(area);
    builder
        .margin_left(u(14.0))
        .margin_right(u(MARGIN_RIGHT))
        .margin_top(u(MARGIN_TOP))
        .margin_bottom(u(12.0))
        .set_label_area_size(LabelAreaPosition::Left, u(MARGIN_LEFT - 14.0))
        .set_label_area_size(LabelAreaPosition::Bottom, u(MARGIN_BOTTOM - 12.0));
    let mut chart = builder.build_cartesian_2d(x_axis.clone(), y_axis.clone())?;
    let font: FontDesc = ("sans-serif", FONT * UNITS * 0.92).into_font();
    let mut mesh = chart.configure_mesh();
    if panel.bare_x {
        mesh.x_label_formatter(&no_label);
    }
    mesh.label_style(font.color(&RGBColor(34, 34, 34)))
        .axis_style(ShapeStyle {
            color: RGBColor(90, 90, 90).to_rgba(),
            filled: false,
            stroke_width: u(0.6) as u32,
        })
        .bold_line_style(ShapeStyle {
            color: RGBColor(225, 225, 225).to_rgba(),
            filled: false,
            stroke_width: u(0.4) as u32,
        })
        .light_line_style(TRANSPARENT)
        .x_labels(labels)
        .y_labels(7)
        .set_all_tick_mark_size(u(2.5))
        .draw()?;
    let series = panel.series.iter().zip(panel.asides());
    series.map(|(series, aside)| draw_series(&mut chart, series, aside, &place)).collect()
}

type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;

fn draw_series(
    chart: &mut Chart<'_, '_>,
    series: &Series,
    aside: f64,
    place: &impl Fn(f64, f64) -> (f64, f64),
) -> DrawResult<Vec<(i32, i32)>> {
    let mut places = Vec::new();
    let style =
        ShapeStyle { color: colour(series.style).to_rgba(), filled: true, stroke_width: u(LINE) as u32 };
    // A curve is broken where it has no value; a value between two breaks is a short dash.
    let runs = |p: &[(f64, f64)]| -> Vec<Vec<(f64, f64)>> {
        let placed: Vec<(f64, f64)> = p.iter().map(|&(x, y)| place(x, y)).collect();
        let parts = placed.split(|(x, y)| !x.is_finite() || !y.is_finite());
        parts.filter(|run| !run.is_empty()).map(<[_]>::to_vec).collect()
    };
    match &series.mark {
        Mark::Curve(points) | Mark::Dashed(points) => {
            for run in runs(points) {
                if let [only] = run[..] {
                    let dash =
                        EmptyElement::at(only) + PathElement::new(vec![(-u(6.0), 0), (u(6.0), 0)], style);
                    chart.draw_series(std::iter::once(dash))?;
                } else if matches!(series.mark, Mark::Curve(_)) {
                    chart.draw_series(LineSeries::new(run, style))?;
                } else {
                    chart.draw_series(DashedLineSeries::new(run, u(3.0) as u32, u(2.0) as u32, style))?;
                }
            }
        }
        Mark::Points(points) => {
            let shape: Marker = marker(series.style);
            for p in points.iter().filter(|p| p.is_drawn()) {
                let (x, y) = place(p.x * aside, p.y);
                if !(x.is_finite() && y.is_finite()) {
                    continue;
                }
                let (_, low) = place(p.x, p.y - p.error);
                let (_, high) = place(p.x, p.y + p.error);
                if p.error > 0.0 && low.is_finite() {
                    chart.draw_series(std::iter::once(PathElement::new(vec![(x, low), (x, high)], style)))?;
                    for end in [low, high] {
                        let cap = EmptyElement::at((x, end))
                            + PathElement::new(vec![(-u(1.5), 0), (u(1.5), 0)], style);
                        chart.draw_series(std::iter::once(cap))?;
                    }
                }
                let corners: Vec<(i32, i32)> =
                    shape.corners(MARKER).iter().map(|&(dx, dy)| (u(dx), u(dy))).collect();
                let symbol = EmptyElement::at((x, y)) + Polygon::new(corners, style);
                chart.draw_series(std::iter::once(symbol))?;
                places.push(chart.plotting_area().map_coordinate(&(x, y)));
            }
        }
    }
    Ok(places)
}

/// All finite coordinates of a panel.
fn extents(panel: &Panel) -> (Vec<f64>, Vec<f64>) {
    let (mut xs, mut ys) = (Vec::new(), panel.y_holds.clone());
    for (s, aside) in panel.series.iter().zip(panel.asides()) {
        match &s.mark {
            Mark::Points(points) => {
                for p in points.iter().filter(|p| p.is_drawn()) {
                    xs.push(p.x * aside);
                    ys.extend([p.y - p.error.max(0.0), p.y + p.error.max(0.0)]);
                }
            }
            Mark::Curve(points) | Mark::Dashed(points) => {
                for p in points.iter().filter(|p| p.1.is_finite()) {
                    xs.push(p.0);
                    ys.push(p.1);
                }
            }
        }
    }
    (xs, ys)
}
