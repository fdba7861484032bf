//! How often confidence intervals and regions hold the truth against n, with the level as a line; a panel a setting.

use convstat_study::{CellSummary, StudyFile};
use maud::{Markup, html};

use super::kind::{FigureData, FigureKind};
use super::layout::{Grid, is_wide};
use super::names::{design_title, distinct, setting_title};
use super::requires::gaussian;
use crate::chapter::{Chapter, code};
use crate::panel::{LegendEntry, Mark, Panel, Point, Series, Symbol};
use crate::{Canvas, Result, math};

const NAMES: [&str; 3] = ["entries of W*", "predictions", "region"];

pub(super) const KIND: FigureKind = FigureKind {
    name: "confidence",
    requires,
    notebook: |file| file.inference.is_some().then_some(CHAPTER),
    draw,
};

/// In notebooks.
const CHAPTER: Chapter = Chapter {
    text: "## Coverage of confidence intervals and regions\n\nThe line is the level of the study.",
    code: code!("confidence"),
};

fn requires(file: &StudyFile) -> std::result::Result<(), String> {
    if file.inference.is_none() {
        return Err("it shows coverage; give a table [inference]".to_owned());
    }
    gaussian(file)
}

fn draw(data: &FigureData) -> Result<Option<Canvas>> {
    let cells: Vec<CellSummary> =
        data.summary.cells.iter().filter(|c| c.coverage.is_some()).cloned().collect();
    let Some(level) = cells.first().and_then(|c| c.coverage).map(|c| c.level) else { return Ok(None) };
    let several = [distinct(&cells, |c| &c.design).len() > 1, distinct(&cells, |c| &c.solver).len() > 1];
    let mut keys: Vec<(&str, &str, &str)> = Vec::new();
    for c in &cells {
        let key = (c.setting.as_str(), c.design.as_str(), c.solver.as_str());
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let mut panels: Vec<Panel> = keys
        .iter()
        .map(|key| {
            let of = |c: &&CellSummary| (c.setting.as_str(), c.design.as_str(), c.solver.as_str()) == *key;
            panel(&cells.iter().filter(of).collect::<Vec<_>>(), level, several)
        })
        .collect();
    // One scale for all panels.
    let ends = cells.iter().filter_map(|c| c.coverage).flat_map(|c| c.means);
    let y_holds: Vec<f64> = ends.flat_map(|(y, e)| [y - e, y + e]).filter(|y| y.is_finite()).collect();
    panels.iter_mut().for_each(|p| p.y_holds.clone_from(&y_holds));
    let mut legend: Vec<LegendEntry> = NAMES
        .iter()
        .enumerate()
        .map(|(style, name)| LegendEntry { text: math::text(name), style, symbol: Symbol::Marker })
        .collect();
    legend.push(LegendEntry {
        text: math::text(format!("level {level} (points ± MCSE)")),
        style: 6,
        symbol: Symbol::Line,
    });
    let alt = format!(
        "Study {}: share of the entries of W*, of the predictions and of the confidence regions that hold the truth, \
         against n, with the level {level} as a line, one panel a setting.",
        data.name
    );
    data.on_grid(Grid::of(panels.len(), 2, &[108.0]), &alt, panels, legend)
}

fn panel(cells: &[&CellSummary], level: f64, several: [bool; 2]) -> Panel {
    let n = |c: &CellSummary| c.n as f64;
    let ends = cells.iter().fold((f64::INFINITY, 0.0f64), |(l, h), c| (l.min(n(c)), h.max(n(c))));
    let mut series = vec![Series { style: 6, mark: Mark::Curve(vec![(ends.0, level), (ends.1, level)]) }];
    for style in 0..NAMES.len() {
        let point = |c: &&CellSummary| {
            let (y, error) = c.coverage.map_or((f64::NAN, 0.0), |k| k.means[style]);
            Point { x: n(c), y, error }
        };
        series.push(Series { style, mark: Mark::Points(cells.iter().map(point).collect()) });
    }
    let title = cells.first().map_or_else(Markup::default, |c| {
        html! {
            (setting_title(&c.setting, &c.structure))
            @if several[0] { ", " (design_title(&c.design)) }
            @if several[1] { ", " (c.solver) }
        }
    });
    Panel {
        title,
        x_label: math::n(),
        y_label: math::text("coverage"),
        log_x: is_wide(cells.iter().map(|c| n(c))),
        series,
        ..Panel::default()
    }
}
