//! Every structure and geometry on one line: prediction error over σ against `√(df/(n−df−1))` (THEORY §4.3).

use super::{FigureData, Grid, distinct, setting_title};
use crate::math::escape;
use crate::panel::{LegendEntry, Mark, Panel, Point, Series, Symbol};
use crate::{Canvas, Result, math};

pub(super) fn draw(data: &FigureData) -> Result<Option<Canvas>> {
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
    let x = |c: &convstat_study::CellSummary| (c.df as f64 / (c.n as f64 - c.df as f64 - 1.0)).sqrt();
    let settings = distinct(&cells, |c| &c.setting);
    let ends = cells.iter().map(x).fold((f64::INFINITY, 0.0f64), |(a, b), v| (a.min(v), b.max(v)));
    let line = vec![(ends.0 * 0.9, ends.0 * 0.9), (ends.1 * 1.05, ends.1 * 1.05)];
    let mut series = vec![Series { style: 6, mark: Mark::Curve(line) }];
    for (style, setting) in settings.iter().enumerate() {
        let points = cells
            .iter()
            .filter(|c| c.setting == *setting)
            .map(|c| Point { x: x(c), y: c.pred.0 / data.sigma, error: c.pred.1 / data.sigma })
            .collect();
        series.push(Series { style, mark: Mark::Points(points) });
    }
    let panel = Panel {
        title: String::new(),
        x_label: math::collapse_abscissa(),
        y_label: format!("{} / σ", math::root_mean_square(&math::prediction_error())),
        series,
        log_x: true,
        log_y: true,
        ..Panel::default()
    };
    let structure = |s: &str| cells.iter().find(|c| c.setting == s).map_or("", |c| c.structure.as_str());
    let mut legend: Vec<LegendEntry> = settings
        .iter()
        .enumerate()
        .map(|(style, s)| LegendEntry { text: setting_title(s, structure(s)), style, symbol: Symbol::Marker })
        .collect();
    legend.push(LegendEntry { text: escape("exact risk (the diagonal)"), style: 6, symbol: Symbol::Line });
    let alt = format!(
        "Study {}: prediction error against the root of df over n minus df minus 1; all structures and geometries fall \
         on the diagonal.",
        data.name
    );
    data.on_grid(Grid { width: 390.0, row: 290.0, columns: 1 }, &alt, vec![panel], &legend)
}
