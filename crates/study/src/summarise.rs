//! Summarises the rows of a run.

use std::collections::HashMap;

use convstat_runner::{Column, Digest, Table};
use convstat_theory::Bounds;

use crate::Result;
use crate::candidates::selected;
use crate::cell_theory::{CellTheory, columns as theory_columns};
use crate::coverage::{COLUMNS, CellCoverage};
use crate::outcome::{FailureKind, TERMINATION, failures, read_outcome};
use crate::plan::{Cell, Plan};
use crate::selected::CellSelection;
use crate::statistics::{median, root_mean};
use crate::summary::{CellSummary, Summary};
use crate::theory::{cell_theory, setting_dimension};

/// Rows of a run by cell, gathered part by part.
#[derive(Debug)]
pub struct Groups<'a> {
    plan: &'a Plan,
    cells: HashMap<&'a str, usize>,
    rows: Vec<Rows>,
}

#[derive(Debug, Clone, Default)]
struct Rows {
    /// Replicate, prediction error and estimation error of those that count.
    errors: Vec<(u64, f64, f64)>,
    /// Replicates that ended in an error.
    failed: Vec<u64>,
    df: f64,
    not_converged: usize,
    optimisation_failures: usize,
    /// Of the replicates that count.
    seconds: Vec<f64>,
    /// Replicate, what its confidence statements cover.
    covered: Vec<(u64, [f64; 3])>,
    /// Replicate, name of the structure chosen.
    chosen: Vec<(u64, String)>,
}

impl Rows {
    fn count(&self) -> usize {
        self.errors.len() + self.failed.len()
    }

    fn replicates(&self) -> Vec<u64> {
        let mut all: Vec<u64> = self.errors.iter().map(|e| e.0).chain(self.failed.iter().copied()).collect();
        all.sort_unstable();
        all
    }
}

impl<'a> Groups<'a> {
    /// No rows yet.
    pub fn new(plan: &'a Plan) -> Self {
        let cells = plan.cells.iter().enumerate().map(|(i, c)| (c.id.as_str(), i)).collect();
        Self { plan, cells, rows: vec![Rows::default(); plan.cells.len()] }
    }

    /// Adds the rows of a part that are of the plan. No replicate may come twice.
    ///
    /// # Errors
    /// A column is missing, or has a word that is not known.
    pub fn add(&mut self, table: &Table) -> Result<()> {
        let (cells, replicates) = (table.texts("cell")?, table.ints("replicate")?);
        let (pred, frob, df) = (table.floats("err_pred")?, table.floats("err_frob")?, table.ints("df")?);
        let (gap, objective) = (table.floats("oracle_gap")?, table.floats("objective")?);
        let (termination, sizes) = (table.texts(TERMINATION)?, table.ints("n")?);
        let seconds = table.floats("seconds")?;
        let structures = table.texts("structure")?;
        let covered = match self.plan.file.inference {
            Some(_) => {
                Some([table.floats(COLUMNS[0].0)?, table.floats(COLUMNS[1].0)?, table.floats(COLUMNS[2].0)?])
            }
            None => None,
        };
        for i in 0..table.rows() {
            let Some(&cell) = self.cells.get(cells[i].as_str()) else { continue };
            let replicate = replicates[i] as u64;
            if replicate >= self.plan.replicates() {
                continue;
            }
            let rows = &mut self.rows[cell];
            let failures = failures(&read_outcome(&termination[i])?, gap[i], objective[i], sizes[i] as f64);
            let mut is_error = false;
            for failure in failures {
                match failure {
                    FailureKind::Error => is_error = true,
                    FailureKind::NotConverged => rows.not_converged += 1,
                    FailureKind::MissedOptimum => rows.optimisation_failures += 1,
                }
            }
            if is_error {
                rows.failed.push(replicate);
                continue;
            }
            rows.errors.push((replicate, pred[i], frob[i]));
            rows.seconds.push(seconds[i]);
            if let Some(columns) = covered {
                rows.covered.push((replicate, columns.map(|c| c[i])));
            }
            if self.plan.candidates(&self.plan.cells[cell]).is_some() {
                rows.chosen.push((replicate, structures[i].clone()));
            }
            rows.df += df[i] as f64;
        }
        Ok(())
    }
}

impl Summary {
    /// Summarises the rows of a run. `earlier` is a summary of the same run whose theory is kept
    /// where it still applies.
    ///
    /// # Errors
    /// What theory needs does not fit into memory.
    pub fn new(groups: Groups, earlier: Option<&Table>) -> Result<Self> {
        let plan = groups.plan;
        // A summary without a column that is asked for is of no use.
        let known = earlier.map_or_else(HashMap::new, |t| read_theory(t, plan.bounds).unwrap_or_default());
        let dimensions: Vec<_> = plan.settings.iter().map(|s| setting_dimension(plan, s)).collect();
        let mut summary =
            Self { confidence: plan.file.theory.confidence, bounds: plan.bounds, ..Self::default() };
        for (cell, mut rows) in plan.cells.iter().zip(groups.rows) {
            let missing = (plan.replicates() as usize).saturating_sub(rows.count());
            summary.missing_replicates += missing;
            if rows.count() == 0 {
                summary.missing_cells += 1;
                continue;
            }
            rows.errors.sort_unstable_by_key(|e| e.0);
            rows.covered.sort_unstable_by_key(|e| e.0);
            rows.chosen.sort_unstable_by_key(|e| e.0);
            let key = theory_key(plan, cell, rows.count());
            let theory = match known.get(&key) {
                Some(theory) => theory.clone(),
                None => cell_theory(plan, cell, &rows.replicates(), &dimensions[cell.setting])?,
            };
            summary.cells.push(cell_summary(plan, cell, &rows, theory));
        }
        Ok(summary)
    }

