//! Summaries: root mean squared errors with Monte Carlo standard errors beside theory, a row a cell.

use std::collections::HashMap;

use convstat_cnn::Activation;
use convstat_runner::{Column, Digest, Table};

use crate::Result;
use crate::coverage::{COLUMNS, CellCoverage};
use crate::outcome::{FailureKind, TERMINATION, failures, read_outcome};
use crate::plan::{Cell, Plan};

use crate::selection::CellSelection;
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
    /// Fits that ended without showing an optimum (they count in the means); not those that a training schedule ends.
    pub not_converged: usize,
    /// Fits whose starts, the oracle left out, missed the optimum.
    pub optimisation_failures: usize,
    /// What stands between convolution and pooling, if the network is trained.
    pub activation: Option<Activation>,
    /// Whether the solver has starts, of which the best may miss the optimum.
    pub has_starts: bool,
    /// Median time of a replicate, its data and all its starts; the only column that differs between runs.
    pub seconds: f64,
    /// What confidence statements cover, in studies with a table `[inference]`.
    pub coverage: Option<CellCoverage>,
    /// Which structures were chosen, where the estimator selects.
    pub selection: Option<CellSelection>,
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
    let error = if root == 0.0 { 0.0 } else { (variance / n).sqrt() / (2.0 * root) };
    (root, error)
}

/// The middle of some numbers, or the mean of the two in the middle; NaN of none.
fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    match n {
        0 => f64::NAN,
        _ => 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]),
    }
}

/// Mean and its Monte Carlo standard error.
pub(crate) fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

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
    pub fn new(groups: Groups, earlier: Option<&Table>) -> Result<Self> {
        let plan = groups.plan;
        let known = earlier.map_or_else(HashMap::new, |t| read_theory(t).unwrap_or_default());
        let mut dimensions = vec![None; plan.settings.len()];
        let mut summary = Self { confidence: plan.file.theory.confidence, ..Self::default() };
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
            let theory = if let Some(t) = known.get(&key) {
                *t
            } else {
                let structured =
                    plan.estimator(cell).method.is_structured() && plan.setting(cell).activated.is_none();
                let bounds = plan.file.theory.bounds && plan.file.response.is_none();
                if bounds && structured && dimensions[cell.setting].is_none() {
                    dimensions[cell.setting] = Some(setting_dimension(plan, plan.setting(cell))?);
                }
                cell_theory(plan, cell, &rows.replicates(), dimensions[cell.setting])?
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
        ];
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
        coverage: CellCoverage::new(plan, &rows.covered).filter(|_| !plan.estimator(cell).method.shrinks()),
        selection: CellSelection::new(plan, cell, &rows.chosen),
        theory,
    }
}

/// Changes when the formulas of the theory columns do.
const THEORY_VERSION: u32 = 4;

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
