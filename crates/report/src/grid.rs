//! Panels in a grid under a legend: axes with ticks, points with error bars, curves.

use maud::{Markup, PreEscaped, html};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::FontDesc;

use crate::axis::{Axis, Line};
use crate::drawing::{Drawing, DrawnPanel};
use crate::font::register_fonts;
use crate::legend::draw_legend;
use crate::lettering::{FONT, centred, height, lines, upright};
use crate::palette::{colour, marker};
use crate::panel::{LegendEntry, Mark, Panel, Series};
use crate::shapes::{LINE, MARKER};
use crate::units::{UNITS, units};
use crate::{ReportError, Result};

/// Font size of ticks, points; plotters writes sizes divided by its factor.
const SMALL: f64 = 7.0;
const PLOTTERS_SIZE: f64 = 1.24;

/// Least room on the left of a plot, room on its right, and above it without a title.
const LEFT: f64 = 46.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 7.0;
/// Height of the labels of ticks below a plot, and of a bare axis there.
const TICKS: f64 = 15.0;
const BARE: f64 = 5.0;
/// Length of ticks, and from them to their labels.
const TICK: f64 = 2.5;
/// Half-length of the short line of a value without neighbours, and of the cap of an error bar.
const SHORT: f64 = 6.0;
const CAP: f64 = 1.5;
/// A formula beside a plot may be this much longer than the plot before it gets smaller.
const BEYOND: f64 = 20.0;
/// Share of a slot that points side by side take, and half of the share that a level stroke takes.
const SLOT_SHARE: f64 = 0.84;
const HALF_LEVEL: f64 = 0.46;

/// A grid of panels that is drawn.
#[derive(Clone)]
pub struct Drawn {
    /// Its elements, and what they show.
    pub drawing: Drawing,
    /// Height of all, legend and labels included, points.
    pub height: f64,
    /// The plots of the panels, each with its abscissa.
    plots: Vec<(Plot, Axis)>,
}

impl Drawn {
    /// Where a value of the abscissa of a panel is, points from the left.
    pub(crate) fn x(&self, panel: usize, value: f64) -> f64 {
        let (plot, axis) = &self.plots[panel];
        plot.left + plot.width * axis.share(axis.place(value))
    }
}

/// Panels beside each other.
#[derive(Debug, Clone)]
pub struct Row {
    /// Height of their plots, points.
    pub height: f64,
    /// From left to right.
    pub panels: Vec<Panel>,
}

/// The rectangle that data are drawn in, points.
#[derive(Debug, Clone, Copy)]
struct Plot {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

/// A panel with its axes and the lines of its labels.
struct Frame<'a> {
    panel: &'a Panel,
    x: Axis,
    y: Axis,
    title: Vec<Markup>,
    x_label: Vec<Markup>,
    y_label: Vec<Markup>,
}

/// Draws rows of panels under a legend, `width` points wide. Panels of a row with one label of the ordinate have one range.
///
/// # Errors
/// What plotters cannot draw.
pub fn draw_grid(figure: &str, width: f64, rows: &[Row], legend: &[LegendEntry]) -> Result<Drawn> {
    register_fonts();
    let failed = |reason: String| ReportError::Drawing { figure: figure.to_owned(), reason };
    let columns = rows.iter().map(|r| r.panels.len()).max().unwrap_or(1).max(1);
    let column = width / columns as f64;
    let (frames, left) = frames(rows, column);
    let (legend_svg, mut top) = draw_legend(width, legend);
    let mut plots = Vec::with_capacity(frames.len());
    let mut rest = &frames[..];
    for row in rows {
        let (own, others) = rest.split_at(row.panels.len());
        top += own.iter().map(Frame::above).fold(0.0, f64::max);
        let (width, height) = (column - left - RIGHT, row.height);
        plots.extend((0..own.len()).map(|i| Plot { left: i as f64 * column + left, top, width, height }));
        top += height + own.iter().map(Frame::below).fold(0.0, f64::max);
        rest = others;
    }
    let mut svg = String::new();
    let mut drawn = Vec::with_capacity(frames.len());
    {
        let root =
            SVGBackend::with_string(&mut svg, (units(width) as u32, units(top) as u32)).into_drawing_area();
        for (frame, plot) in frames.iter().zip(&plots) {
            let places = frame.draw(&root, plot).map_err(|e| failed(e.to_string()))?;
            drawn.push(DrawnPanel::new(frame.panel, legend, places));
        }
        root.present().map_err(|e| failed(e.to_string()))?;
    }
    let inner = svg.find('>').map_or("", |start| &svg[start + 1..]).trim_end().trim_end_matches("</svg>");
    let svg = html! {
        (PreEscaped(inner)) (legend_svg)
        @for (frame, plot) in frames.iter().zip(&plots) { (frame.draw_labels(plot)) }
    };
    let drawing = Drawing { svg, panels: drawn };
    let axes = frames.into_iter().map(|frame| frame.x);
    Ok(Drawn { drawing, height: top, plots: plots.into_iter().zip(axes).collect() })
}

