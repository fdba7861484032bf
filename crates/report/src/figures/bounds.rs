//! Bounds, exact risk and measurement on one logarithmic axis, a panel a setting, i.i.d. Gaussian design.

use convstat_study::CellSummary;

use super::kind::{FigureData, FigureKind};
use super::layout::{Grid, is_wide};
use super::names::{distinct, setting_title};
use super::requires::{self, has_bounds};
use crate::chapter::{Chapter, code};
use crate::panel::{LegendEntry, Mark, Panel, Point, Series, Symbol};
use crate::{Canvas, Result, math};

pub(super) const KIND: FigureKind = FigureKind {
    name: "bounds",
    requires: requires::linear,
    notebook: |file| has_bounds(file).then_some(CHAPTER),
    draw,
};

/// In notebooks.
const CHAPTER: Chapter = Chapter {
    text: "## Bounds, risk and measurement\n\nThe literature bound has unknown constants, set as in the study file; it is \
             dashed where its condition on n fails. The explicit bound ends where its condition does.",
    code: code!("bounds"),
};

fn draw(data: &FigureData) -> Result<Option<Canvas>> {
    let cells: Vec<CellSummary> = data
        .summary
        .cells
        .iter()
        .filter(|c| !c.theory.explicit_frob.is_nan() && c.theory.literature_frob.is_finite())
        .cloned()
        .collect();
    if cells.is_empty() {
        return Ok(None);
    }
    let settings = distinct(&cells, |c| &c.setting);
    let panels: Vec<Panel> = settings.iter().map(|s| panel(data, &cells, s)).collect();
    let any_fails = cells.iter().any(|c| !c.theory.literature_holds);
    let entry = |style, symbol, text: &str| LegendEntry { text: math::text(text), style, symbol };
    let mut legend = vec![
        entry(0, Symbol::Marker, "measured ± MCSE"),
        entry(0, Symbol::Line, &format!("{} risk", data.risk)),
        entry(
            2,
            Symbol::Dashed,
            &format!("explicit bound ({:.0} %), where it holds", 100.0 * data.summary.confidence),
        ),
        entry(1, Symbol::Line, "literature bound"),
    ];
    if any_fails {
        legend.push(entry(1, Symbol::Dotted, "the same where its condition on n fails"));
    }
    let alt = format!(
        "Study {}: literature bound, explicit bound, {} risk and measured estimation error against the square \
         root of d_M over n on a logarithmic axis, one panel a setting.",
        data.name, data.risk
    );
    data.on_grid(Grid::of(settings.len(), 2, &[112.0]), &alt, panels, legend)
}

fn panel(data: &FigureData, cells: &[CellSummary], setting: &str) -> Panel {
    let mut mine: Vec<&CellSummary> = cells.iter().filter(|c| c.setting == setting).collect();
    mine.sort_by_key(|c| std::cmp::Reverse(c.n));
    let curve =
        |f: &dyn Fn(&CellSummary) -> f64| mine.iter().map(|c| (c.sqrt_dm_over_n(), f(c))).collect::<Vec<_>>();
    let points = mine.iter().map(|c| Point { x: c.sqrt_dm_over_n(), y: c.frob.0, error: c.frob.1 }).collect();
    let log_x = data.options.log_x.unwrap_or_else(|| is_wide(mine.iter().map(|c| c.sqrt_dm_over_n())));
    let log_y = data.options.log_y.unwrap_or(true);
    let literature: Vec<((f64, f64), bool)> = curve(&|c| c.theory.literature_frob)
        .into_iter()
        .zip(mine.iter().map(|c| c.theory.literature_holds))
        .collect();
    let structure = mine.first().map_or("", |c| c.structure.as_str());
    Panel {
        title: setting_title(setting, structure),
        x_label: math::sqrt_dm_over_n(),
        y_label: math::frobenius_error(),
        log_x,
        log_y,
        series: vec![
            Series { style: 1, mark: Mark::Curve(part(&literature, true, [log_x, log_y])) },
            Series { style: 1, mark: Mark::Dotted(part(&literature, false, [log_x, log_y])) },
            Series { style: 2, mark: Mark::Dashed(curve(&|c| c.theory.explicit_frob)) },
            Series { style: 0, mark: Mark::Curve(curve(&|c| c.theory.risk_frob)) },
            Series { style: 0, mark: Mark::Points(points) },
        ],
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
