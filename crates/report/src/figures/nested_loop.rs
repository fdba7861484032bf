//! Nested-loop plot (Rücker & Schwarzer, BMC Medical Research Methodology 14:129, 2014): all cells in a row over setting ×
//! design × n, the error with steps of the risk above, the levels of the factors as steps below.

use convstat_study::CellSummary;
use convstat_study::file::FigureWidth;
use convstat_theory::ErrorNorm;
use maud::{Markup, html};

use super::kind::{FigureData, FigureKind};
use super::layout::is_wide;
use super::names::{design_title, distinct, setting_title};
use super::requires;
use crate::chapter::{Chapter, code};
use crate::drawing::Drawing;
use crate::grid::{Row, draw_grid};
use crate::lettering::{text, width};
use crate::panel::{LegendEntry, Mark, Panel, Point, Series, Symbol};
use crate::shapes::{Stroke, stroke};
use crate::{Canvas, Result, math};

/// Height of the plot and of a factor's steps with their names, points.
const PLOT: f64 = 165.0;
const FACTOR: f64 = 27.0;
/// Height of the steps alone, and size of the font of the names.
const STEPS: f64 = 12.0;
const SMALL: f64 = 7.5;

/// A place on the abscissa.
type Place<'a> = (&'a str, &'a str, u64);

pub(super) const KIND: FigureKind =
    FigureKind { name: "nested-loop", requires: requires::nothing, notebook: |_| Some(CHAPTER), draw };

/// In notebooks.
const CHAPTER: Chapter = Chapter {
    text: "## Nested-loop plot\n\nAll cells in a row over setting, design and n (Rücker and Schwarzer 2014).",
    code: code!("nested_loop"),
};

fn draw(data: &FigureData) -> Result<Option<Canvas>> {
    let cells = &data.summary.cells;
    let solvers = distinct(cells, |c| &c.solver);
    let settings = distinct(cells, |c| &c.setting);
    let designs = distinct(cells, |c| &c.design);
    let mut places: Vec<Place> = cells.iter().map(place_of).collect();
    let rank = |list: &[&str], name: &str| list.iter().position(|l| *l == name);
    places.sort_by_key(|(s, d, n)| (rank(&settings, s), rank(&designs, d), *n));
    places.dedup();
    if places.is_empty() {
        return Ok(None);
    }
    let count = places.len() as f64;
    let boundaries: Vec<f64> = (0..places.len())
        .filter(|&i| i == 0 || places[i].0 != places[i - 1].0)
        .map(|i| i as f64)
        .chain([count])
        .collect();
    let risk = data.risk;
    let panel = Panel {
        y_label: math::root_mean_square(&math::prediction_error()),
        log_y: data.options.log_y.unwrap_or_else(|| is_wide(cells.iter().map(|c| c.pred.0))),
        series: series(cells, &places, &solvers),
        x_ticks: boundaries,
        bare_x: true,
        ..Panel::default()
    };
    let mut legend: Vec<LegendEntry> = solvers
        .iter()
        .enumerate()
        .map(|(style, s)| LegendEntry { text: math::text(s), style, symbol: Symbol::MarkerLine })
        .collect();
    legend.push(LegendEntry {
        text: math::text(format!("Points: measured ± MCSE. Steps: {risk} risk.")),
        style: 6,
        symbol: Symbol::Nothing,
    });
    let whole = data.width(FigureWidth::Page.points());
    let drawn = draw_grid("nested-loop", whole, &[Row { height: PLOT, panels: vec![panel] }], &legend)?;
    let factors = factors(cells, &places, &settings, &designs);
    let x = |place: f64| drawn.x(0, place);
    let top = drawn.height + 8.0;
    let svg = html! {
        (drawn.drawing.svg)
        @for (i, factor) in factors.iter().enumerate() { (factor.draw(top + FACTOR * i as f64, &x)) }
    };
    let drawing = Drawing { svg, ..drawn.drawing.clone() };
    let size = (whole, top + FACTOR * factors.len() as f64 + 4.0);
    let alt = format!(
        "Study {}: nested-loop plot of the root mean squared prediction error with steps of the {risk} risk over {}; \
         below, steps show the levels of the factors.",
        data.name,
        factors.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", ")
    );
    Ok(Some(data.canvas(&alt, size, drawing)))
}

fn place_of(c: &CellSummary) -> Place<'_> {
    (c.setting.as_str(), c.design.as_str(), c.n)
}

