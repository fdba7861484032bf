//! The K/R picture: error against the number of kernels, beside parameters against it.

use convstat_study::{Activation, CellSummary};
use convstat_theory::ErrorNorm;
use maud::html;

use super::kind::{FigureData, FigureKind};
use super::layout::Grid;
use super::requires;
use crate::chapter::{Chapter, code};
use crate::panel::{LegendEntry, Mark, Panel, Point, Series, Symbol};
use crate::{Canvas, Result, math};

/// Series of sample sizes and of counts (naive, d_M, df), no two of one colour, and that of plain text.
const SIZES: [usize; 4] = [0, 1, 2, 4];
const COUNTS: [usize; 3] = [5, 6, 3];
const PLAIN: usize = 6;

pub(super) const KIND: FigureKind =
    FigureKind { name: "kernels", requires: requires::nothing, notebook: |_| Some(CHAPTER), draw };

/// In notebooks.
const CHAPTER: Chapter = Chapter {
    text: "## Error and parameters against the number of kernels\n\nWhat the data identify (df) beside naive parameters.",
    code: code!("kernels"),
};

fn draw(data: &FigureData) -> Result<Option<Canvas>> {
    let mut cells: Vec<CellSummary> =
        data.summary.cells.iter().filter(|c| c.kernels.is_some()).cloned().collect();
    cells.sort_by_key(|c| (c.kernels, c.n));
    if cells.is_empty() {
        return Ok(None);
    }
    let mut sizes: Vec<u64> = cells.iter().map(|c| c.n).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let shown: Vec<u64> = sizes.iter().copied().step_by(sizes.len().div_ceil(SIZES.len())).collect();
    // Trained networks in rows of their own.
    let mut activations: Vec<Option<Activation>> = cells.iter().map(|c| c.activation).collect();
    activations.sort_by_key(|a| a.map(Activation::name));
    activations.dedup();
    let mut panels = Vec::new();
    for activation in activations {
        let own: Vec<&CellSummary> = cells.iter().filter(|c| c.activation == activation).collect();
        panels.extend(row(&own, &shown, activation));
    }
    let heading = |text: &str| LegendEntry { text: math::text(text), style: PLAIN, symbol: Symbol::Heading };
    let entry = |text, style| LegendEntry { text, style, symbol: Symbol::MarkerLine };
    let error = format!("Error (points: measured ± MCSE; lines: {} risk):", data.risk);
    let mut legend = vec![heading(&error)];
    legend.extend(shown.iter().zip(SIZES).map(|(n, style)| entry(html! { (math::n()) " = " (n) }, style)));
    legend.push(heading("Parameters:"));
    let counts = [math::text("naive parameters"), math::d_m(), math::text("df (identifiable)")];
    legend.extend(counts.into_iter().zip(COUNTS).map(|(text, style)| entry(text, style)));
    let alt = format!(
        "Study {}: left, the prediction error against the number of kernels with the curves of the {} risk; right, \
         naive parameters, sample complexity and identifiable dimension.",
        data.name, data.risk
    );
    data.on_grid(Grid::of(2, 2, &[120.0]), &alt, panels, legend)
}

/// Error and parameters of the networks with one activation.
fn row(cells: &[&CellSummary], shown: &[u64], activation: Option<Activation>) -> [Panel; 2] {
    // With one rank throughout, K/R is the abscissa; otherwise K itself.
    let one_rank = cells.iter().all(|c| c.rank == cells[0].rank);
    let rank = if one_rank { cells[0].rank.unwrap_or(1) as f64 } else { 1.0 };
    let x = |c: &CellSummary| c.kernels.unwrap_or(0) as f64 / rank;
    let design = cells[0].design.as_str();
    let mut series = Vec::new();
    for (n, style) in shown.iter().zip(SIZES) {
        let mine: Vec<&CellSummary> =
            cells.iter().copied().filter(|c| c.n == *n && c.design == design).collect();
        let points = mine.iter().map(|c| Point { x: x(c), y: c.pred.0, error: c.pred.1 }).collect();
        series.push(Series {
            style,
            mark: Mark::Curve(mine.iter().map(|c| (x(c), c.theory.risk(ErrorNorm::Prediction).0)).collect()),
        });
        series.push(Series { style, mark: Mark::Points(points) });
    }
    let mut ticks: Vec<f64> = cells.iter().map(|c| x(c)).collect();
    ticks.dedup();
    let label = if one_rank { math::ratio("K", "R") } else { math::italic("K") };
    let error = Panel {
        title: math::text(
            named(activation).map_or("error: what the data identify".to_owned(), |a| format!("{a}: error")),
        ),
        x_label: label.clone(),
        y_label: match activation {
            None => math::root_mean_square(&math::prediction_error()),
            Some(_) => math::text("prediction error (RMS)"),
        },
        series,
        log_x: one_rank,
        x_ticks: ticks.clone(),
        from_zero: true,
        ..Panel::default()
    };
    let first_n = shown[0];
    let one: Vec<&CellSummary> =
        cells.iter().copied().filter(|c| c.n == first_n && c.design == design).collect();
    let points = |f: &dyn Fn(&CellSummary) -> f64| -> Vec<Point> {
        one.iter().map(|c| Point { x: x(c), y: f(c), error: 0.0 }).collect()
    };
    let curve = |f: &dyn Fn(&CellSummary) -> f64| one.iter().map(|c| (x(c), f(c))).collect::<Vec<_>>();
    let counts: [&dyn Fn(&CellSummary) -> f64; 3] =
        [&|c| c.naive as f64, &|c| c.d_m as f64, &|c| c.df as f64];
    let parameters = Panel {
        title: math::text(named(activation).map_or("parameters".to_owned(), |a| format!("{a}: parameters"))),
        x_label: label,
        y_label: math::text("count"),
        series: counts
            .iter()
            .zip(COUNTS)
            .flat_map(|(f, style)| {
                [
                    Series { style, mark: Mark::Curve(curve(f)) },
                    Series { style, mark: Mark::Points(points(f)) },
                ]
            })
            .collect(),
        log_x: one_rank,
        x_ticks: ticks.clone(),
        from_zero: true,
        ..Panel::default()
    };
    [error, parameters]
}

/// A trained network's activation in a title.
fn named(activation: Option<Activation>) -> Option<&'static str> {
    activation.map(|a| match a {
        Activation::Identity => "linear",
        Activation::Relu => "ReLU",
    })
}
