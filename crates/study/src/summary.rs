//! Summaries: root mean squared errors with Monte Carlo standard errors beside theory, a row a cell.

use std::collections::HashMap;

use convstat_estimate::fit::is_optimisation_failure;
use convstat_runner::{Column, Digest, Table};

use crate::Result;
use crate::plan::{Cell, Plan};
use crate::theory::{CellTheory, cell_theory, setting_dimension};

/// Measurement and theory of one cell.
#[derive(Debug, Clone)]
pub struct CellSummary {
    /// Identity of the cell.
    pub cell: String,
    /// Names.
    pub setting: String,
    /// Design.
    pub design: String,
    /// Structure.
    pub structure: String,
    /// Solver.
    pub solver: String,
    /// Observations.
    pub n: u64,
    /// Sample complexity.
    pub d_m: usize,
    /// Identified dimension (mean over truths, rounded).
    pub df: usize,
    /// Naive parameters.
    pub naive: usize,
    /// Output channels `K`, where the family has them.
    pub kernels: Option<usize>,
    /// Rank on the output channels `R`.
    pub rank: Option<usize>,
    /// Errors of the replicates that count, prediction norm.
    pub errors_pred: Vec<f64>,
    /// The same in Frobenius norm.
    pub errors_frob: Vec<f64>,
    /// `√E‖Σ_Z^{1/2}(Ŵ − W*)‖²` and its MCSE.
    pub pred: (f64, f64),
    /// `√E‖Ŵ − W*‖_F²` and its MCSE.
    pub frob: (f64, f64),
    /// Replicates that ended in an error and count in no mean.
    pub errors: usize,
    /// Fits that ended without showing an optimum (they count in the means).
    pub not_converged: usize,
    /// Fits whose starts, the oracle left out, missed the optimum.
    pub optimisation_failures: usize,
    /// Theory.
    pub theory: CellTheory,
}

impl CellSummary {
    /// `√(d_M/n)`.
    pub fn sqrt_dm_over_n(&self) -> f64 {
        (self.d_m as f64 / self.n as f64).sqrt()
    }

    /// Replicates that count.
    pub fn replicates(&self) -> usize {
        self.errors_pred.len()
    }
}

/// A row a cell, in the order of the plan; cells without replicates are left out.
#[derive(Debug, Clone, Default)]
pub struct Summary {
    /// The cells.
    pub cells: Vec<CellSummary>,
    /// Probability with which the explicit bounds hold.
    pub confidence: f64,
    /// Cells of the plan that have no replicate yet.
    pub missing_cells: usize,
    /// Replicates of the plan that are not there yet.
    pub missing_replicates: usize,
}

/// Root of the mean of squared errors and its Monte Carlo standard error by the delta method:
/// `sd(e²) / (2 √(mean) √R)`. NaN for a single value's standard error.
pub fn root_mean(squares: &[f64]) -> (f64, f64) {
    let n = squares.len() as f64;
    let mean = squares.iter().sum::<f64>() / n;
    let variance = squares.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let root = mean.sqrt();
    let error = if root > 0.0 { (variance / n).sqrt() / (2.0 * root) } else { 0.0 };
    (root, error)
}

#[derive(Default)]
struct Rows {
    pred: Vec<f64>,
    frob: Vec<f64>,
    replicates: Vec<u64>,
    df: f64,
    errors: usize,
    not_converged: usize,
    optimisation_failures: usize,
}

impl Summary {
    /// Summarises the rows of a run. `earlier` is a summary of the same run whose theory is kept
    /// where it still applies.
    pub fn new(plan: &Plan, rows: &Table, earlier: Option<&Table>) -> Result<Self> {
        let by_cell = group(plan, rows)?;
        let known = earlier.map_or_else(HashMap::new, |t| read_theory(t).unwrap_or_default());
        let mut dimensions = vec![None; plan.settings.len()];
        let mut summary = Self { confidence: plan.file.theory.confidence, ..Self::default() };
        for cell in &plan.cells {
            let planned = plan.replicates() as usize;
            let Some(rows) = by_cell.get(cell.id.as_str()) else {
                summary.missing_cells += 1;
                summary.missing_replicates += planned;
                continue;
            };
            summary.missing_replicates += planned.saturating_sub(rows.replicates.len());
            let key = theory_key(plan, cell, rows.replicates.len());
            let theory = if let Some(t) = known.get(&key) {
                *t
            } else {
                let structured = plan.estimator(cell).solver.is_structured();
                if plan.file.theory.bounds && structured && dimensions[cell.setting].is_none() {
                    dimensions[cell.setting] = Some(setting_dimension(plan, plan.setting(cell))?);
                }
                cell_theory(plan, cell, &rows.replicates, dimensions[cell.setting])?
            };
            summary.cells.push(cell_summary(plan, cell, rows, theory));
        }
        Ok(summary)
    }