    /// The summary as a table (DESIGN: summary.parquet).
    pub fn to_table(&self, plan: &Plan) -> Table {
        let c = &self.cells;
        let text = |f: &dyn Fn(&CellSummary) -> String| Column::Text(c.iter().map(f).collect());
        let int = |f: &dyn Fn(&CellSummary) -> usize| Column::Int(c.iter().map(|s| f(s) as i64).collect());
        let float = |f: &dyn Fn(&CellSummary) -> f64| Column::Float(c.iter().map(f).collect());
        let by_id: HashMap<&str, &Cell> = plan.cells.iter().map(|c| (c.id.as_str(), c)).collect();
        let key = |s: &CellSummary| {
            let cell = by_id.get(s.cell.as_str());
            cell.map_or_else(String::new, |c| theory_key(plan, c, s.replicates() + s.errors))
        };
        let mut columns = vec![
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
            ("seconds", float(&|s| s.seconds)),
        ];
        let theory = theory_columns(self.bounds);
        for column in &theory {
            let value = |s: &CellSummary| s.theory.value(&column.name);
            // A flag is 0 or 1.
            let stored = if column.is_flag { int(&|s| usize::from(value(s) == 1.0)) } else { float(&value) };
            columns.push((&column.name, stored));
        }
        columns.push(("theory_key", text(&key)));
        if c.iter().any(|s| s.coverage.is_some()) {
            const MCSE: [&str; 3] =
                ["covered_entries_mcse", "covered_predictions_mcse", "covered_region_mcse"];
            for (i, ((name, _), mcse)) in COLUMNS.iter().zip(MCSE).enumerate() {
                let value = |s: &CellSummary| s.coverage.map_or((f64::NAN, f64::NAN), |c| c.means[i]);
                columns.push((*name, float(&|s| value(s).0)));
                columns.push((mcse, float(&|s| value(s).1)));
            }
        }
        if c.iter().any(|s| s.selection.is_some()) {
            let value =
                |s: &CellSummary, f: fn(&CellSelection) -> f64| s.selection.as_ref().map_or(f64::NAN, f);
            columns.push(("chosen_right", float(&|s| value(s, |c| c.right.0))));
            columns.push(("chosen_right_mcse", float(&|s| value(s, |c| c.right.1))));
            columns.push(("chosen_mean", float(&|s| value(s, |c| c.mean.0))));
            columns.push(("chosen_mean_mcse", float(&|s| value(s, |c| c.mean.1))));
        }
        Table::new(columns)
    }
}

fn cell_summary(plan: &Plan, cell: &Cell, rows: &Rows, theory: CellTheory) -> CellSummary {
    let setting = plan.setting(cell);
    let errors_pred: Vec<f64> = rows.errors.iter().map(|e| e.1).collect();
    let errors_frob: Vec<f64> = rows.errors.iter().map(|e| e.2).collect();
    let inference = plan.file.inference.as_ref().filter(|_| !plan.estimator(cell).method.shrinks());
    let squares = |v: &[f64]| root_mean(&v.iter().map(|e| e * e).collect::<Vec<_>>());
    CellSummary {
        cell: cell.id.clone(),
        setting: setting.name.clone(),
        design: plan.file.design[cell.design].label(),
        structure: setting.structure.name().to_owned(),
        solver: plan.estimator(cell).label().to_owned(),
        n: cell.n,
        d_m: setting.structure.d_m(),
        df: (rows.df / errors_pred.len().max(1) as f64).round() as usize,
        naive: setting.structure.naive_parameters(),
        kernels: setting.structure.counts().kernels,
        rank: setting.structure.counts().rank,
        pred: squares(&errors_pred),
        frob: squares(&errors_frob),
        errors_pred,
        errors_frob,
        errors: rows.failed.len(),
        activation: setting.activated.as_ref().map(|a| a.network.activation()),
        not_converged: rows.not_converged,
        optimisation_failures: rows.optimisation_failures,
        has_starts: plan.estimator(cell).method.is_structured(),
        seconds: median(&rows.seconds),
        coverage: inference.map(|i| CellCoverage::new(i.level, &rows.covered)),
        selection: plan.candidates(cell).map(|c| selected(c, &rows.chosen)),
        theory,
    }
}

/// Changes when the formulas of the theory columns do.
const THEORY_VERSION: u32 = 5;

/// Under which the theory of a cell may be used again; with a truth a replicate it depends on how
/// many there are.
fn theory_key(plan: &Plan, cell: &Cell, replicates: usize) -> String {
    let truths = if plan.setting(cell).has_fixed_truth() { 0 } else { replicates };
    Digest::of(&format!("{THEORY_VERSION} {} {:?} {truths}", cell.id, plan.file.theory)).short()
}

/// The theory of each cell of a summary that was stored, under its key.
fn read_theory(table: &Table, bounds: Bounds) -> Result<HashMap<String, CellTheory>> {
    let mut all = vec![CellTheory::default(); table.rows()];
    for column in theory_columns(bounds) {
        let values = if column.is_flag {
            table.ints(&column.name)?.iter().map(|v| *v as f64).collect()
        } else {
            table.floats(&column.name)?.to_vec()
        };
        for (theory, value) in all.iter_mut().zip(values) {
            theory.set(column.name.clone(), value);
        }
    }
    Ok(table.texts("theory_key")?.iter().cloned().zip(all).collect())
}
