//! Estimators beside each other: a row a setting; error, optimisation failures and time against n.

use convstat_study::CellSummary;

use super::{FigureData, Grid, distinct, setting_title};
use crate::math::escape;
use crate::panel::{LegendEntry, Mark, Panel, Point, Series, Symbol};
use crate::{Canvas, Result, math};

/// Width of the figure and height of a row, points.
const WIDTH: f64 = 540.0;
const HEIGHT: f64 = 150.0;

/// Points of estimators at one n stand side by side, so that those on top of each other are seen: by this factor.
const APART: f64 = 1.045;

/// Most labelled sample sizes.
const MOST_TICKS: usize = 4;

pub(super) fn draw(data: &FigureData) -> Result<Option<Canvas>> {
    let cells = &data.summary.cells;
    let Some(first) = cells.first() else { return Ok(None) };
    // A point an estimator and n: of several designs the first.
    let cells: Vec<CellSummary> = cells.iter().filter(|c| c.design == first.design).cloned().collect();
    let settings = distinct(&cells, |c| &c.setting);
    let solvers = distinct(&cells, |c| &c.solver);
    let panels: Vec<Panel> = settings
        .iter()
        .flat_map(|s| row(&cells.iter().filter(|c| c.setting == *s).collect::<Vec<_>>(), &solvers))
        .collect();
    let mut legend: Vec<LegendEntry> = solvers
        .iter()
        .enumerate()
        .map(|(style, s)| LegendEntry { text: escape(s), style, symbol: Symbol::Marker })
        .collect();
    legend.push(LegendEntry {
        text: escape("Error: measured ± MCSE; lines: exact risk."),
        style: 6,
        symbol: Symbol::Nothing,
    });
    let alt = format!(
        "Study {}: for each setting a row of three panels against n: prediction error with the curve of the exact risk, \
         share of data sets whose starts missed the optimum, and median time of a replicate; estimators {}.",
        data.name,
        solvers.join(", ")
    );
    data.on_grid(Grid { width: WIDTH, row: HEIGHT, columns: 3 }, &alt, panels, &legend)
}

/// The three panels of a setting.
fn row(cells: &[&CellSummary], solvers: &[&str]) -> [Panel; 3] {
    let of = |solver: &str| {
        let mut mine: Vec<&CellSummary> = cells.iter().copied().filter(|c| c.solver == solver).collect();
        mine.sort_by_key(|c| c.n);
        mine
    };
    let mut sizes: Vec<u64> = cells.iter().map(|c| c.n).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let ticks: Vec<f64> =
        sizes.iter().step_by(sizes.len().div_ceil(MOST_TICKS).max(1)).map(|&n| n as f64).collect();
    let points = |value: &dyn Fn(&CellSummary) -> (f64, f64)| -> Vec<Series> {
        let series = |(style, solver): (usize, &&str)| {
            let point = |c: &CellSummary| {
                let (y, error) = value(c);
                Point { x: c.n as f64, y, error }
            };
            Series { style, mark: Mark::Points(of(solver).into_iter().map(point).collect()) }
        };
        solvers.iter().enumerate().map(series).collect()
    };
    // One line for all estimators with the same risk.
    let mut lines: Vec<Series> = Vec::new();
    let mut seen: Vec<Vec<(f64, f64)>> = Vec::new();
    for (style, solver) in solvers.iter().enumerate() {
        let line: Vec<(f64, f64)> = of(solver).iter().map(|c| (c.n as f64, c.theory.risk_pred)).collect();
        if line.iter().any(|(_, y)| y.is_finite()) && !seen.iter().any(|s| same(s, &line)) {
            seen.push(line.clone());
            lines.push(Series { style, mark: Mark::Curve(line) });
        }
    }
    lines.extend(points(&|c| c.pred));
    // Without a start there is none to miss the optimum.
    let missed = points(&|c| {
        let total = c.replicates() as f64;
        let share = c.optimisation_failures as f64 / total;
        if c.has_starts { (share, (share * (1.0 - share) / total).sqrt()) } else { (f64::NAN, 0.0) }
    });
    let (setting, structure) = cells.first().map_or(("", ""), |c| (c.setting.as_str(), c.structure.as_str()));
    let panel = |title: String, y_label: String, series: Vec<Series>| Panel {
        title,
        x_label: math::n(),
        y_label,
        series,
        log_x: true,
        x_ticks: ticks.clone(),
        apart: Some(APART),
        ..Panel::default()
    };
    let error =
        panel(setting_title(setting, structure), math::root_mean_square(&math::prediction_error()), lines);
    let failures = panel(escape("optimum missed"), escape("share of data sets"), missed);
    let time = panel(escape("time of a replicate"), escape("median, seconds"), points(&|c| (c.seconds, 0.0)));
    [Panel { log_y: true, ..error }, Panel { from_zero: true, ..failures }, Panel { log_y: true, ..time }]
}

/// Whether two curves have the same bits, undefined values included.
fn same(a: &[(f64, f64)], b: &[(f64, f64)]) -> bool {
    let bits = |v: &[(f64, f64)]| v.iter().map(|(x, y)| (x.to_bits(), y.to_bits())).collect::<Vec<_>>();
    bits(a) == bits(b)
}