    /// The summary as a table (DESIGN: summary.parquet).
    pub fn to_table(&self, plan: &Plan) -> Table {
        let c = &self.cells;
        let text = |f: &dyn Fn(&CellSummary) -> String| Column::Text(c.iter().map(f).collect());
        let int = |f: &dyn Fn(&CellSummary) -> usize| Column::Int(c.iter().map(|s| f(s) as i64).collect());
        let float = |f: &dyn Fn(&CellSummary) -> f64| Column::Float(c.iter().map(f).collect());
        let key = |s: &CellSummary| {
            let cell = plan.cells.iter().find(|c| c.id == s.cell);
            cell.map_or_else(String::new, |c| theory_key(plan, c, s.replicates() + s.errors))
        };
        Table::new(vec![
            ("cell", text(&|s| s.cell.clone())),
            ("setting", text(&|s| s.setting.clone())),
            ("design", text(&|s| s.design.clone())),
            ("structure", text(&|s| s.structure.clone())),
            ("solver", text(&|s| s.solver.clone())),
            ("n", int(&|s| s.n as usize)),
            ("d_m", int(&|s| s.d_m)),
            ("df", int(&|s| s.df)),
            ("naive_parameters", int(&|s| s.naive)),
            ("sqrt_dm_over_n", float(&CellSummary::sqrt_dm_over_n)),
            ("replicates", int(&CellSummary::replicates)),
            ("err_pred", float(&|s| s.pred.0)),
            ("err_pred_mcse", float(&|s| s.pred.1)),
            ("err_frob", float(&|s| s.frob.0)),
            ("err_frob_mcse", float(&|s| s.frob.1)),
            ("errors", int(&|s| s.errors)),
            ("not_converged", int(&|s| s.not_converged)),
            ("optimisation_failures", int(&|s| s.optimisation_failures)),
            ("risk_pred", float(&|s| s.theory.risk_pred)),
            ("risk_pred_se", float(&|s| s.theory.risk_pred_se)),
            ("risk_frob", float(&|s| s.theory.risk_frob)),
            ("risk_frob_se", float(&|s| s.theory.risk_frob_se)),
            ("first_order_pred", float(&|s| s.theory.first_order_pred)),
            ("first_order_frob", float(&|s| s.theory.first_order_frob)),
            ("explicit_bound_pred", float(&|s| s.theory.explicit_pred)),
            ("explicit_bound_frob", float(&|s| s.theory.explicit_frob)),
            ("statistical_dimension", float(&|s| s.theory.delta)),
            ("statistical_dimension_se", float(&|s| s.theory.delta_se)),
            ("explicit_bound_width", float(&|s| s.theory.width)),
            ("literature_bound_frob", float(&|s| s.theory.literature_frob)),
            ("literature_condition", int(&|s| usize::from(s.theory.literature_holds))),
            ("theory_key", text(&key)),
        ])
    }
}

