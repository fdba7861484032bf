//! What was measured: the study's figures, and a row a cell with theory beside it.

use convstat_runner::Column as Stored;
use convstat_study::{CellSummary, Plan, Summary};

use super::digits;
use super::escape::download;
use super::figure::figure;
use super::notation::{N, RATE};
use super::table::{Cell, Column, table};
use crate::csv;
use crate::{Result, figures};

/// Figures, then the summary.
pub fn performance(plan: &Plan, summary: &Summary) -> Result<String> {
    if summary.cells.is_empty() {
        return Ok("<p>No replicate is stored yet, so there is nothing to show.</p>\n".to_owned());
    }
    let mut out = String::new();
    let canvases = figures::canvases(&plan.file, summary)?;
    for (i, canvas) in canvases.iter().enumerate() {
        out += &figure(i + 1, canvas)?;
    }
    if canvases.is_empty() {
        out += "<p>The run has no cell with data for the figures that the study names.</p>\n";
    }
    out += &table("summary", &caption(summary), &columns(summary), &rows(summary));
    let file = format!("{}-summary.csv", plan.file.study.name);
    out += &format!(
        "<p class=\"buttons\">{}</p>\n",
        download(&file, "text/csv", &summary_csv(plan, summary), "Summary in full precision (CSV)")
    );
    Ok(out)
}

/// What the summary's cells have beyond errors and risk.
struct Shown {
    solvers: bool,
    frobenius: bool,
    explicit: bool,
    literature: bool,
    coverage: bool,
    selection: bool,
}

impl Shown {
    fn new(summary: &Summary) -> Self {
        let any = |f: &dyn Fn(&CellSummary) -> bool| summary.cells.iter().any(f);
        Self {
            solvers: any(&|c| c.solver != summary.cells[0].solver),
            frobenius: any(&|c| c.frob.0.is_finite()),
            explicit: any(&|c| !c.theory.explicit_pred.is_nan()),
            literature: any(&|c| c.theory.literature_frob.is_finite()),
            coverage: any(&|c| c.coverage.is_some()),
            selection: any(&|c| c.selection.is_some()),
        }
    }
}

fn caption(summary: &Summary) -> String {
    let shown = Shown::new(summary);
    let mut text = "Summary, a row a cell: root mean squared errors with their Monte Carlo standard errors in parentheses, beside \
                    the risk. Column heads sort."
        .to_owned();
    if shown.explicit {
        text += &format!(
            " The explicit bound holds with probability {}; ∞ where its condition fails.",
            summary.confidence
        );
    }
    if shown.literature && summary.cells.iter().any(|c| !c.theory.literature_holds) {
        text += " † The literature bound’s condition on <i>n</i> fails.";
    }
    text + " Failures: errors, fits that did not converge and missed optima, by kind <a href=\"#failures\">below</a>. Seconds: median time \
            of a replicate."
}

fn columns(summary: &Summary) -> Vec<Column> {
    let shown = Shown::new(summary);
    let mut columns = vec![Column::text("Setting"), Column::text("Design")];
    if shown.solvers {
        columns.push(Column::text("Estimator"));
    }
    columns.extend([N, RATE, "Replicates", "Prediction error", "Risk"].map(Column::number));
    if shown.explicit {
        columns.push(Column::number("Explicit bound"));
    }
    if shown.frobenius {
        columns.extend(["Estimation error", "Risk"].map(Column::number));
        if shown.explicit {
            columns.push(Column::number("Explicit bound"));
        }
    }
    if shown.literature {
        columns.push(Column::number("Literature bound"));
    }
    if shown.coverage {
        columns.extend(["Covered entries", "Covered predictions", "Covered region"].map(Column::number));
    }
    if shown.selection {
        columns.extend(["Chose the truth", "Mean chosen"].map(Column::number));
    }
    columns.extend(["Failures", "Seconds"].map(Column::number));
    columns
}

fn rows(summary: &Summary) -> Vec<Vec<Cell>> {
    let shown = Shown::new(summary);
    let row = |c: &CellSummary| {
        let theory = |value: f64, error: f64| Cell::number(value, &digits::like(value, error));
        let bound = |value: f64, mark: &str| Cell::number(value, &(digits::number(value) + mark));
        let mut row = vec![Cell::text(&c.setting), Cell::text(&c.design)];
        if shown.solvers {
            row.push(Cell::text(&c.solver));
        }
        row.extend([
            Cell::count(c.n as usize),
            Cell::number(c.sqrt_dm_over_n(), &format!("{:.3}", c.sqrt_dm_over_n())),
            Cell::count(c.replicates()),
            Cell::measured(c.pred),
            theory(c.theory.risk_pred, c.pred.1),
        ]);
        if shown.explicit {
            row.push(bound(c.theory.explicit_pred, ""));
        }
        if shown.frobenius {
            row.extend([Cell::measured(c.frob), theory(c.theory.risk_frob, c.frob.1)]);
            if shown.explicit {
                row.push(bound(c.theory.explicit_frob, ""));
            }
        }
        if shown.literature {
            let value = c.theory.literature_frob;
            row.push(bound(value, if c.theory.literature_holds || value.is_nan() { "" } else { " †" }));
        }
        if shown.coverage {
            let means = c.coverage.map_or([(f64::NAN, f64::NAN); 3], |k| k.means);
            row.extend(means.map(Cell::measured));
        }
        if shown.selection {
            let nothing = (f64::NAN, f64::NAN);
            let (right, mean) = c.selection.as_ref().map_or((nothing, nothing), |s| (s.right, s.mean));
            row.extend([right, mean].map(Cell::measured));
        }
        row.push(Cell::count(c.errors + c.not_converged + c.optimisation_failures));
        row.push(Cell::number(c.seconds, &digits::number(c.seconds)));
        row
    };
    summary.cells.iter().map(row).collect()
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
