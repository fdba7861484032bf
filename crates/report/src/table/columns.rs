//! Columns of paper-ready tables: how each is headed, and what goes beside it.

use convstat_runner::{Column, Table};
use convstat_text::suggestion;

use crate::{ReportError, Result};

/// A column of the summary that has a heading of its own; others are headed by their names.
pub(super) struct Heading {
    /// Name in the summary.
    pub name: &'static str,
    /// Heading in LaTeX.
    pub latex: &'static str,
    /// Heading in Markdown.
    pub markdown: &'static str,
}

const fn heading(name: &'static str, latex: &'static str, markdown: &'static str) -> Heading {
    Heading { name, latex, markdown }
}

/// All of them. A new one is a line.
pub(super) const HEADINGS: &[Heading] = &[
    heading("solver", "estimator", "estimator"),
    heading("n", "$n$", "n"),
    heading("d_m", "$d_{\\mathcal M}$", "d_M"),
    heading("df", "df", "df"),
    heading("naive_parameters", "parameters", "parameters"),
    heading("sqrt_dm_over_n", "$\\sqrt{d_{\\mathcal M}/n}$", "√(d_M/n)"),
    heading("err_pred", "pred.\\ error", "pred. error"),
    heading("err_frob", "est.\\ error", "est. error"),
    heading("risk_pred", "pred.\\ risk", "pred. risk"),
    heading("risk_frob", "est.\\ risk", "est. risk"),
    heading("ratio_pred", "pred.\\ error/risk", "pred. error/risk"),
    heading("ratio_frob", "est.\\ error/risk", "est. error/risk"),
    heading("failures", "fail.", "failures"),
    heading("not_converged", "not converged", "not converged"),
    heading("optimisation_failures", "optimum missed", "optimum missed"),
    heading("explicit_bound_pred", "pred.\\ bound", "pred. bound"),
    heading("explicit_bound_frob", "est.\\ bound", "est. bound"),
    heading("literature_bound_frob", "literature bound", "literature bound"),
    heading("covered_entries", "cov.\\ entries", "cov. entries"),
    heading("covered_predictions", "cov.\\ predictions", "cov. predictions"),
    heading("covered_region", "cov.\\ region", "cov. region"),
    heading("chosen_right", "true structure", "true structure"),
    heading("chosen_mean", "mean chosen", "mean chosen"),
];

/// The summary with the columns that follow from it: failures, and ratios of error and risk. The key of the theory cache is
/// left out.
pub(super) fn extended(summary: &Table) -> Result<Table> {
    let mut columns: Vec<(&str, Column)> = summary
        .columns()
        .iter()
        .filter(|(name, _)| name != "theory_key")
        .map(|(name, column)| (name.as_str(), column.clone()))
        .collect();
    let counts = ["errors", "not_converged", "optimisation_failures"].map(|name| summary.ints(name));
    let mut failures = vec![0; summary.rows()];
    for count in counts {
        failures.iter_mut().zip(count?).for_each(|(sum, c)| *sum += c);
    }
    columns.push(("failures", Column::Int(failures)));
    for (name, mcse, [error, error_se, risk, risk_se]) in [
        ("ratio_pred", "ratio_pred_mcse", ["err_pred", "err_pred_mcse", "risk_pred", "risk_pred_se"]),
        ("ratio_frob", "ratio_frob_mcse", ["err_frob", "err_frob_mcse", "risk_frob", "risk_frob_se"]),
    ] {
        let (e, ee) = (summary.floats(error)?, summary.floats(error_se)?);
        let (r, re) = (summary.floats(risk)?, summary.floats(risk_se)?);
        let ratio: Vec<f64> = e.iter().zip(r).map(|(e, r)| e / r).collect();
        let se = ratio.iter().enumerate().map(|(i, q)| (ee[i] / r[i]).hypot(q * re[i] / r[i])).collect();
        columns.push((name, Column::Float(ratio)));
        columns.push((mcse, Column::Float(se)));
    }
    Ok(Table::new(columns))
}

/// A column by name.
pub(super) fn find<'a>(table: &'a Table, name: &str) -> Result<&'a Column> {
    let found = table.columns().iter().find(|(n, _)| n == name).map(|(_, column)| column);
    found.ok_or_else(|| ReportError::UnknownColumn {
        column: name.to_owned(),
        known: suggestion(name, table.columns().iter().map(|(n, _)| n.as_str())),
    })
}

/// The standard errors that go with a column.
pub(super) fn standard_errors<'a>(table: &'a Table, name: &str) -> Option<&'a [f64]> {
    ["_mcse", "_se"].iter().find_map(|end| table.floats(&format!("{name}{end}")).ok())
}

/// What a paper shows: errors beside risks, what coverage or selection there is, failures.
pub(super) fn usual(table: &Table) -> Vec<String> {
    let has = |name: &str| table.columns().iter().any(|(n, _)| n == name);
    let mut names =
        vec!["design", "solver", "n", "sqrt_dm_over_n", "err_pred", "risk_pred", "err_frob", "risk_frob"];
    let more = ["covered_entries", "covered_predictions", "covered_region", "chosen_right", "chosen_mean"];
    names.extend(more.into_iter().filter(|n| has(n)));
    names.push("failures");
    names.into_iter().map(str::to_owned).collect()
}

/// Shares of replicates.
pub(super) const SHARES: [&str; 4] =
    ["covered_entries", "covered_predictions", "covered_region", "chosen_right"];
