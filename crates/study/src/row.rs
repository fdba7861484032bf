//! The row that a replicate leaves in the store (DESIGN: parts).

use convstat_runner::{Column, Table};

use crate::coverage::Coverage;
use crate::file::StudyFile;
use crate::outcome::{ReplicateOutcome, TERMINATION, outcome_text};

/// One replicate.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Identity of the cell.
    pub cell: String,
    /// Name of the setting.
    pub setting: String,
    /// Name of the design.
    pub design: String,
    /// Name of the structure; of the one chosen where the estimator selects.
    pub structure: String,
    /// Name of the solver.
    pub solver: String,
    /// Observations.
    pub n: u64,
    /// Replicate, from 0.
    pub replicate: u64,
    /// Sample complexity.
    pub d_m: usize,
    /// Identified dimension at the truth; at the fit where the estimator selects.
    pub df: usize,
    /// `‖Ŵ − W*‖_F`.
    pub err_frob: f64,
    /// `‖Σ_Z^{1/2}(Ŵ − W*)‖`.
    pub err_pred: f64,
    /// Residual sum of squares; for labels the deviance.
    pub objective: f64,
    /// Objective of the best start that is not the oracle, less the best of all; NaN without an oracle.
    pub oracle_gap: f64,
    /// The start that won.
    pub start: String,
    /// Its iterations.
    pub iterations: usize,
    /// How it ended.
    pub outcome: ReplicateOutcome,
    /// What its intervals cover; a column only in studies with a table `[inference]`.
    pub coverage: Coverage,
    /// Time taken; the only column that differs between runs.
    pub seconds: f64,
}

impl Row {
    /// How it ended, as its column says it.
    pub fn termination(&self) -> String {
        outcome_text(&self.outcome)
    }
}

/// Rows of a study as a table, in the order of DESIGN's columns, then those that the study asks for.
pub fn tabulate(file: &StudyFile, rows: &[Row]) -> Table {
    let text = |f: &dyn Fn(&Row) -> &String| Column::Text(rows.iter().map(|r| f(r).clone()).collect());
    let int = |f: &dyn Fn(&Row) -> u64| Column::Int(rows.iter().map(|r| f(r) as i64).collect());
    let float = |f: &dyn Fn(&Row) -> f64| Column::Float(rows.iter().map(f).collect());
    let mut columns = vec![
        ("cell", text(&|r| &r.cell)),
        ("setting", text(&|r| &r.setting)),
        ("design", text(&|r| &r.design)),
        ("structure", text(&|r| &r.structure)),
        ("solver", text(&|r| &r.solver)),
        ("n", int(&|r| r.n)),
        ("replicate", int(&|r| r.replicate)),
        ("d_m", int(&|r| r.d_m as u64)),
        ("df", int(&|r| r.df as u64)),
        ("err_frob", float(&|r| r.err_frob)),
        ("err_pred", float(&|r| r.err_pred)),
        ("objective", float(&|r| r.objective)),
        ("oracle_gap", float(&|r| r.oracle_gap)),
        ("start", text(&|r| &r.start)),
        ("iterations", int(&|r| r.iterations as u64)),
        (TERMINATION, Column::Text(rows.iter().map(Row::termination).collect())),
        ("seconds", float(&|r| r.seconds)),
    ];
    if file.inference.is_some() {
        columns.extend(Coverage::columns(&rows.iter().map(|r| r.coverage).collect::<Vec<_>>()));
    }
    Table::new(columns)
}
