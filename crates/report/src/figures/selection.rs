//! How often each criterion chooses the true structure against n; a panel a setting, a line a criterion. Where one key
//! varies, its mean value chosen is below.

use convstat_study::{CellSummary, StudyFile};
use maud::{Markup, html};

use super::kind::{FigureData, FigureKind};
use super::layout::{Grid, is_wide};
use super::names::{design_title, distinct, setting_title};
use super::requires::gaussian;
use crate::chapter::{Chapter, code};
use crate::panel::{LegendEntry, Mark, Panel, Point, Series, Symbol};
use crate::{Canvas, Result, math};

/// Series of the true value.
const TRUTH: usize = 6;

pub(super) const KIND: FigureKind =
    FigureKind { name: "selection", requires, notebook: |file| selects(file).then_some(CHAPTER), draw };

/// In notebooks.
const CHAPTER: Chapter = Chapter {
    text: "## Choice of the structure\n\nShare of the replicates in which each criterion chose the true structure.",
    code: code!("selection"),
};

fn selects(file: &StudyFile) -> bool {
    file.estimator.iter().any(|e| e.select.is_some())
}

fn requires(file: &StudyFile) -> std::result::Result<(), String> {
    if !selects(file) {
        return Err("it shows choices; give an [[estimator]] with select".to_owned());
    }
    gaussian(file)
}

fn draw(data: &FigureData) -> Result<Option<Canvas>> {
    let cells: Vec<CellSummary> =
        data.summary.cells.iter().filter(|c| c.selection.is_some()).cloned().collect();
    if cells.is_empty() {
        return Ok(None);
    }
    let designs = distinct(&cells, |c| &c.design);
    let criteria = distinct(&cells, |c| &c.solver);
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for c in &cells {
        if !keys.contains(&(c.setting.as_str(), c.design.as_str())) {
            keys.push((&c.setting, &c.design));
        }
    }
    let groups: Vec<Vec<&CellSummary>> = keys
        .iter()
        .map(|key| cells.iter().filter(|c| (c.setting.as_str(), c.design.as_str()) == *key).collect())
        .collect();
    let title = |group: &[&CellSummary]| {
        group.first().map_or_else(Markup::default, |c| {
            html! {
                (setting_title(&c.setting, &c.structure))
                @if designs.len() > 1 { ", " (design_title(&c.design)) }
            }
        })
    };
    let shares = |group: &[&CellSummary]| {
        let value = |c: &CellSummary| c.selection.as_ref().map_or((f64::NAN, 0.0), |s| s.right);
        let series = criteria.iter().enumerate().flat_map(|(i, name)| line(i, group, name, &value));
        Panel {
            title: title(group),
            y_label: math::text("share of right choices"),
            series: series.collect(),
            from_zero: true,
            y_holds: vec![1.0],
            ..frame(group)
        }
    };
    let has_mean = cells.iter().all(|c| c.selection.as_ref().is_some_and(|s| s.key.is_some()));
    // The mean under the share of the same setting.
    let stack = |group: &Vec<&CellSummary>| {
        [Some(shares(group)), has_mean.then(|| mean_panel(group, &criteria))].into_iter().flatten()
    };
    let panels: Vec<Panel> = groups.iter().flat_map(stack).collect();
    let heights: &[f64] = if has_mean { &[108.0, 108.0] } else { &[108.0] };
    let mut legend: Vec<LegendEntry> = criteria
        .iter()
        .enumerate()
        .map(|(style, name)| LegendEntry { text: math::text(name), style, symbol: Symbol::MarkerLine })
        .collect();
    if has_mean {
        legend.push(LegendEntry {
            text: math::text("truth, in the panels of means"),
            style: TRUTH,
            symbol: Symbol::Line,
        });
    }
    let text = math::text("Points: measured ± MCSE, joined by lines.");
    legend.push(LegendEntry { text, style: TRUTH, symbol: Symbol::Nothing });
    let alt = format!(
        "Study {}: share of the replicates in which each criterion chose the true structure, and the mean value chosen, \
         against n, one panel a setting, criteria {}.",
        data.name,
        criteria.join(", ")
    );
    data.on_grid(Grid::of(groups.len(), 2, heights), &alt, panels, legend)
}

fn frame(group: &[&CellSummary]) -> Panel {
    Panel { x_label: math::n(), log_x: is_wide(group.iter().map(|c| c.n as f64)), ..Panel::default() }
}

/// Points of one criterion, and a line through them.
fn line(
    style: usize,
    group: &[&CellSummary],
    criterion: &str,
    value: &dyn Fn(&CellSummary) -> (f64, f64),
) -> [Series; 2] {
    let mut mine: Vec<&&CellSummary> = group.iter().filter(|c| c.solver == criterion).collect();
    mine.sort_by_key(|c| c.n);
    let points: Vec<Point> = mine
        .iter()
        .map(|c| {
            let (y, error) = value(c);
            Point { x: c.n as f64, y, error }
        })
        .collect();
    let curve = points.iter().map(|p| (p.x, p.y)).collect();
    [Series { style, mark: Mark::Curve(curve) }, Series { style, mark: Mark::Points(points) }]
}

/// The mean value chosen of the key that varies, and the true one.
fn mean_panel(group: &[&CellSummary], criteria: &[&str]) -> Panel {
    let key = group.iter().find_map(|c| c.selection.as_ref()?.key.clone());
    let (name, truth) = key.unwrap_or_default();
    let sizes = || group.iter().map(|c| c.n as f64);
    let ends = [sizes().fold(f64::INFINITY, f64::min), sizes().fold(0.0, f64::max)];
    let mut series = Vec::new();
    if let Some(truth) = truth {
        let curve = ends.iter().map(|&n| (n, truth as f64)).collect();
        series.push(Series { style: TRUTH, mark: Mark::Curve(curve) });
    }
    let value = |c: &CellSummary| c.selection.as_ref().map_or((f64::NAN, 0.0), |s| s.mean);
    series.extend(criteria.iter().enumerate().flat_map(|(i, name)| line(i, group, name, &value)));
    Panel { y_label: math::text(format!("mean {name} chosen")), series, from_zero: true, ..frame(group) }
}