/// The panels of all rows with axes and labels, and the room on the left of their plots.
fn frames(rows: &[Row], column: f64) -> (Vec<Frame<'_>>, f64) {
    let placed = || rows.iter().flat_map(|row| row.panels.iter().map(move |panel| (row, panel)));
    let uprights: Vec<(Axis, Vec<Markup>)> =
        placed().map(|(row, panel)| (y_axis(row, panel), lines(&panel.y_label, FONT, row.height))).collect();
    let needed =
        |(y, label): &(Axis, Vec<Markup>)| height(label.len(), FONT) + y.widest(SMALL) + 2.0 * TICK + 5.0;
    let left = uprights.iter().map(needed).fold(LEFT, f64::max);
    let width = column - left - RIGHT;
    let frame = |((_, panel), (y, y_label)): ((_, _), _)| frame_of(panel, y, y_label, width);
    (placed().zip(uprights).map(frame).collect(), left)
}

fn frame_of(panel: &Panel, y: Axis, y_label: Vec<Markup>, width: f64) -> Frame<'_> {
    Frame {
        panel,
        x: x_axis(panel, width),
        y,
        title: lines(&panel.title, FONT, width + 2.0 * RIGHT),
        x_label: lines(&panel.x_label, FONT, width),
        y_label,
    }
}

fn y_axis(row: &Row, panel: &Panel) -> Axis {
    let same = |p: &&Panel| p.y_label.0 == panel.y_label.0 && p.log_y == panel.log_y;
    let values: Vec<f64> = row.panels.iter().filter(same).flat_map(|p| p.extents().1).collect();
    let line = Line { upright: true, length: row.height, font: SMALL };
    Axis::new(&values, panel.log_y, panel.from_zero, line)
}

