//! How often the error exceeds the explicit bound and the risk quantile, against the stated probability.

use convstat_study::CellSummary;
use convstat_study::file::Figure;
use convstat_theory::{ErrorNorm, ExplicitBound, bounds::find, explicit_bound, prediction_quantile};

use super::kind::{FigureData, FigureKind};
use super::layout::Grid;
use super::names::{distinct, setting_title};
use super::requires::{self, has_bounds};
use crate::chapter::{Chapter, code};
use crate::panel::{LegendEntry, Mark, Panel, Point, Series, Symbol};
use crate::{Canvas, Result, math};

/// Stated probabilities of exceedance.
const LEVELS: [f64; 9] = [0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7, 0.9];
/// Pieces of a line that is a curve on the axes.
const CORNERS: u32 = 40;

pub(super) const KIND: FigureKind = FigureKind {
    name: "coverage",
    requires: requires::linear,
    notebook: |file| has_bounds(file).then_some(CHAPTER),
    draw,
};

/// In notebooks.
const CHAPTER: Chapter = Chapter {
    text: "## How often the explicit bound is exceeded\n\nIt may be exceeded with the stated probability at most.",
    code: code!("coverage"),
};

fn draw(data: &FigureData) -> Result<Option<Canvas>> {
    let Some(bound) = find(data.summary.bounds, "explicit") else { return Ok(None) };
    let has_bound = |c: &&CellSummary| {
        !c.theory.bound(bound, ErrorNorm::Prediction).is_nan() && width(c).is_finite() && data.sigma > 0.0
    };
    let cells: Vec<CellSummary> = data.summary.cells.iter().filter(has_bound).cloned().collect();
    if cells.is_empty() {
        return Ok(None);
    }
    let settings = distinct(&cells, |c| &c.setting);
    let panels: Vec<Panel> = settings
        .iter()
        .map(|s| panel(data, &cells.iter().filter(|c| c.setting == *s).collect::<Vec<_>>(), s))
        .collect();
    let legend = vec![
        LegendEntry { text: math::text("risk quantile, smallest n"), style: 0, symbol: Symbol::Marker },
        LegendEntry { text: math::text("risk quantile, largest n"), style: 2, symbol: Symbol::Marker },
        LegendEntry { text: math::text("explicit bound (all n)"), style: 1, symbol: Symbol::Marker },
        LegendEntry { text: math::text("frequency = stated probability"), style: 6, symbol: Symbol::Line },
    ];
    let alt = format!(
        "Study {}: measured frequency of errors above the explicit bound and above the quantile of the risk, against \
         the stated probability, one panel a setting.",
        data.name
    );
    data.on_grid(Grid::of(panels.len(), 2, &[118.0]), &alt, panels, legend)
}

/// The width of the explicit bound in a cell.
fn width(c: &CellSummary) -> f64 {
    c.theory.value("explicit_bound_width")
}

/// Frequency = stated probability: a line, but on one logarithmic axis of two a curve, which begins at the smallest level.
fn identity(options: &Figure) -> Vec<(f64, f64)> {
    if options.log_x != Some(true) && options.log_y != Some(true) {
        return vec![(0.0, 0.0), (1.0, 1.0)];
    }
    let corner = |i: u32| LEVELS[0].powf(1.0 - f64::from(i) / f64::from(CORNERS));
    (0..=CORNERS).map(|i| (corner(i), corner(i))).collect()
}

/// Share of `errors` above `bound` and its binomial standard error.
fn exceedance(errors: &[f64], bound: f64) -> (f64, f64) {
    let n = errors.len() as f64;
    let share = errors.iter().filter(|e| **e > bound).count() as f64 / n;
    (share, (share * (1.0 - share) / n).sqrt())
}

fn panel(data: &FigureData, cells: &[&CellSummary], setting: &str) -> Panel {
    let sizes = [cells.iter().min_by_key(|c| c.n), cells.iter().max_by_key(|c| c.n)];
    let mut series = vec![Series { style: 6, mark: Mark::Curve(identity(data.options)) }];
    for (style, cell) in [0, 2].into_iter().zip(sizes.into_iter().flatten()) {
        let points = LEVELS
            .iter()
            .filter_map(|&level| {
                let q = prediction_quantile(cell.df, data.sigma, cell.n as f64, 1.0 - level).ok()??;
                let (y, error) = exceedance(&cell.errors_pred, q);
                Some(Point { x: level, y, error })
            })
            .collect();
        series.push(Series { style, mark: Mark::Points(points) });
    }
    let all: Vec<Point> = LEVELS
        .iter()
        .filter_map(|&level| {
            let t = ExplicitBound::t_for(1.0 - level).ok()?;
            let (mut over, mut total) = (0usize, 0usize);
            for c in cells {
                let bound = ExplicitBound { width: width(c), t };
                let value = explicit_bound(&bound, data.sigma, c.n as f64).ok()?;
                over += c.errors_pred.iter().filter(|e| **e > value.error).count();
                total += c.errors_pred.len();
            }
            Some(Point { x: level, y: over as f64 / total.max(1) as f64, error: 0.0 })
        })
        .collect();
    series.push(Series { style: 1, mark: Mark::Points(all) });
    let structure = cells.first().map_or("", |c| c.structure.as_str());
    Panel {
        title: setting_title(setting, structure),
        x_label: math::text("stated probability of a larger error"),
        y_label: math::text("measured frequency"),
        series,
        ..Panel::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_equality_runs_over_the_positive_range_of_logarithmic_axes() {
        let plain = Figure::new("coverage");
        assert_eq!(identity(&plain), [(0.0, 0.0), (1.0, 1.0)]);
        for (log_x, log_y) in [(true, false), (false, true), (true, true)] {
            let figure = Figure { log_x: Some(log_x), log_y: Some(log_y), ..plain.clone() };
            let line = identity(&figure);
            assert!(line.len() > 20 && line.iter().all(|(x, y)| x == y && *x > 0.0));
            assert!((line[0].0 - LEVELS[0]).abs() < 1e-12 && line[line.len() - 1] == (1.0, 1.0));
        }
    }
}
