//! A drawing and the values behind it, so that a page can say what its marks show.

use maud::{Markup, html};

use crate::math::plain;
use crate::panel::{LegendEntry, Mark, Panel, Series, Symbol};

/// SVG elements in canvas units, and what they show.
#[derive(Debug, Clone, Default)]
pub struct Drawing {
    /// The elements.
    pub svg: Markup,
    /// The panels, in reading order; none of a drawing that records nothing.
    pub panels: Vec<DrawnPanel>,
}

impl From<Vec<Markup>> for Drawing {
    fn from(elements: Vec<Markup>) -> Self {
        Self { svg: html! { @for element in elements { (element) } }, panels: Vec::new() }
    }
}

/// One panel as text.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnPanel {
    /// Title, may be empty.
    pub title: String,
    /// Label of the abscissa.
    pub x_label: String,
    /// Label of the ordinate.
    pub y_label: String,
    /// Its series.
    pub series: Vec<DrawnSeries>,
}

/// The values of one series.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawnSeries {
    /// Its name in the legend.
    pub name: String,
    /// Number that gives colour and marker.
    pub style: usize,
    /// A line; else measured points.
    pub is_line: bool,
    /// Its values; those that are not drawn are left out.
    pub values: Vec<DrawnValue>,
}

/// One value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrawnValue {
    /// Abscissa.
    pub x: f64,
    /// Ordinate.
    pub y: f64,
    /// Half-length of the error bar, 0 where there is none.
    pub error: f64,
    /// Where it is, in canvas units from the left and from the top; none for the corners of lines.
    pub place: Option<(i32, i32)>,
}

impl Drawing {
    /// The same so many canvas units farther down.
    pub(crate) fn moved_down(mut self, by: f64) -> Self {
        self.svg = html! { g transform={ "translate(0 " (by) ")" } { (self.svg) } };
        let series = self.panels.iter_mut().flat_map(|p| &mut p.series);
        for (_, y) in series.flat_map(|s| &mut s.values).filter_map(|v| v.place.as_mut()) {
            *y += by as i32;
        }
        self
    }
}

impl DrawnPanel {
    /// A panel as text; `places` of the values of each of its series that are drawn as points.
    pub(crate) fn new(panel: &Panel, legend: &[LegendEntry], places: Vec<Vec<(i32, i32)>>) -> Self {
        let series = panel.series.iter().zip(places).map(|(s, places)| drawn_series(s, legend, &places));
        Self {
            title: plain(&panel.title),
            x_label: plain(&panel.x_label),
            y_label: plain(&panel.y_label),
            series: series.filter(|s| !s.values.is_empty()).collect(),
        }
    }

    /// Where the line beside a series passes at `x`, if it has a corner there: a line of the same style.
    pub fn line_at(&self, style: usize, x: f64) -> Option<f64> {
        let lines = self.series.iter().filter(|s| s.is_line && s.style == style);
        lines.flat_map(|s| &s.values).find(|v| v.x == x).map(|v| v.y)
    }
}

fn drawn_series(series: &Series, legend: &[LegendEntry], places: &[(i32, i32)]) -> DrawnSeries {
    let is_line = !matches!(series.mark, Mark::Points(_));
    let values = match &series.mark {
        Mark::Points(points) => {
            let drawn = points.iter().filter(|p| p.is_drawn());
            let value = |(p, place): (&crate::panel::Point, &(i32, i32))| DrawnValue {
                x: p.x,
                y: p.y,
                error: p.error,
                place: Some(*place),
            };
            drawn.zip(places).map(value).collect()
        }
        line => {
            let corner = |&(x, y): &(f64, f64)| DrawnValue { x, y, error: 0.0, place: None };
            line.pieces().flatten().map(corner).collect()
        }
    };
    DrawnSeries { name: name_of(series, legend), style: series.style, is_line, values }
}

/// What the legend calls a series: the entry with its symbol, else any of its style.
fn name_of(series: &Series, legend: &[LegendEntry]) -> String {
    let symbols: &[Symbol] = match series.mark {
        Mark::Points(_) => &[Symbol::Marker, Symbol::MarkerLine],
        Mark::Curve(_) | Mark::Levels(_) => &[Symbol::Line, Symbol::MarkerLine],
        Mark::Dashed(_) => &[Symbol::Dashed, Symbol::MarkerLine],
        Mark::Dotted(_) => &[Symbol::Dotted, Symbol::MarkerLine],
    };
    let is_text = |e: &LegendEntry| matches!(e.symbol, Symbol::Nothing | Symbol::Heading);
    let mine = || legend.iter().filter(|e| e.style == series.style && !is_text(e));
    let entry = mine().find(|e| symbols.contains(&e.symbol)).or_else(|| mine().next());
    entry.map_or_else(String::new, |e| plain(&e.text))
}
