//! Every structure and geometry on one line: prediction error over σ against `√(df/(n−df−1))` (THEORY §4.3); below, their
//! ratio.

use convstat_study::CellSummary;
use maud::html;

use super::kind::{FigureData, FigureKind};
use super::layout::Grid;
use super::names::{distinct, setting_title};
use super::requires;
use crate::chapter::{Chapter, code};
use crate::panel::{LegendEntry, Mark, Panel, Point, Series, Symbol};
use crate::{Canvas, Result, math};

/// Series of the lines; that of setting `i` is another.
const LINE: usize = 6;

fn style(setting: usize) -> usize {
    setting + usize::from(setting >= LINE)
}

pub(super) const KIND: FigureKind =
    FigureKind { name: "collapse", requires: requires::linear, notebook: |_| Some(CHAPTER), draw };

/// In notebooks.
const CHAPTER: Chapter = Chapter {
    text: "## All structures on one line\n\nPrediction error over σ against √(df/(n − df − 1)).",
    code: code!("collapse"),
};

fn draw(data: &FigureData) -> Result<Option<Canvas>> {
    let cells: Vec<_> = data
        .summary
        .cells
        .iter()
        .filter(|c| c.n as f64 > c.df as f64 + 1.0 && data.sigma > 0.0)
        .cloned()
        .collect();
    if cells.is_empty() {
        return Ok(None);
    }
    let x = |c: &CellSummary| (c.df as f64 / (c.n as f64 - c.df as f64 - 1.0)).sqrt();
    let settings = distinct(&cells, |c| &c.setting);
    let ends = cells.iter().map(x).fold((f64::INFINITY, 0.0f64), |(a, b), v| (a.min(v), b.max(v)));
    let ends = [ends.0 * 0.9, ends.1 * 1.05];
    // Points of each setting, and a line that they should be on.
    let series = |line: &dyn Fn(f64) -> f64, unit: &dyn Fn(&CellSummary) -> f64| -> Vec<Series> {
        let line = Mark::Curve(ends.iter().map(|&x| (x, line(x))).collect());
        let point = |c: &CellSummary| Point { x: x(c), y: c.pred.0 / unit(c), error: c.pred.1 / unit(c) };
        let of = |(i, setting): (usize, &&str)| Series {
            style: style(i),
            mark: Mark::Points(cells.iter().filter(|c| c.setting == *setting).map(point).collect()),
        };
        let points = settings.iter().enumerate().map(of);
        std::iter::once(Series { style: LINE, mark: line }).chain(points).collect()
    };
    let errors = Panel {
        y_label: html! { (math::root_mean_square(&math::prediction_error())) " / σ" },
        series: series(&|x| x, &|_| data.sigma),
        log_x: true,
        log_y: true,
        ..Panel::default()
    };
    let ratios = Panel {
        x_label: math::collapse_abscissa(),
        y_label: math::text("measured / risk"),
        series: series(&|_| 1.0, &|c| data.sigma * x(c)),
        log_x: true,
        ..Panel::default()
    };
    let structure = |s: &str| cells.iter().find(|c| c.setting == s).map_or("", |c| c.structure.as_str());
    let mut legend: Vec<LegendEntry> = settings
        .iter()
        .enumerate()
        .map(|(i, s)| LegendEntry {
            text: setting_title(s, structure(s)),
            style: style(i),
            symbol: Symbol::Marker,
        })
        .collect();
    let entry = |text: String, symbol| LegendEntry { text: math::text(text), style: LINE, symbol };
    legend.push(entry(format!("{} risk", data.risk), Symbol::Line));
    legend.push(entry("Points: measured ± MCSE.".to_owned(), Symbol::Nothing));
    let alt = format!(
        "Study {}: prediction error against the root of df over n minus df minus 1; all structures and geometries fall \
         on the diagonal; below, the ratio of both about the line at 1.",
        data.name
    );
    let grid = Grid { width: 390.0, columns: 1, heights: &[220.0, 90.0] };
    data.on_grid(grid, &alt, vec![errors, ratios], legend)
}
