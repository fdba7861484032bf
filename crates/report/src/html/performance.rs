//! What was measured: the study's figures, and a row a cell with theory beside it.

use convstat_runner::Column as Stored;
use convstat_study::{CellSummary, Plan, Summary};
use convstat_theory::{Bound, ErrorNorm};

use maud::{Markup, html};

use super::download::download;
use super::figure::figure;
use super::notation::{n, rate, with_formula};
use super::table::{Cell, Column, table_with_notes, without_constants};
use crate::bounds;
use crate::csv;
use crate::digits::{self, Notation, is_unanimous};
use crate::figures::design_name;
use crate::missing;
use crate::{Result, figures};

/// Figures, then the summary.
pub fn performance(plan: &Plan, summary: &Summary) -> Result<Markup> {
    if summary.cells.is_empty() {
        return Ok(html! { p { "No replicate is stored yet, so there is nothing to show." } });
    }
    let canvases = figures::canvases(&plan.file, summary)?;
    let drawn =
        canvases.iter().enumerate().map(|(i, canvas)| figure(i + 1, canvas)).collect::<Result<Vec<_>>>()?;
    let (mut columns, mut rows) = (columns(summary), rows(summary));
    let constants = without_constants(&["Design", "Estimator", "Replicates"], &mut columns, &mut rows);
    let caption = html! { (caption(summary)) (constants) };
    let file = format!("{}-summary.csv", plan.file.study.name);
    Ok(html! {
        @for figure in &drawn { (figure) }
        @if drawn.is_empty() {
            p { "The run has no cell with data for the figures that the study names." }
        }
        (table_with_notes("summary", caption, &columns, &rows, &notes(summary)))
        p class="buttons" {
            (download(&file, "text/csv", &summary_csv(plan, summary), "Summary in full precision (CSV)"))
        }
    })
}

/// What the summary's cells have beyond errors and risk.
struct Shown {
    frobenius: bool,
    /// Bounds with numbers.
    bounds: Vec<&'static dyn Bound>,
    coverage: bool,
    selection: bool,
    /// Times are in milliseconds.
    milliseconds: bool,
}

impl Shown {
    fn new(summary: &Summary) -> Self {
        /// Slower replicates have their time in seconds.
        const SLOW: f64 = 100.0;
        let any = |f: &dyn Fn(&CellSummary) -> bool| summary.cells.iter().any(f);
        Self {
            frobenius: any(&|c| c.frob.0.is_finite()),
            bounds: bounds::stated(summary),
            coverage: any(&|c| c.coverage.is_some()),
            selection: any(&|c| c.selection.is_some()),
            milliseconds: !any(&|c| c.seconds > SLOW),
        }
    }
}

fn caption(summary: &Summary) -> Markup {
    let shown = Shown::new(summary);
    html! {
        "Summary, a row a cell: root mean squared errors with their Monte Carlo standard errors in parentheses, beside the risk. \
         Column heads sort."
        @for bound in shown.bounds {
            @if !bound.has_unknown_constants() {
                " The " (bound.title()) " holds with probability " (summary.confidence) "; ∞ where its condition fails."
            } @else if summary.cells.iter().any(|c| !c.theory.condition_holds(bound)) {
                " † The " (bound.title()) "’s condition on " (n()) " fails."
            }
        }
        " Failures: errors, fits that did not converge and missed optima, by kind " a href="#failures" { "below" } ". Time: median \
         of a replicate."
    }
}

/// Shares of replicates in a cell, each with its Monte Carlo standard error and the number of replicates.
fn shares(c: &CellSummary) -> Vec<((f64, f64), usize)> {
    let covered = c.coverage.iter().flat_map(|k| k.means.map(|m| (m, k.replicates)));
    let chosen = c.selection.iter().map(|s| (s.right, c.replicates()));
    covered.chain(chosen).collect()
}

/// Below the table: why a number lacks, and what stands for a standard error that is none.
fn notes(summary: &Summary) -> Markup {
    let shown = Shown::new(summary);
    let any = |f: &dyn Fn(&CellSummary) -> bool| summary.cells.iter().any(f);
    let nan = f64::is_nan;
    let risk_lacks = |c: &CellSummary| {
        let lacks = |norm| nan(c.theory.risk(norm).0);
        lacks(ErrorNorm::Prediction) || shown.frobenius && lacks(ErrorNorm::Frobenius)
    };
    let covered = |c: &CellSummary| c.coverage.is_some_and(|k| k.means.iter().all(|m| !nan(m.0)));
    let mut lacking: Vec<(String, bool)> = vec![
        ("err_pred".to_owned(), any(&|c| nan(c.pred.0))),
        ("risk_pred".to_owned(), any(&risk_lacks)),
        ("covered_".to_owned(), shown.coverage && any(&|c| !covered(c))),
        ("chosen_".to_owned(), shown.selection && any(&|c| c.selection.is_none())),
    ];
    for &bound in &shown.bounds {
        let column = bound.column(bound.norms()[0]);
        let lacks = any(&|c| nan(c.theory.value(&column)));
        lacking.push((column, lacks));
    }
    let lacking = lacking.iter().map(|(column, lacks)| (column.as_str(), *lacks));
    let lacking = missing::sentence(lacking, summary.bounds, "–", missing::N);
    let unanimous = any(&|c| shares(c).iter().any(|((share, error), _)| is_unanimous(*share, *error)));
    let x = html! { i { "x" } };
    html! {
        (with_formula(lacking.trim_start(), missing::N, &n()))
        @if unanimous {
            @if !lacking.is_empty() { " " }
            "(< " (x) "): all replicates agree; " (x) ", three over their number, is the 95 % bound on the share of others. A mean \
             without a standard error is of replicates that all agree."
        }
    }
}

