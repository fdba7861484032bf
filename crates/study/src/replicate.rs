//! One replicate: stream → sample → compress → fit → metrics.

use std::time::Instant;

use convstat_cnn::Scratch;
use convstat_estimate::{Fit, FitOptions, Sample, compress, fit};
use convstat_runner::stream;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, Axis};
use rand_distr::{Distribution, StandardNormal};

use crate::designs::normal_exact::draw_compressed;
use crate::plan::{Cell, Plan, TrueCoefficient};
use crate::row::Row;
use crate::{Result, StudyError};

/// Observations generated together; a block of inputs stays in cache. Part of the streams' layout.
const BLOCK: u64 = 128;

/// Runs replicate `replicate` of a cell. A numerical failure is a row that says so, not an end of the
/// run.
pub fn run_replicate(plan: &Plan, cell: &Cell, replicate: u64) -> Row {
    let started = Instant::now();
    let mut row = empty_row(plan, cell, replicate);
    match fill(plan, cell, replicate, &mut row) {
        Ok(()) => {}
        Err(e) => row.termination = format!("error: {e}"),
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
        termination: String::new(),
        seconds: 0.0,
    }
}

fn fill(plan: &Plan, cell: &Cell, replicate: u64, row: &mut Row) -> Result<()> {
    let setting = plan.setting(cell);
    let truth = setting.truth(plan.file.study.seed, replicate)?;
    row.df = truth.risk.df;
    let sample = draw_sample(plan, cell, replicate, &truth)?;
    let fit = fit_sample(plan, cell, replicate, &sample, &truth)?;
    let delta = &fit.w - &truth.w;
    row.err_frob = delta.iter().map(|v| v * v).sum::<f64>().sqrt();
    row.err_pred = (&delta * &setting.second_moment.dot(&delta)).sum().max(0.0).sqrt();
    row.objective = fit.best.objective;
    row.oracle_gap = fit.oracle_gap.unwrap_or(f64::NAN);
    row.start = fit.best.start.map_or("", |s| s.name()).to_owned();
    row.iterations = fit.best.iterations;
    row.termination = fit.best.termination.name().to_owned();
    Ok(())
}

/// The compressed sample of a replicate.
pub fn draw_sample(plan: &Plan, cell: &Cell, replicate: u64, truth: &TrueCoefficient) -> Result<Sample> {
    let setting = plan.setting(cell);
    let seed = plan.file.study.seed;
    let design = plan.file.design[cell.design].design();
    let (inputs, outputs) = (setting.geometry.inputs(), setting.structure.outputs());
    let sigma = plan.file.noise.sigma;
    let streams = || {
        let stream = |purpose| stream(seed, purpose, &cell.data_key, replicate);
        (stream("inputs"), stream("noise"))
    };
    if design.is_exact_law() {
        let (mut rng, mut noise_rng) = streams();
        return Ok(draw_compressed(&setting.root, &truth.w, sigma, cell.n, &mut rng, &mut noise_rng));
    }
    let features = setting.geometry.features();
    let full = cell.n.min(BLOCK) as usize;
    let mut x = Array2::zeros((inputs, full));
    let mut block = Array2::zeros((features + outputs, full));
    let mut scratch = Scratch::default();
    let sample = compress(features, outputs, cell.n as f64, |sink| {
        let (mut rng, mut noise_rng) = streams();
        let mut sampler = design.sampler(inputs);
        let mut left = cell.n;
        while left > 0 {
            let b = left.min(BLOCK) as usize;
            left -= b as u64;
            if b != x.ncols() {
                x = Array2::zeros((inputs, b));
                block = Array2::zeros((features + outputs, b));
            }
            sampler.fill(&mut rng, &mut x);
            let (mut z, mut y) = block.view_mut().split_at(Axis(0), features);
            setting.windows.apply_into(&x.view(), &mut z, &mut scratch);
            y.iter_mut().for_each(|v| {
                let e: f64 = StandardNormal.sample(&mut noise_rng);
                *v = sigma * e;
            });
            general_mat_mul(1.0, &truth.w.t(), &z, 1.0, &mut y);
            sink.add(&block.view())?;
        }
        Ok(())
    });
    sample.map_err(StudyError::from)
}

fn fit_sample(
    plan: &Plan,
    cell: &Cell,
    replicate: u64,
    sample: &Sample,
    truth: &TrueCoefficient,
) -> Result<Fit> {
    let estimator = plan.estimator(cell);
    let options = FitOptions {
        solver: estimator.solver,
        starts: estimator.starts.clone(),
        max_iterations: estimator.max_iterations,
        tolerance: estimator.tolerance,
        lambda: estimator.lambda,
    };
    let mut rng = stream(plan.file.study.seed, "starts", &cell.id, replicate);
    let normal = || -> f64 { StandardNormal.sample(&mut rng) };
    Ok(fit(&plan.setting(cell).structure, sample, &options, Some(&truth.factors), normal)?)
}
