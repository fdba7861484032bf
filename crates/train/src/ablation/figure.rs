//! The ablation's picture: accuracy against K/R, beside accuracy against parameters.

use convstat_report::grid::{Row, draw_grid};
use convstat_report::panel::{LegendEntry, Mark, Panel, Point, Series, Symbol};
use convstat_report::{Canvas, math};

use super::plan::Fixed;
use super::summary::{CellSummary, Summary};

/// Most series that colours tell apart.
const MOST_SERIES: usize = 7;
/// Width of the figure (180 mm) and height of its plots, points.
const WIDTH: f64 = 180.0 * 72.0 / 25.4;
const HEIGHT: f64 = 125.0;

/// Block, what stays fixed, and the cells of a series.
type Line<'a> = (String, Fixed, Vec<&'a CellSummary>);

/// Draws a summary; none where no cell has results.
///
/// # Errors
/// What the drawing library says.
pub fn draw(summary: &Summary) -> convstat_report::Result<Option<Canvas>> {
    let series = series_of(summary);
    if series.is_empty() {
        return Ok(None);
    }
    let mut ticks: Vec<f64> = series.iter().flat_map(|s| s.2.iter().map(|c| c.kr)).collect();
    ticks.sort_by(f64::total_cmp);
    ticks.dedup();
    // At a fixed budget all networks stand at one number of parameters, where a line would say nothing.
    let panel = |title: &str,
                 x_label: math::Label,
                 x_ticks: Vec<f64>,
                 budgets: bool,
                 x: &dyn Fn(&CellSummary) -> f64| {
        Panel {
            title: math::text(title),
            x_label,
            y_label: math::text("test accuracy, %"),
            series: series
                .iter()
                .enumerate()
                .flat_map(|(style, (_, fixed, cells))| {
                    let mut cells = cells.clone();
                    cells.sort_by(|a, b| x(a).total_cmp(&x(b)));
                    let points = cells.iter().map(|c| Point {
                        x: x(c),
                        y: 100.0 * c.accuracy.0,
                        error: if c.accuracy.1.is_nan() { 0.0 } else { 100.0 * c.accuracy.1 },
                    });
                    let line = cells.iter().map(|c| (x(c), 100.0 * c.accuracy.0)).collect();
                    let line = Series { style, mark: Mark::Curve(line) };
                    let points = Series { style, mark: Mark::Points(points.collect()) };
                    [(budgets || *fixed == Fixed::R).then_some(line), Some(points)].into_iter().flatten()
                })
                .collect(),
            log_x: true,
            x_ticks,
            ..Panel::default()
        }
    };
    let panels = vec![
        panel("accuracy against K/R", math::ratio("K", "R"), ticks, true, &|c| c.kr),
        panel("accuracy against parameters", math::text("parameters"), Vec::new(), false, &|c| {
            c.parameters as f64
        }),
    ];
    let drawn = draw_grid("ablation", WIDTH, &[Row { height: HEIGHT, panels }], &legend(&series))?;
    let alt = format!(
        "Ablation {}: left, test accuracy against the K/R ratio; right, against the number of parameters.",
        summary.name
    );
    Ok(Some(Canvas::new(&summary.name, &alt, (WIDTH, drawn.height), drawn.drawing)))
}

/// The cells with results by block and by what stays fixed.
fn series_of(summary: &Summary) -> Vec<Line<'_>> {
    let mut series: Vec<Line> = Vec::new();
    for cell in summary.cells.iter().filter(|c| c.seeds > 0) {
        for &fixed in &cell.fixed {
            match series.iter_mut().find(|(block, f, _)| *block == cell.block && *f == fixed) {
                Some((_, _, cells)) => cells.push(cell),
                None => series.push((cell.block.clone(), fixed, vec![cell])),
            }
        }
    }
    series.truncate(MOST_SERIES);
    series
}

/// What the colours mean.
fn legend(series: &[Line]) -> Vec<LegendEntry> {
    let several = series.iter().any(|s| s.0 != series[0].0);
    let mut legend: Vec<LegendEntry> = series
        .iter()
        .enumerate()
        .map(|(style, (block, fixed, _))| {
            let what = match fixed {
                Fixed::R => "fixed R",
                Fixed::Parameters => "fixed number of parameters",
                Fixed::Macs => "fixed number of MACs",
            };
            let text = if several { format!("{block}, {what}") } else { what.to_owned() };
            LegendEntry { text: math::text(text), style, symbol: Symbol::MarkerLine }
        })
        .collect();
    let seeds = series.iter().flat_map(|s| s.2.iter().map(|c| c.seeds)).min().unwrap_or(0);
    let unjoined = if series.iter().any(|s| s.1 != Fixed::R) {
        " Right, networks of one budget are not joined."
    } else {
        ""
    };
    legend.push(LegendEntry {
        text: math::text(format!("Mean ± standard error over {seeds} seeds.{unjoined}")),
        style: 6,
        symbol: Symbol::Nothing,
    });
    legend
}
