//! Tables: aligned text for the terminal, and those of papers.

mod columns;
mod digits;
mod paper;

pub use digits::Uncertainty;
pub use paper::{TableFormat, TableOptions, escape_latex, paper_table};

use convstat_study::{CheckOutcome, Summary};

/// Columns aligned to the right, texts to the left; the first row is the header.
pub fn align(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|s| s.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let numeric = |s: &str| s.starts_with(|c: char| c.is_ascii_digit() || c == '-') || s.is_empty();
    let right: Vec<bool> =
        (0..columns).map(|c| rows.iter().skip(1).filter_map(|r| r.get(c)).all(|s| numeric(s))).collect();
    let mut out = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .zip(&right)
            .map(|((s, w), right)| {
                let pad = " ".repeat(w - s.chars().count());
                if *right { format!("{pad}{s}") } else { format!("{s}{pad}") }
            })
            .collect();
        out += cells.join("  ").trim_end();
        out.push('\n');
    }
    out
}

fn number(v: f64) -> String {
    if v.is_nan() {
        "-".to_owned()
    } else if v != 0.0 && !(1e-3..1e5).contains(&v.abs()) {
        format!("{v:.2e}")
    } else {
        format!("{v:.4}")
    }
}

/// The summary of a study, a row a cell, 80 columns wide where names are short.
pub fn summary_table(summary: &Summary) -> String {
    let several = summary.cells.iter().any(|c| c.solver != summary.cells[0].solver);
    let mut header: Vec<String> =
        ["setting", "design", "n", "√(d_M/n)", "pred", "MCSE", "risk", "frob", "MCSE", "risk", "fail"]
            .map(str::to_owned)
            .to_vec();
    if several {
        header.insert(2, "solver".to_owned());
    }
    if summary.cells.iter().any(|c| c.coverage.is_some()) {
        header.extend(["entries", "predictions", "region"].map(str::to_owned));
    }
    if summary.cells.iter().any(|c| c.selection.is_some()) {
        header.extend(["right", "chosen"].map(str::to_owned));
    }
    let mut rows = vec![header];
    for c in &summary.cells {
        let mut row = vec![
            c.setting.clone(),
            c.design.clone(),
            c.n.to_string(),
            format!("{:.3}", c.sqrt_dm_over_n()),
            number(c.pred.0),
            number(c.pred.1),
            number(c.theory.risk_pred),
            number(c.frob.0),
            number(c.frob.1),
            number(c.theory.risk_frob),
            (c.errors + c.not_converged + c.optimisation_failures).to_string(),
        ];
        if several {
            row.insert(2, c.solver.clone());
        }
        if let Some(coverage) = &c.coverage {
            row.extend(coverage.means.map(|(mean, _)| number(mean)));
        }
        if let Some(selection) = &c.selection {
            row.extend([number(selection.right.0), number(selection.mean.0)]);
        }
        rows.push(row);
    }
    align(&rows)
}

/// Checks with verdicts in words; the comparisons that failed, or all of them if `all`.
pub fn check_lines(checks: &[CheckOutcome], all: bool) -> String {
    let mut out = String::new();
    for c in checks {
        out += &format!("check {}: {}\n    {}\n", c.kind, c.claim, c.verdict);
        for line in c.details.iter().filter(|l| all || l.starts_with("FAIL")) {
            out += &format!("    {line}\n");
        }
    }
    out
}
