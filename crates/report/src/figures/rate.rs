//! Error against `√(d_M/n)`: a row a norm, a column a design, a series a setting (and solver).

use convstat_study::CellSummary;
use convstat_theory::ErrorNorm;
use maud::{Markup, html};

use super::kind::{FigureData, FigureKind};
use super::layout::{Grid, is_wide};
use super::names::{design_title, distinct, setting_title};
use super::requires;
use crate::chapter::{Chapter, code};
use crate::panel::{LegendEntry, Mark, Panel, Point, Series, Symbol};
use crate::{Canvas, Result, math};

pub(super) const KIND: FigureKind =
    FigureKind { name: "rate", requires: requires::nothing, notebook: |_| Some(CHAPTER), draw };

/// In notebooks.
const CHAPTER: Chapter = Chapter {
    text: "## Error against √(d_M/n)\n\nPoints are measured errors with their Monte Carlo standard errors, lines the risk; \
             nothing is fitted.",
    code: code!("rate"),
};

fn draw(data: &FigureData) -> Result<Option<Canvas>> {
    let cells = &data.summary.cells;
    if cells.is_empty() {
        return Ok(None);
    }
    let designs = distinct(cells, |c| &c.design);
    let solvers = distinct(cells, |c| &c.solver);
    let series_of = |c: &CellSummary| (c.setting.clone(), c.solver.clone());
    let mut keys: Vec<(String, String)> = Vec::new();
    for c in cells {
        if !keys.contains(&series_of(c)) {
            keys.push(series_of(c));
        }
    }
    let norms: [(Markup, fn(&CellSummary) -> ((f64, f64), f64)); 2] = [
        (math::prediction_error(), |c| (c.pred, c.theory.risk(ErrorNorm::Prediction).0)),
        (math::frobenius_error(), |c| (c.frob, c.theory.risk(ErrorNorm::Frobenius).0)),
    ];
    let wide = is_wide(cells.iter().map(CellSummary::sqrt_dm_over_n));
    let mut panels = Vec::new();
    for design in &designs {
        for (norm, value) in &norms {
            let mut series = Vec::new();
            for (style, key) in keys.iter().enumerate() {
                let mut mine: Vec<&CellSummary> =
                    cells.iter().filter(|c| c.design == *design && series_of(c) == *key).collect();
                mine.sort_by_key(|c| std::cmp::Reverse(c.n));
                let curve = mine.iter().map(|c| (c.sqrt_dm_over_n(), value(c).1)).collect();
                let points = mine
                    .iter()
                    .map(|c| Point { x: c.sqrt_dm_over_n(), y: value(c).0.0, error: value(c).0.1 })
                    .collect();
                series.push(Series { style, mark: Mark::Curve(curve) });
                series.push(Series { style, mark: Mark::Points(points) });
            }
            panels.push(Panel {
                title: design_title(design),
                x_label: math::sqrt_dm_over_n(),
                y_label: math::root_mean_square(norm),
                log_x: wide,
                log_y: wide,
                series,
                ..Panel::default()
            });
        }
    }
    let structure = |setting: &str| cells.iter().find(|c| c.setting == setting).map_or("", |c| &c.structure);
    let mut legend: Vec<LegendEntry> = keys
        .iter()
        .enumerate()
        .map(|(style, (setting, solver))| {
            let text = html! {
                (setting_title(setting, structure(setting)))
                @if solvers.len() > 1 { ", " (solver) }
            };
            LegendEntry { text, style, symbol: Symbol::MarkerLine }
        })
        .collect();
    let risk = data.risk;
    legend.push(LegendEntry {
        text: math::text(format!("Points: measured ± MCSE. Lines: {risk} risk.")),
        style: 6,
        symbol: Symbol::Nothing,
    });
    let alt = format!(
        "Study {}: root mean squared prediction and estimation error against the square root of d_M over n, \
         measured points with Monte Carlo standard errors on the curves of the {risk} risk, designs {}.",
        data.name,
        designs.join(", ")
    );
    data.on_grid(Grid::of(designs.len(), 3, &[108.0, 108.0]), &alt, panels, legend)
}
