//! One replicate: stream → sample → compress → fit → metrics.

use std::time::Instant;

use convstat_cnn::Scratch;
use convstat_estimate::{
    EstimateError, Family, FitOptions, FittedModel, Fitting, LabelledSample, Rows, Sample, Termination,
    TracePoint, WindowedSample, compress,
};
use convstat_runner::{Outcome, stream};
use convstat_tensor::memory;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, Axis, s};
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::coverage::Coverage;
use crate::designs::normal_exact::draw_compressed;
use crate::plan::{Cell, Plan, SettingContext, TrueCoefficient};
use crate::response::draw_labels;
use crate::row::Row;
use crate::selection::{Chosen, choose};
use crate::{Result, StudyError};

/// Observations generated together; a block of inputs stays in cache. Part of the streams' layout.
const BLOCK: u64 = 128;

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
        return activated.fill(plan, cell, replicate, row);
    }
    let truth = setting.truth(plan.file.study.seed, replicate)?;
    row.df = truth.risk.df;
    let sample = draw_sample(plan, cell, &plan.data_key(cell), replicate, &truth)?;
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
        row.coverage = Coverage::new(plan, cell, replicate, of, &truth, inference.level)?;
    }
    let delta = &fit.w - &truth.w;
    row.err_frob = delta.iter().map(|v| v * v).sum::<f64>().sqrt();
    row.err_pred = setting.windows.pull_back(&delta.view()).iter().map(|v| v * v).sum::<f64>().sqrt();
    row.objective = fit.best.objective;
    row.oracle_gap = fit.oracle_gap.unwrap_or(f64::NAN);
    row.start = fit.best.start.map_or("", |s| s.name()).to_owned();
    row.iterations = fit.best.iterations;
    row.outcome = Outcome::Completed(fit.best.termination);
    Ok(())
}

/// The sample, for a key that needs its features.
fn in_memory<'a>(sample: &'a dyn Rows, key: &str) -> Result<&'a Sample> {
    let mend = "it needs all features in memory, and they are too many; use a smaller geometry";
    sample.in_memory().ok_or_else(|| StudyError::bad(key, sample.features(), mend))
}

/// Features above which a sample may be kept as inputs, and its features made block by block.
const MANY_FEATURES: usize = 8192;

/// The sample of a replicate, from the streams of `key`: compressed, or as inputs where those are smaller than the
/// compression; labels as rows.
pub fn draw_sample(
    plan: &Plan,
    cell: &Cell,
    key: &str,
    replicate: u64,
    truth: &TrueCoefficient,
) -> Result<Box<dyn Rows>> {
    let setting = plan.setting(cell);
    let sigma = plan.file.noise.sigma;
    if plan.file.design[cell.design].design().is_exact_law() {
        let (mut rng, mut noise_rng) = streams(plan, key, replicate);
        let (root, w) = (setting.root()?, &truth.w);
        return Ok(Box::new(draw_compressed(root, w, sigma, cell.n, &mut rng, &mut noise_rng)));
    }
    if let Some(response) = &plan.file.response {
        return Ok(Box::new(draw_labelled(plan, cell, key, replicate, truth, response.family)?));
    }
    if is_windowed(setting, cell.n) {
        return Ok(Box::new(draw_windowed(plan, cell, key, replicate, truth)?));
    }
    let (features, outputs) = (setting.geometry.features(), setting.structure.outputs());
    let sample = compress(features, outputs, cell.n as f64, |sink| {
        draw_blocks(plan, cell, key, replicate, truth, |_, block| {
            let (z, y) = block.view().split_at(Axis(0), features);
            sink.add(&z.t(), &y.t())
        })
    });
    Ok(Box::new(sample?))
}

/// Whether inputs take less memory than the three matrices of a compression.
pub fn is_windowed(setting: &SettingContext, n: u64) -> bool {
    let d = setting.geometry.features();
    d > MANY_FEATURES && n as f64 * (setting.geometry.inputs() as f64) < 3.0 * (d as f64).powi(2)
}

pub(crate) fn streams(plan: &Plan, key: &str, replicate: u64) -> (ChaCha8Rng, ChaCha8Rng) {
    let stream = |purpose| stream(plan.file.study.seed, purpose, key, replicate);
    (stream("inputs"), stream("noise"))
}