/// Steps of the risk and measured points of every estimator; steps are broken where setting or design change.
fn series(cells: &[CellSummary], places: &[Place], solvers: &[&str]) -> Vec<Series> {
    let (mut steps, mut points) = (Vec::new(), Vec::new());
    let middle = 0.5 * (solvers.len() as f64 - 1.0);
    for (style, solver) in solvers.iter().enumerate() {
        let shift = 0.6 * (style as f64 - middle) / solvers.len() as f64;
        let (mut curve, mut measured) = (Vec::new(), Vec::new());
        for (i, place) in places.iter().enumerate() {
            if i > 0 && (places[i - 1].0, places[i - 1].1) != (place.0, place.1) {
                curve.push((i as f64, f64::NAN));
            }
            let Some(c) = cells.iter().find(|c| c.solver == *solver && place_of(c) == *place) else {
                continue;
            };
            let left = i as f64;
            let risk = c.theory.risk(ErrorNorm::Prediction).0;
            curve.extend([(left, risk), (left + 1.0, risk)]);
            measured.push(Point { x: left + 0.5 + shift, y: c.pred.0, error: c.pred.1 });
        }
        steps.push(Series { style, mark: Mark::Curve(curve) });
        points.push(Series { style, mark: Mark::Points(measured) });
    }
    steps.into_iter().chain(points).collect()
}

/// First place, the one behind the last, and names from long to short, of which the first that fits is drawn.
type Span = (usize, usize, Vec<Markup>);

/// A factor: its level at every place (0 for the lowest), and names of spans of places.
struct Factor {
    name: String,
    levels: Vec<usize>,
    names: Vec<Span>,
}

/// Setting and design where they vary, and n.
fn factors(cells: &[CellSummary], places: &[Place], settings: &[&str], designs: &[&str]) -> Vec<Factor> {
    let rank = |list: &[&str], name: &str| list.iter().position(|l| *l == name).unwrap_or(0);
    let structure = |s: &str| cells.iter().find(|c| c.setting == s).map_or("", |c| c.structure.as_str());
    let mut factors = Vec::new();
    if settings.len() > 1 {
        factors.push(Factor {
            name: "setting".to_owned(),
            levels: places.iter().map(|p| rank(settings, p.0)).collect(),
            names: spans(places, &|p| p.0, &|p| vec![setting_title(p.0, structure(p.0)), math::text(p.0)]),
        });
    }
    if designs.len() > 1 {
        factors.push(Factor {
            name: "design".to_owned(),
            levels: places.iter().map(|p| rank(designs, p.1)).collect(),
            names: spans(places, &|p| (p.0, p.1), &|p| {
                vec![design_title(p.1), math::text(p.1), math::text(p.1.split('(').next().unwrap_or(p.1))]
            }),
        });
    }
    let sizes = |setting: &str| {
        let mut all: Vec<u64> = places.iter().filter(|p| p.0 == setting).map(|p| p.2).collect();
        all.sort_unstable();
        all.dedup();
        all
    };
    let level = |p: &Place| sizes(p.0).iter().position(|n| *n == p.2).unwrap_or(0);
    factors.push(Factor {
        name: "n".to_owned(),
        levels: places.iter().map(level).collect(),
        names: spans(places, &|p| p.0, &|p| {
            let all = sizes(p.0);
            let ends = (all.first().copied().unwrap_or(0), all.last().copied().unwrap_or(0));
            [" to ", "–"].map(|between| html! { (ends.0) (between) (ends.1) }).to_vec()
        }),
    });
    factors
}

/// Runs of places with one key, with their names.
fn spans<'a, K: PartialEq>(
    places: &[Place<'a>],
    key: &dyn Fn(&Place<'a>) -> K,
    names: &dyn Fn(&Place<'a>) -> Vec<Markup>,
) -> Vec<Span> {
    let mut out: Vec<Span> = Vec::new();
    for (i, place) in places.iter().enumerate() {
        match out.last_mut() {
            Some(last) if key(&places[last.0]) == key(place) => last.1 = i + 1,
            _ => out.push((i, i + 1, names(place))),
        }
    }
    out
}

impl Factor {
    /// Steps from `top` on, names of the levels below them, the factor's on the left; `x` gives the abscissa of a place.
    fn draw(&self, top: f64, x: &dyn Fn(f64) -> f64) -> Markup {
        let most = self.levels.iter().copied().max().unwrap_or(0).max(1) as f64;
        let height = |level: usize| top + STEPS * (1.0 - level as f64 / most);
        let steps: Vec<(f64, f64)> = self
            .levels
            .iter()
            .enumerate()
            .flat_map(|(i, &l)| [(x(i as f64), height(l)), (x(i as f64 + 1.0), height(l))])
            .collect();
        let name = if self.name == "n" { math::n() } else { math::text(&self.name) };
        let level = |(from, to, names): &Span| {
            let (left, right) = (x(*from as f64), x(*to as f64));
            let name = names.iter().find(|name| width(name, SMALL) <= right - left - 4.0)?;
            Some(text(f64::midpoint(left, right), top + STEPS + 8.5, "middle", 0.0, SMALL, name))
        };
        html! {
            (text(x(0.0) - 5.0, top + STEPS, "end", 0.0, SMALL, &name))
            (stroke(&steps, 6, 1.0, Stroke::Solid))
            @for name in self.names.iter().filter_map(level) { (name) }
        }
    }
}
