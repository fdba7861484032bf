//! Bounds, exact risk and measurement on one logarithmic axis, a panel a setting.

use convstat_study::CellSummary;
use convstat_theory::{Bound, ErrorNorm};

use super::kind::{FigureData, FigureKind};
use super::layout::{Grid, is_wide};
use super::names::{distinct, setting_title};
use super::requires::{self, has_bounds};
use crate::bounds::stated;
use crate::chapter::{Chapter, code};
use crate::panel::{LegendEntry, Mark, Panel, Point, Series, Symbol};
use crate::{Canvas, Result, math};

/// Styles of bounds in the order of the registry; measurement and risk have 0.
const STYLES: [usize; 6] = [2, 1, 3, 4, 5, 6];
const NORM: ErrorNorm = ErrorNorm::Frobenius;

/// A bound with the style of its curve.
type Styled = (&'static dyn Bound, usize);

pub(super) const KIND: FigureKind = FigureKind {
    name: "bounds",
    requires: requires::linear,
    notebook: |file| has_bounds(file).then_some(CHAPTER),
    draw,
};

/// In notebooks.
const CHAPTER: Chapter = Chapter {
    text: "## Bounds, risk and measurement\n\nA bound with unknown constants, set as in the study file, is \
           dashed where its condition on n fails. Any other ends where its condition does.",
    code: code!("bounds"),
};

fn draw(data: &FigureData) -> Result<Option<Canvas>> {
    let bounds: Vec<Styled> = stated(data.summary)
        .into_iter()
        .filter(|b| b.norms().contains(&NORM))
        .zip(STYLES.into_iter().cycle())
        .collect();
    let all = &data.summary.cells;
    let names = distinct(all, |c| &c.setting);
    let cells: Vec<CellSummary> = names.iter().flat_map(|setting| bounded(&bounds, all, setting)).collect();
    if cells.is_empty() {
        return Ok(None);
    }
    let settings = distinct(&cells, |c| &c.setting);
    let panels: Vec<Panel> = settings.iter().map(|s| panel(data, &bounds, &cells, s)).collect();
    let entry = |style, symbol, text: &str| LegendEntry { text: math::text(text), style, symbol };
    let mut legend = vec![
        entry(0, Symbol::Marker, "measured ± MCSE"),
        entry(0, Symbol::Line, &format!("{} risk", data.risk)),
    ];
    for &(bound, style) in &bounds {
        let title = bound.title();
        if !bound.has_unknown_constants() {
            let percent = 100.0 * data.summary.confidence;
            legend.push(entry(style, Symbol::Dashed, &format!("{title} ({percent:.0} %), where it holds")));
            continue;
        }
        legend.push(entry(style, Symbol::Line, title));
        if cells.iter().any(|c| !c.theory.condition_holds(bound)) {
            legend.push(entry(style, Symbol::Dotted, "the same where its condition on n fails"));
        }
    }
    let titles: Vec<&str> = bounds.iter().rev().map(|b| b.0.title()).collect();
    let alt = format!(
        "Study {}: {}, {} risk and measured estimation error against the square \
         root of d_M over n on a logarithmic axis, one panel a setting.",
        data.name,
        titles.join(", "),
        data.risk
    );
    data.on_grid(Grid::of(settings.len(), 2, &[112.0]), &alt, panels, legend)
}

/// The cells of a setting to which the most bounds apply (its designs may differ in that); none where no bound is finite.
fn bounded(bounds: &[Styled], cells: &[CellSummary], setting: &str) -> Vec<CellSummary> {
    let value = |c: &CellSummary, b: &Styled| c.theory.bound(b.0, NORM);
    let count = |c: &CellSummary| bounds.iter().filter(|b| !value(c, b).is_nan()).count();
    let own: Vec<&CellSummary> = cells.iter().filter(|c| c.setting == setting).collect();
    let most = own.iter().map(|c| count(c)).max().unwrap_or(0);
    let is_shown = |c: &CellSummary| count(c) == most && bounds.iter().any(|b| value(c, b).is_finite());
    own.into_iter().filter(|c| is_shown(c)).cloned().collect()
}

fn panel(data: &FigureData, bounds: &[Styled], cells: &[CellSummary], setting: &str) -> Panel {
    let mut mine: Vec<&CellSummary> = cells.iter().filter(|c| c.setting == setting).collect();
    mine.sort_by_key(|c| std::cmp::Reverse(c.n));
    let curve =
        |f: &dyn Fn(&CellSummary) -> f64| mine.iter().map(|c| (c.sqrt_dm_over_n(), f(c))).collect::<Vec<_>>();
    let points = mine.iter().map(|c| Point { x: c.sqrt_dm_over_n(), y: c.frob.0, error: c.frob.1 }).collect();
    let log_x = data.options.log_x.unwrap_or_else(|| is_wide(mine.iter().map(|c| c.sqrt_dm_over_n())));
    let log_y = data.options.log_y.unwrap_or(true);
    let mut series = Vec::new();
    // The first one last, above the others.
    for &(bound, style) in bounds.iter().rev() {
        let curve = curve(&|c| c.theory.bound(bound, NORM));
        if !bound.has_unknown_constants() {
            series.push(Series { style, mark: Mark::Dashed(curve) });
            continue;
        }
        let holds = mine.iter().map(|c| c.theory.condition_holds(bound));
        let curve: Vec<((f64, f64), bool)> = curve.into_iter().zip(holds).collect();
        series.push(Series { style, mark: Mark::Curve(part(&curve, true, [log_x, log_y])) });
        series.push(Series { style, mark: Mark::Dotted(part(&curve, false, [log_x, log_y])) });
    }
    series.push(Series { style: 0, mark: Mark::Curve(curve(&|c| c.theory.risk(NORM).0)) });
    series.push(Series { style: 0, mark: Mark::Points(points) });
    let structure = mine.first().map_or("", |c| c.structure.as_str());
    Panel {
        title: setting_title(setting, structure),
        x_label: math::sqrt_dm_over_n(),
        y_label: math::frobenius_error(),
        log_x,
        log_y,
        series,
        ..Panel::default()
    }
}

/// The part of a curve whose points have a property, with half of each piece to a neighbour that has it not, so that both
/// parts together are one curve; undefined between its pieces. `log`: which axes are logarithmic.
fn part(curve: &[((f64, f64), bool)], has: bool, log: [bool; 2]) -> Vec<(f64, f64)> {
    let middle = |a: f64, b: f64, log: bool| if log { (a * b).sqrt() } else { f64::midpoint(a, b) };
    let mut out = Vec::new();
    for (i, &(here, own)) in curve.iter().enumerate() {
        if own == has {
            out.push(here);
        }
        if let Some(&(next, other)) = curve.get(i + 1).filter(|next| next.1 != own) {
            out.push((middle(here.0, next.0, log[0]), middle(here.1, next.1, log[1])));
            if other != has {
                out.push((next.0, f64::NAN));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_curve_meet_half_way() {
        let curve = [((1.0, 1.0), true), ((4.0, 16.0), false), ((16.0, 256.0), false)];
        let defined = |has, log| -> Vec<(f64, f64)> {
            part(&curve, has, log).into_iter().filter(|p| p.1.is_finite()).collect()
        };
        assert_eq!(defined(true, [true, true]), [(1.0, 1.0), (2.0, 4.0)]);
        assert_eq!(defined(false, [true, true]), [(2.0, 4.0), (4.0, 16.0), (16.0, 256.0)]);
        assert_eq!(defined(true, [false, false]), [(1.0, 1.0), (2.5, 8.5)]);
        // A piece between two others has both halves and a break behind it.
        let curve = [((1.0, 1.0), false), ((2.0, 2.0), true), ((3.0, 3.0), false), ((4.0, 4.0), true)];
        let xs = |has| part(&curve, has, [false, false]);
        assert_eq!(xs(true)[..3], [(1.5, 1.5), (2.0, 2.0), (2.5, 2.5)]);
        assert!(xs(true)[3].1.is_nan());
        assert_eq!(xs(true)[4..], [(3.5, 3.5), (4.0, 4.0)]);
    }
}
