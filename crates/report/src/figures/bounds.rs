//! Bounds, exact risk and measurement on one logarithmic axis, a panel a setting, i.i.d. Gaussian design.

use convstat_study::CellSummary;

use super::{FigureData, Grid, distinct, is_wide, setting_title};
use crate::math::escape;
use crate::panel::{LegendEntry, Mark, Panel, Point, Series, Symbol};
use crate::{Canvas, Result, math};

const WIDTH: f64 = 390.0;

pub(super) fn draw(data: &FigureData) -> Result<Option<Canvas>> {
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
    let panels: Vec<Panel> = settings.iter().map(|s| panel(&cells, s)).collect();
    let any_fails = cells.iter().any(|c| !c.theory.literature_holds);
    let entry = |style, symbol, text: &str| LegendEntry { text: escape(text), style, symbol };
    let mut legend = vec![
        entry(0, Symbol::Marker, "measured ± MCSE"),
        entry(0, Symbol::Line, "exact risk"),
        entry(
            2,
            Symbol::Line,
            &format!("explicit bound ({:.0} %), where it holds", 100.0 * data.summary.confidence),
        ),
        entry(1, Symbol::Line, "literature bound"),
    ];
    if any_fails {
        legend.push(entry(1, Symbol::Dashed, "the same where its condition on n fails"));
    }
    let columns = settings.len().min(2);
    let alt = format!(
        "Study {}: literature bound, explicit bound, exact risk and measured estimation error against the square \
         root of d_M over n on a logarithmic axis, one panel a setting.",
        data.name
    );
    data.on_grid(
        Grid { width: WIDTH * (columns as f64 / 2.0).max(0.8), row: 150.0, columns },
        &alt,
        panels,
        &legend,
    )
}

fn panel(cells: &[CellSummary], setting: &str) -> Panel {
    let mut mine: Vec<&CellSummary> = cells.iter().filter(|c| c.setting == setting).collect();
    mine.sort_by_key(|c| std::cmp::Reverse(c.n));
    let curve =
        |f: &dyn Fn(&CellSummary) -> f64| mine.iter().map(|c| (c.sqrt_dm_over_n(), f(c))).collect::<Vec<_>>();
    let points = mine.iter().map(|c| Point { x: c.sqrt_dm_over_n(), y: c.frob.0, error: c.frob.1 }).collect();
    let literature = |holds: bool| {
        let f = move |c: &CellSummary| {
            if c.theory.literature_holds == holds { c.theory.literature_frob } else { f64::NAN }
        };
        curve(&f)
    };
    let structure = mine.first().map_or("", |c| c.structure.as_str());
    Panel {
        title: setting_title(setting, structure),
        x_label: math::sqrt_dm_over_n(),
        y_label: math::frobenius_error(),
        log_x: is_wide(mine.iter().map(|c| c.sqrt_dm_over_n())),
        log_y: true,
        series: vec![
            Series { style: 1, mark: Mark::Curve(literature(true)) },
            Series { style: 1, mark: Mark::Dashed(literature(false)) },
            Series { style: 2, mark: Mark::Curve(curve(&|c| c.theory.explicit_frob)) },
            Series { style: 0, mark: Mark::Curve(curve(&|c| c.theory.risk_frob)) },
            Series { style: 0, mark: Mark::Points(points) },
        ],
        ..Panel::default()
    }
}
