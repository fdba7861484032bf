//! One replicate: stream → sample → compress → fit → metrics.

use std::time::Instant;

use convstat_estimate::{FitOptions, FittedModel, Fitting, Rows, Termination, TracePoint};
use convstat_runner::{Outcome, stream};
use rand_distr::{Distribution, StandardNormal};

use crate::coverage::Coverage;
use crate::intervals::coverage;
use crate::plan::{Cell, Plan};
use crate::row::Row;
use crate::sampling::{draw_sample, in_memory};
use crate::selection::{Chosen, choose};
use crate::setting::TrueCoefficient;
use crate::trained;
use crate::{Result, StudyError};

/// Runs replicate `replicate` of a cell. A numerical failure is a row that says so, not an end of the
/// run.
pub fn run_replicate(plan: &Plan, cell: &Cell, replicate: u64) -> Row {
    follow_replicate(plan, cell, replicate, None)
}

/// Follows the steps of a fit.
pub type Observer<'a> = &'a mut dyn FnMut(&TracePoint);

/// [`run_replicate`] with every step of its solver shown to an observer, which changes nothing; of an estimator that selects,
/// whose fits are many, no step is shown.
pub fn follow_replicate(plan: &Plan, cell: &Cell, replicate: u64, observer: Option<Observer>) -> Row {
    let started = Instant::now();
    let mut row = empty_row(plan, cell, replicate);
    match fill(plan, cell, replicate, &mut row, observer) {
        Ok(()) => {}
        Err(e) => row.outcome = Outcome::Failed(e.to_string()),
    }
    row.seconds = started.elapsed().as_secs_f64();
    row
}

fn empty_row(plan: &Plan, cell: &Cell, replicate: u64) -> Row {
    let setting = plan.setting(cell);
    Row {
        cell: cell.id.clone(),
        setting: setting.name.clone(),
        design: plan.file.design[cell.design].label(),
        structure: setting.structure.name().to_owned(),
        solver: plan.estimator(cell).label().to_owned(),
        n: cell.n,
        replicate,
        d_m: setting.structure.d_m(),
        df: 0,
        err_frob: f64::NAN,
        err_pred: f64::NAN,
        objective: f64::NAN,
        oracle_gap: f64::NAN,
        start: String::new(),
        iterations: 0,
        outcome: Outcome::Failed("not run".to_owned()),
        coverage: Coverage::NOTHING,
        seconds: 0.0,
    }
}

fn fill(plan: &Plan, cell: &Cell, replicate: u64, row: &mut Row, observer: Option<Observer>) -> Result<()> {
    let setting = plan.setting(cell);
    if let Some(activated) = &setting.activated {
        return trained::fill(activated, plan, cell, replicate, row);
    }
    let truth = setting.truth(plan.file.study.seed, replicate)?;
    row.df = truth.risk.df;
    let sample = draw_sample(plan, cell, &plan.data_key(cell)?, replicate, &truth)?;
    let model = match plan.candidates(cell) {
        None => fit_sample(plan, cell, replicate, &*sample, &truth, observer)?,
        Some(candidates) => {
            let Chosen { label, model, df } =
                choose(plan, cell, replicate, in_memory(&*sample, "estimator.select")?, &truth, candidates)?;
            (row.structure, row.df) = (label.to_owned(), df);
            model
        }
    };
    let fit = &model.fit;
    if fit.best.termination == Termination::Separated {
        return Err(StudyError::Separated { n: cell.n });
    }
    if let Some(inference) = &plan.file.inference {
        let of = (in_memory(&*sample, "inference")?, &model);
        row.coverage = coverage(plan, cell, replicate, of, &truth, inference.level)?;
    }
    let delta = &fit.w - &truth.w;
    row.err_frob = delta.iter().map(|v| v * v).sum::<f64>().sqrt();
    row.err_pred = setting.windows.pull_back(&delta.view()).iter().map(|v| v * v).sum::<f64>().sqrt();
    row.objective = fit.best.objective;
    row.oracle_gap = fit.oracle_gap.unwrap_or(f64::NAN);
    fit.best.start.map_or("", |s| s.name()).clone_into(&mut row.start);
    row.iterations = fit.best.iterations;
    row.outcome = Outcome::Completed(fit.best.termination);
    Ok(())
}

fn fit_sample(
    plan: &Plan,
    cell: &Cell,
    replicate: u64,
    sample: &dyn Rows,
    truth: &TrueCoefficient,
    observer: Option<Observer>,
) -> Result<FittedModel> {
    let options = FitOptions { inference: plan.file.inference.is_some(), ..plan.estimator(cell).options() };
    let mut rng = stream(plan.file.study.seed, "starts", &cell.id, replicate);
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    let fitting = Fitting::new(&plan.setting(cell).structure, &options).truth(Some(&truth.factors));
    let fitting = fitting.normal(&mut normal);
    Ok(match observer {
        Some(observer) => fitting.observer(observer).fit(sample)?,
        None => fitting.fit(sample)?,
    })
}