fn columns(summary: &Summary) -> Vec<Column> {
    let shown = Shown::new(summary);
    let mut columns = ["Setting", "Design", "Estimator"].map(Column::text).to_vec();
    columns.extend([n(), rate()].map(Column::number));
    columns.extend(["Replicates", "Prediction error", "Risk"].map(Column::number));
    let bounds = |norm| shown.bounds.iter().filter(move |b| b.norms().contains(&norm)).map(|b| heading(*b));
    columns.extend(bounds(ErrorNorm::Prediction));
    if shown.frobenius {
        columns.extend(["Estimation error", "Risk"].map(Column::number));
        columns.extend(bounds(ErrorNorm::Frobenius));
    }
    if shown.coverage {
        columns.extend(["Covered entries", "Covered predictions", "Covered region"].map(Column::number));
    }
    if shown.selection {
        columns.extend(["Chose the truth", "Mean chosen"].map(Column::number));
    }
    columns.push(Column::number("Failures"));
    columns.push(Column::number(if shown.milliseconds { "Time, ms" } else { "Time, s" }));
    columns
}

/// The title of a bound as a heading.
fn heading(bound: &dyn Bound) -> Column {
    let mut letters = bound.title().chars();
    let first: String = letters.next().map(|c| c.to_uppercase().collect()).unwrap_or_default();
    Column::number(first + letters.as_str())
}

/// The cells of a bound in a norm, one a row; a mark where a condition with unknown constants fails.
fn bound_cells(summary: &Summary, bound: &dyn Bound, norm: ErrorNorm) -> Vec<Cell> {
    let values: Vec<f64> = summary.cells.iter().map(|c| c.theory.bound(bound, norm)).collect();
    let texts = digits::column(&values, Notation::Plain);
    let cell = |((c, value), text): ((&CellSummary, &f64), &String)| {
        let mark = if c.theory.condition_holds(bound) || value.is_nan() { "" } else { " †" };
        Cell::number(*value, format!("{text}{mark}"))
    };
    summary.cells.iter().zip(&values).zip(&texts).map(cell).collect()
}

fn rows(summary: &Summary) -> Vec<Vec<Cell>> {
    let shown = Shown::new(summary);
    let all = |f: &dyn Fn(&CellSummary) -> f64| -> Vec<f64> { summary.cells.iter().map(f).collect() };
    let column = |values: Vec<f64>| digits::column(&values, Notation::Plain);
    let bounds = |norm: ErrorNorm| -> Vec<Vec<Cell>> {
        let own = shown.bounds.iter().filter(|b| b.norms().contains(&norm));
        own.map(|b| bound_cells(summary, *b, norm)).collect()
    };
    let (bounds_pred, bounds_frob) = (bounds(ErrorNorm::Prediction), bounds(ErrorNorm::Frobenius));
    let unit = if shown.milliseconds { 1e3 } else { 1.0 };
    let times = column(all(&|c| unit * c.seconds));
    let risk = |c: &CellSummary, norm| {
        let (value, error) = c.theory.risk(norm);
        Cell::theory(value, error)
    };
    let row = |(i, c): (usize, &CellSummary)| {
        let mut row = vec![Cell::text(&c.setting), Cell::text(design_name(&c.design)), Cell::text(&c.solver)];
        row.extend([
            Cell::count(c.n as usize),
            Cell::number(c.sqrt_dm_over_n(), digits::rate(c.sqrt_dm_over_n(), Notation::Plain)),
            Cell::count(c.replicates()),
            Cell::measured(c.pred),
            risk(c, ErrorNorm::Prediction),
        ]);
        row.extend(bounds_pred.iter().map(|cells| cells[i].clone()));
        if shown.frobenius {
            row.extend([Cell::measured(c.frob), risk(c, ErrorNorm::Frobenius)]);
            row.extend(bounds_frob.iter().map(|cells| cells[i].clone()));
        }
        let nothing = (f64::NAN, f64::NAN);
        if shown.coverage {
            let (means, count) = c.coverage.map_or(([nothing; 3], 0), |k| (k.means, k.replicates));
            row.extend(means.map(|mean| Cell::share(mean, count)));
        }
        if shown.selection {
            let (right, mean) = c.selection.as_ref().map_or((nothing, nothing), |s| (s.right, s.mean));
            row.extend([Cell::share(right, c.replicates()), Cell::measured(mean)]);
        }
        row.push(Cell::count(c.errors + c.not_converged + c.optimisation_failures));
        row.push(Cell::number(unit * c.seconds, &times[i]));
        row
    };
    summary.cells.iter().enumerate().map(row).collect()
}

/// The summary's table in full precision.
fn summary_csv(plan: &Plan, summary: &Summary) -> String {
    let stored = summary.to_table(plan);
    let mut out = csv::line(stored.columns().iter().map(|(name, _)| name));
    for i in 0..stored.rows() {
        out += &csv::line(stored.columns().iter().map(|(_, column)| match column {
            Stored::Int(v) => v[i].to_string(),
            Stored::Float(v) => csv::number(v[i]),
            Stored::Text(v) => v[i].clone(),
        }));
    }
    out
}