/// The rows of [`draw_sample`], uncompressed.
///
/// # Errors
/// So many that they do not fit into memory.
pub(crate) fn draw_raw(
    plan: &Plan,
    cell: &Cell,
    key: &str,
    replicate: u64,
    truth: &TrueCoefficient,
) -> Result<Sample> {
    let setting = plan.setting(cell);
    let (features, outputs) = (setting.geometry.features(), setting.structure.outputs());
    let n = cell.n as usize;
    memory::check("the features of a replicate", &[n, features])?;
    let (mut z, mut y) = (Array2::zeros((n, features)), Array2::zeros((n, outputs)));
    let mut first = 0;
    draw_blocks(plan, cell, key, replicate, truth, |_, block| {
        let rows = s![first..first + block.ncols(), ..];
        z.slice_mut(rows).assign(&block.slice(s![..features, ..]).t());
        y.slice_mut(rows).assign(&block.slice(s![features.., ..]).t());
        first += block.ncols();
        Ok(())
    })?;
    Ok(Sample::new(z, y)?)
}

fn draw_windowed(
    plan: &Plan,
    cell: &Cell,
    key: &str,
    replicate: u64,
    truth: &TrueCoefficient,
) -> Result<WindowedSample> {
    let setting = plan.setting(cell);
    let (inputs, outputs, features) =
        (setting.geometry.inputs(), setting.structure.outputs(), setting.geometry.features());
    let n = cell.n as usize;
    memory::check("the inputs of a replicate", &[n, inputs])?;
    let (mut x, mut y) = (Array2::zeros((n, inputs)), Array2::zeros((n, outputs)));
    let mut first = 0;
    draw_blocks(plan, cell, key, replicate, truth, |inputs, block| {
        let rows = s![first..first + inputs.ncols(), ..];
        x.slice_mut(rows).assign(&inputs.t());
        y.slice_mut(rows).assign(&block.slice(s![features.., ..]).t());
        first += inputs.ncols();
        Ok(())
    })?;
    Ok(WindowedSample::new(setting.windows.clone(), x, y)?)
}

fn draw_labelled(
    plan: &Plan,
    cell: &Cell,
    key: &str,
    replicate: u64,
    truth: &TrueCoefficient,
    family: Family,
) -> Result<LabelledSample> {
    let setting = plan.setting(cell);
    let (features, outputs) = (setting.geometry.features(), setting.structure.outputs());
    let n = cell.n as usize;
    memory::check("the rows of a replicate", &[n, features + outputs])?;
    let (mut z, mut y) = (Array2::zeros((n, features)), Array2::zeros((n, outputs)));
    let mut first = 0;
    draw_blocks(plan, cell, key, replicate, truth, |inputs, block| {
        let rows = s![first..first + inputs.ncols(), ..];
        z.slice_mut(rows).assign(&block.slice(s![..features, ..]).t());
        y.slice_mut(rows).assign(&block.slice(s![features.., ..]).t());
        first += inputs.ncols();
        Ok(())
    })?;
    Ok(LabelledSample::new(z, y, family)?)
}

/// Draws a data set in blocks: inputs (`∏d × b`), then features above responses (`(D + M) × b`).
fn draw_blocks(
    plan: &Plan,
    cell: &Cell,
    key: &str,
    replicate: u64,
    truth: &TrueCoefficient,
    mut take: impl FnMut(&Array2<f64>, &Array2<f64>) -> std::result::Result<(), EstimateError>,
) -> std::result::Result<(), EstimateError> {
    let setting = plan.setting(cell);
    let sigma = plan.file.noise.sigma;
    let (inputs, outputs) = (setting.geometry.inputs(), setting.structure.outputs());
    let features = setting.geometry.features();
    let full = cell.n.min(BLOCK) as usize;
    let mut x = Array2::zeros((inputs, full));
    let mut block = Array2::zeros((features + outputs, full));
    let mut scratch = Scratch::default();
    let (mut rng, mut noise_rng) = streams(plan, key, replicate);
    let mut sampler = plan.file.design[cell.design].design().sampler(inputs);
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
        if plan.file.response.is_some() {
            general_mat_mul(1.0, &truth.w.t(), &z, 0.0, &mut y);
            draw_labels(y, &mut noise_rng);
            take(&x, &block)?;
            continue;
        }
        y.iter_mut().for_each(|v| {
            let e: f64 = StandardNormal.sample(&mut noise_rng);
            *v = sigma * e;
        });
        general_mat_mul(1.0, &truth.w.t(), &z, 1.0, &mut y);
        take(&x, &block)?;
    }
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