fn cell_summary(plan: &Plan, cell: &Cell, rows: &Rows, theory: CellTheory) -> CellSummary {
    let setting = plan.setting(cell);
    let squares = |v: &[f64]| root_mean(&v.iter().map(|e| e * e).collect::<Vec<_>>());
    CellSummary {
        cell: cell.id.clone(),
        setting: setting.name.clone(),
        design: plan.file.design[cell.design].label(),
        structure: setting.structure.name().to_owned(),
        solver: plan.estimator(cell).label().to_owned(),
        n: cell.n,
        d_m: setting.structure.d_m(),
        df: (rows.df / rows.pred.len().max(1) as f64).round() as usize,
        naive: setting.structure.naive_parameters(),
        kernels: setting.structure.counts().kernels,
        rank: setting.structure.counts().rank,
        pred: squares(&rows.pred),
        frob: squares(&rows.frob),
        errors_pred: rows.pred.clone(),
        errors_frob: rows.frob.clone(),
        errors: rows.errors,
        not_converged: rows.not_converged,
        optimisation_failures: rows.optimisation_failures,
        theory,
    }
}

/// Rows by cell, in the order of the replicates, each replicate once and only those of the plan.
fn group<'a>(plan: &'a Plan, table: &Table) -> Result<HashMap<&'a str, Rows>> {
    let mut by_cell: HashMap<&str, Rows> = HashMap::new();
    if table.rows() == 0 {
        return Ok(by_cell);
    }
    let ids: HashMap<&str, &str> = plan.cells.iter().map(|c| (c.id.as_str(), c.id.as_str())).collect();
    let (cells, replicates) = (table.texts("cell")?, table.ints("replicate")?);
    let (pred, frob, df) = (table.floats("err_pred")?, table.floats("err_frob")?, table.ints("df")?);
    let (gap, objective) = (table.floats("oracle_gap")?, table.floats("objective")?);
    let (termination, sizes) = (table.texts("termination")?, table.ints("n")?);
    let mut order: Vec<usize> = (0..table.rows()).collect();
    order.sort_by(|&a, &b| (&cells[a], replicates[a]).cmp(&(&cells[b], replicates[b])));
    order.dedup_by(|a, b| cells[*a] == cells[*b] && replicates[*a] == replicates[*b]);
    for i in order {
        let Some(&id) = ids.get(cells[i].as_str()) else { continue };
        if replicates[i] as u64 >= plan.replicates() {
            continue;
        }
        let rows = by_cell.entry(id).or_default();
        rows.replicates.push(replicates[i] as u64);
        if termination[i].starts_with("error") {
            rows.errors += 1;
            continue;
        }
        rows.pred.push(pred[i]);
        rows.frob.push(frob[i]);
        rows.df += df[i] as f64;
        rows.not_converged += usize::from(termination[i] != "converged" && termination[i] != "direct");
        let missed = gap[i].is_finite() && is_optimisation_failure(gap[i], objective[i], sizes[i] as f64);
        rows.optimisation_failures += usize::from(missed);
    }
    Ok(by_cell)
}

/// Changes when the formulas of the theory columns do.
const THEORY_VERSION: u32 = 3;

/// Under which the theory of a cell may be used again; with a truth a replicate it depends on how
/// many there are.
fn theory_key(plan: &Plan, cell: &Cell, replicates: usize) -> String {
    let truths = if plan.setting(cell).has_fixed_truth() { 0 } else { replicates };
    Digest::of(&format!("{THEORY_VERSION} {} {:?} {truths}", cell.id, plan.file.theory)).short()
}

fn read_theory(table: &Table) -> Result<HashMap<String, CellTheory>> {
    let f = |name: &str| table.floats(name);
    let holds = table.ints("literature_condition")?;
    table
        .texts("theory_key")?
        .iter()
        .enumerate()
        .map(|(i, key)| {
            let theory = CellTheory {
                risk_pred: f("risk_pred")?[i],
                risk_frob: f("risk_frob")?[i],
                risk_pred_se: f("risk_pred_se")?[i],
                risk_frob_se: f("risk_frob_se")?[i],
                first_order_pred: f("first_order_pred")?[i],
                first_order_frob: f("first_order_frob")?[i],
                explicit_pred: f("explicit_bound_pred")?[i],
                explicit_frob: f("explicit_bound_frob")?[i],
                delta: f("statistical_dimension")?[i],
                delta_se: f("statistical_dimension_se")?[i],
                width: f("explicit_bound_width")?[i],
                literature_frob: f("literature_bound_frob")?[i],
                literature_holds: holds[i] == 1,
            };
            Ok((key.clone(), theory))
        })
        .collect()
}
