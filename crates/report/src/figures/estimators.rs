//! Estimators beside each other: a stack a setting; error, optimisation failures and time against n.

use convstat_study::CellSummary;
use convstat_theory::ErrorNorm;
use maud::Markup;

use super::kind::{FigureData, FigureKind};
use super::layout::Grid;
use super::names::{distinct, setting_title};
use super::requires;
use crate::chapter::{Chapter, code};
use crate::panel::{LegendEntry, Mark, Panel, Point, Series, Symbol};
use crate::{Canvas, Result, math};

/// Heights of the plots of a setting, points.
const HEIGHTS: [f64; 3] = [135.0, 85.0, 85.0];

pub(super) const KIND: FigureKind =
    FigureKind { name: "estimators", requires: requires::gaussian, notebook: |_| Some(CHAPTER), draw };

/// In notebooks.
const CHAPTER: Chapter = Chapter {
    text: "## Estimators beside each other\n\nError with the risk, share of data sets whose starts missed the optimum, and \
             time.",
    code: code!("estimators"),
};

fn draw(data: &FigureData) -> Result<Option<Canvas>> {
    let cells = &data.summary.cells;
    let Some(first) = cells.first() else { return Ok(None) };
    // A point an estimator and n: of several designs the first.
    let cells: Vec<CellSummary> = cells.iter().filter(|c| c.design == first.design).cloned().collect();
    let settings = distinct(&cells, |c| &c.setting);
    let solvers = distinct(&cells, |c| &c.solver);
    let panels: Vec<Panel> = settings
        .iter()
        .flat_map(|s| stack(&cells.iter().filter(|c| c.setting == *s).collect::<Vec<_>>(), &solvers))
        .collect();
    let mut legend: Vec<LegendEntry> = solvers
        .iter()
        .enumerate()
        .map(|(style, s)| LegendEntry { text: math::text(s), style, symbol: Symbol::Marker })
        .collect();
    let text = format!(
        "Points: measured ± MCSE. Level lines: {} risk, one for the estimators that share it.",
        data.risk
    );
    legend.push(LegendEntry { text: math::text(&text), style: 6, symbol: Symbol::Nothing });
    let alt = format!(
        "Study {}: for each setting three panels against n: prediction error with level lines of the {} risk, share of \
         data sets whose starts missed the optimum, and median time of a replicate; estimators {}.",
        data.name,
        data.risk,
        solvers.join(", ")
    );
    data.on_grid(Grid::of(settings.len(), 2, &HEIGHTS), &alt, panels, legend)
}

/// The three panels of a setting.
fn stack(cells: &[&CellSummary], solvers: &[&str]) -> [Panel; 3] {
    let of = |solver: &str| {
        let mut mine: Vec<&CellSummary> = cells.iter().copied().filter(|c| c.solver == solver).collect();
        mine.sort_by_key(|c| c.n);
        mine
    };
    let mut sizes: Vec<u64> = cells.iter().map(|c| c.n).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let slots: Vec<f64> = sizes.iter().map(|&n| n as f64).collect();
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
        let line: Vec<(f64, f64)> =
            of(solver).iter().map(|c| (c.n as f64, c.theory.risk(ErrorNorm::Prediction).0)).collect();
        if line.iter().any(|(_, y)| y.is_finite()) && !seen.iter().any(|s| same(s, &line)) {
            seen.push(line.clone());
            lines.push(Series { style, mark: Mark::Levels(line) });
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
    let panel = |title: Markup, y_label: &str, series: Vec<Series>| Panel {
        title,
        y_label: math::text(y_label),
        series,
        x_slots: slots.clone(),
        ..Panel::default()
    };
    let error = panel(setting_title(setting, structure), "", lines);
    let failures = panel(Markup::default(), "optimum missed, share", missed);
    let time = panel(Markup::default(), "median time, s", points(&|c| (c.seconds, 0.0)));
    let y_label = math::root_mean_square(&math::prediction_error());
    [
        Panel { y_label, log_y: true, ..error },
        Panel { from_zero: true, ..failures },
        Panel { log_y: true, x_label: math::n(), ..time },
    ]
}

/// Whether two curves have the same bits, undefined values included.
fn same(a: &[(f64, f64)], b: &[(f64, f64)]) -> bool {
    let bits = |v: &[(f64, f64)]| v.iter().map(|(x, y)| (x.to_bits(), y.to_bits())).collect::<Vec<_>>();
    bits(a) == bits(b)
}
