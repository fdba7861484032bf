//! Failures by cell, with the command that repeats one, and what an unfinished run lacks.

use convstat_study::plan::Cell as PlanCell;
use convstat_study::record::FailureKind;
use convstat_study::{Plan, Record};
use maud::{Markup, html};

use super::notation::n;
use super::table::{Cell, Column, table, without_constants};
use crate::figures::design_name;

/// The first columns of a table of cells.
fn cell_columns() -> Vec<Column> {
    vec![
        Column::number("Cell"),
        Column::text("Setting"),
        Column::text("Design"),
        Column::text("Estimator"),
        Column::number(n()),
    ]
}

fn name(plan: &Plan, number: usize, cell: &PlanCell) -> Vec<Cell> {
    vec![
        Cell::count(number),
        Cell::text(&plan.setting(cell).name),
        Cell::text(design_name(&plan.file.design[cell.design].label())),
        Cell::text(plan.estimator(cell).label()),
        Cell::count(cell.n as usize),
    ]
}

fn name_of(kind: FailureKind, count: u64) -> &'static str {
    match (kind, count) {
        (FailureKind::Error, 1) => "error",
        (FailureKind::Error, _) => "errors",
        (FailureKind::NotConverged, _) => "not converged",
        (FailureKind::MissedOptimum, 1) => "missed optimum",
        (FailureKind::MissedOptimum, _) => "missed optima",
    }
}

/// How many there are of each kind, as badges.
pub fn badges(record: &Record) -> Markup {
    let kinds = [FailureKind::Error, FailureKind::NotConverged, FailureKind::MissedOptimum];
    let count = |kind: FailureKind| -> u64 {
        record.failures.iter().filter(|f| f.kind == kind).map(|f| f.count).sum()
    };
    html! {
        @for kind in kinds { span class="badge" { (count(kind)) " " (name_of(kind, count(kind))) } " " }
    }
}

/// Errors, fits that did not converge and missed optima: counts by cell. `run` is the run directory as a shell reads it.
pub fn failures(plan: &Plan, record: &Record, run: &str) -> Markup {
    if record.failures.is_empty() {
        return html! {
            p { "No replicate ended in an error, every fit converged, and no start missed an optimum that is known." }
        };
    }
    let mut columns = cell_columns();
    columns.extend([
        Column::text("Failure"),
        Column::number("Count"),
        Column::number("First replicate"),
        Column::text("Its end"),
    ]);
    let mut rows: Vec<Vec<Cell>> = record
        .failures
        .iter()
        .filter_map(|f| {
            let mut row = name(plan, f.cell, plan.cells.get(f.cell)?);
            let end = match f.kind {
                FailureKind::MissedOptimum => Cell::text("–"),
                FailureKind::NotConverged => Cell::text(f.termination()),
                FailureKind::Error => Cell::long(f.termination()),
            };
            let of = record.replicates.get(f.cell).copied().unwrap_or(0);
            row.extend([
                Cell::text(name_of(f.kind, 1)),
                Cell::number(f.count as f64, format!("{} of {of}", f.count)),
                Cell::count(f.replicate as usize),
                end,
            ]);
            Some(row)
        })
        .collect();
    let command = format!("convstat study rerun {run} --cell CELL --replicate REPLICATE --trace");
    let constants =
        without_constants(&["Design", "Estimator", "Failure", "Its end"], &mut columns, &mut rows);
    let caption = html! { "Failures by cell." (constants) };
    html! {
        p { "The first of them is repeated, with its cell and its replicate from the table, by" }
        pre tabindex="0" { code { (command) } }
        (table("failures", caption, &columns, &rows))
        p {
            "A replicate that ended in an error counts in no mean. A fit that did not converge counts as it is. An optimum is \
             missed where every start but the oracle ended higher than the best known fit; the estimate is then that of the best \
             start, the oracle included."
        }
    }
}

/// Cells that lack replicates; nothing of a finished run.
pub fn missing(plan: &Plan, record: &Record) -> Markup {
    let wanted = plan.replicates();
    let lacking = plan.cells.iter().enumerate().zip(&record.replicates).filter(|(_, there)| **there < wanted);
    let rows: Vec<Vec<Cell>> = lacking
        .map(|((number, cell), there)| {
            let mut row = name(plan, number, cell);
            row.extend([Cell::count(*there as usize), Cell::count((wanted - there) as usize)]);
            row
        })
        .collect();
    if rows.is_empty() {
        return Markup::default();
    }
    let mut columns = cell_columns();
    columns.extend([Column::number("Replicates"), Column::number("Missing")]);
    html! {
        details {
            summary { "The " (rows.len()) " cells that lack replicates" }
            (table("missing", "Cells that lack replicates.", &columns, &rows))
        }
    }
}