fn x_axis(panel: &Panel, length: f64) -> Axis {
    let line = Line { upright: false, length, font: SMALL };
    if !panel.x_slots.is_empty() {
        return Axis::of_slots(&panel.x_slots, line);
    }
    let axis = Axis::new(&panel.extents().0, panel.log_x, false, line);
    let axis = if panel.x_ticks.is_empty() { axis } else { axis.with_ticks(&panel.x_ticks, line) };
    if panel.bare_x { axis.bare() } else { axis }
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Axis, Axis>>;
type DrawResult<T> = std::result::Result<T, Box<dyn std::error::Error>>;

impl Frame<'_> {
    /// Room above the plot.
    fn above(&self) -> f64 {
        if self.title.is_empty() { TOP } else { height(self.title.len(), FONT) + 5.0 }
    }

    /// Room below the plot.
    fn below(&self) -> f64 {
        let ticks = if self.panel.bare_x { BARE } else { TICKS };
        ticks + if self.x_label.is_empty() { 2.0 } else { height(self.x_label.len(), FONT) + 4.0 }
    }

    /// Title and labels of the axes around a plot.
    fn draw_labels(&self, plot: &Plot) -> Markup {
        let middle = plot.left + plot.width / 2.0;
        let title = plot.top - 5.0 - height(self.title.len().saturating_sub(1), FONT);
        let below = plot.top + plot.height + if self.panel.bare_x { BARE } else { TICKS } + FONT;
        // Left of the labels of the ticks.
        let labels =
            self.y.widest(SMALL) + 2.0 * TICK + 5.0 + height(self.y_label.len().saturating_sub(1), FONT);
        let (x, centre) = ((plot.left - LEFT + 11.0).min(plot.left - labels), plot.top + plot.height / 2.0);
        html! {
            (centred(middle, title, FONT, plot.width + 2.0 * RIGHT, &self.title))
            (centred(middle, below, FONT, plot.width, &self.x_label))
            (upright(x, centre, FONT, plot.height + BEYOND, &self.y_label))
        }
    }

    /// Draws axes and series; where the points of each series are, in canvas units.
    fn draw(&self, root: &Area<'_>, plot: &Plot) -> DrawResult<Vec<Vec<(i32, i32)>>> {
        // The chart is the plot with the strips that hold the labels of the ticks.
        let left = self.y.widest(SMALL) + 2.0 * TICK;
        let size = (units(left + plot.width) as u32, units(plot.height + TICKS) as u32);
        let area = root.clone().shrink((units(plot.left - left), units(plot.top)), size);
        let mut chart = ChartBuilder::on(&area)
            .set_label_area_size(LabelAreaPosition::Left, units(left))
            .set_label_area_size(LabelAreaPosition::Bottom, units(TICKS))
            .build_cartesian_2d(self.x.clone(), self.y.clone())?;
        let font: FontDesc = ("sans-serif", SMALL * PLOTTERS_SIZE * UNITS).into_font();
        let line = |grey: u8, width: f64| ShapeStyle {
            color: RGBColor(grey, grey, grey).to_rgba(),
            filled: false,
            stroke_width: units(width) as u32,
        };
        chart
            .configure_mesh()
            .label_style(font.color(&RGBColor(34, 34, 34)))
            .axis_style(line(90, 0.6))
            .bold_line_style(line(225, 0.4))
            .light_line_style(TRANSPARENT)
            .set_all_tick_mark_size(units(TICK))
            .draw()?;
        let series = self.panel.series.iter().zip(self.shifts());
        series.map(|(series, shift)| self.draw_series(&mut chart, series, shift)).collect()
    }

    /// By how much the points of each series stand beside the middle of their slot.
    fn shifts(&self) -> Vec<f64> {
        let are_points = |s: &&Series| matches!(s.mark, Mark::Points(_)) && self.x.has_slots();
        let count = self.panel.series.iter().filter(are_points).count() as f64;
        let mut place = 0.5 * (1.0 - count);
        let shift = |s: &Series| {
            if !are_points(&s) {
                return 0.0;
            }
            place += 1.0;
            SLOT_SHARE * (place - 1.0) / count
        };
        self.panel.series.iter().map(shift).collect()
    }

    fn draw_series(
        &self,
        chart: &mut Chart<'_, '_>,
        series: &Series,
        shift: f64,
    ) -> DrawResult<Vec<(i32, i32)>> {
        let style = ShapeStyle {
            color: colour(series.style).to_rgba(),
            filled: true,
            stroke_width: units(LINE) as u32,
        };
        let place = |x: f64, y: f64| (self.x.place(x) + shift, self.y.place(y));
        let mut places = Vec::new();
        if let Mark::Points(points) = &series.mark {
            let corners: Vec<(i32, i32)> =
                marker(series.style).corners(MARKER).iter().map(|&(dx, dy)| (units(dx), units(dy))).collect();
            for p in points.iter().filter(|p| p.is_drawn()) {
                let (x, y) = place(p.x, p.y);
                if !(x.is_finite() && y.is_finite()) {
                    continue;
                }
                let ends = [p.y - p.error, p.y + p.error].map(|y| self.y.place(y));
                if p.error > 0.0 && ends[0].is_finite() {
                    chart.draw_series(std::iter::once(PathElement::new(
                        ends.map(|y| (x, y)).to_vec(),
                        style,
                    )))?;
                    for end in ends {
                        let cap = EmptyElement::at((x, end)) + level(CAP, style);
                        chart.draw_series(std::iter::once(cap))?;
                    }
                }
                let symbol = EmptyElement::at((x, y)) + Polygon::new(corners.clone(), style);
                chart.draw_series(std::iter::once(symbol))?;
                places.push(chart.plotting_area().map_coordinate(&(x, y)));
            }
        }
        let Some((points, stroke)) = series.mark.line() else { return Ok(places) };
        let placed: Vec<(f64, f64)> = points.iter().map(|&(x, y)| place(x, y)).collect();
        // Broken where there is no value.
        let pieces = placed.split(|(x, y)| !x.is_finite() || !y.is_finite());
        for piece in pieces.filter(|piece| !piece.is_empty()).map(<[_]>::to_vec) {
            if matches!(series.mark, Mark::Levels(_)) {
                let ends = |(x, y): (f64, f64)| vec![(x - HALF_LEVEL, y), (x + HALF_LEVEL, y)];
                chart.draw_series(piece.into_iter().map(|p| PathElement::new(ends(p), style)))?;
            } else if let [only] = piece[..] {
                chart.draw_series(std::iter::once(EmptyElement::at(only) + level(SHORT, style)))?;
            } else if let Some((on, off)) = stroke.dash() {
                chart.draw_series(DashedLineSeries::new(
                    piece,
                    units(on) as u32,
                    units(off) as u32,
                    style,
                ))?;
            } else {
                chart.draw_series(LineSeries::new(piece, style))?;
            }
        }
        Ok(places)
    }
}

/// A level line around the origin, of half-length `half` points.
fn level(half: f64, style: ShapeStyle) -> PathElement<(i32, i32)> {
    PathElement::new(vec![(-units(half), 0), (units(half), 0)], style)
}
