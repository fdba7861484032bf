//! The sample of a replicate: stream → inputs → features → responses → compression.

use convstat_cnn::Scratch;
use convstat_estimate::{EstimateError, LabelledSample, Rows, Sample, WindowedSample, compress};
use convstat_runner::stream;
use convstat_tensor::memory;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, Axis, s};
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::designs::Sampler;
use crate::designs::normal_exact::draw_compressed;
use crate::labels::draw_labels;
use crate::plan::{Cell, Plan};
use crate::setting::{SettingContext, TrueCoefficient};
use crate::{Result, StudyError};

/// Observations generated together; a block of inputs stays in cache. Part of the streams' layout.
const BLOCK: u64 = 128;

/// Features above which a sample may be kept as inputs, and its features made block by block.
const MANY_FEATURES: usize = 8192;

/// The sample of a replicate, from the streams of `key`: compressed, or as inputs where those are smaller than the
/// compression; labels as rows.
///
/// # Errors
/// What does not fit into memory.
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
        let (z, y) = draw_rows(plan, cell, key, replicate, truth, Columns::Features)?;
        return Ok(Box::new(LabelledSample::new(z, y, response.family)?));
    }
    if is_windowed(setting, cell.n) {
        let (x, y) = draw_rows(plan, cell, key, replicate, truth, Columns::Inputs)?;
        return Ok(Box::new(WindowedSample::new(setting.windows.clone(), x, y)?));
    }
    let (features, outputs) = (setting.geometry.features(), setting.structure.outputs());
    let mut sampler = sampler_of(plan, cell)?;
    let sample = compress(features, outputs, cell.n as f64, |sink| {
        draw_blocks(plan, cell, key, replicate, truth, &mut *sampler, |_, block| {
            let (z, y) = block.view().split_at(Axis(0), features);
            sink.add(&z.t(), &y.t())
        })
    });
    Ok(Box::new(sample?))
}

/// The sample, for a key that needs its features.
pub(crate) fn in_memory<'a>(sample: &'a dyn Rows, key: &str) -> Result<&'a Sample> {
    let mend = "it needs all features in memory, and they are too many; use a smaller geometry";
    sample.in_memory().ok_or_else(|| StudyError::bad(key, sample.features(), mend))
}

/// Whether inputs take less memory than the three matrices of a compression.
pub fn is_windowed(setting: &SettingContext, n: u64) -> bool {
    let d = setting.geometry.features();
    d > MANY_FEATURES && n as f64 * (setting.geometry.inputs() as f64) < 3.0 * (d as f64).powi(2)
}

/// Draws the inputs of a cell.
fn sampler_of(plan: &Plan, cell: &Cell) -> Result<Box<dyn Sampler>> {
    plan.file.design[cell.design].design().sampler(plan.setting(cell).geometry.inputs())
}

/// The streams of inputs and of noise.
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
    let (z, y) = draw_rows(plan, cell, key, replicate, truth, Columns::Features)?;
    Ok(Sample::new(z, y)?)
}

/// What rows are kept as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Columns {
    Inputs,
    Features,
}

/// The rows of a data set (`n × inputs` or `n × D`) and their responses (`n × M`).
fn draw_rows(
    plan: &Plan,
    cell: &Cell,
    key: &str,
    replicate: u64,
    truth: &TrueCoefficient,
    columns: Columns,
) -> Result<(Array2<f64>, Array2<f64>)> {
    let setting = plan.setting(cell);
    let (features, outputs) = (setting.geometry.features(), setting.structure.outputs());
    let width = if columns == Columns::Features { features } else { setting.geometry.inputs() };
    let n = cell.n as usize;
    memory::check("the rows of a replicate", &[n, width])?;
    let (mut x, mut y) = (Array2::zeros((n, width)), Array2::zeros((n, outputs)));
    let mut sampler = sampler_of(plan, cell)?;
    let mut first = 0;
    draw_blocks(plan, cell, key, replicate, truth, &mut *sampler, |inputs, block| {
        let rows = s![first..first + block.ncols(), ..];
        let (z, responses) = block.view().split_at(Axis(0), features);
        x.slice_mut(rows).assign(&if columns == Columns::Features { z.t() } else { inputs.t() });
        y.slice_mut(rows).assign(&responses.t());
        first += block.ncols();
        Ok(())
    })?;
    Ok((x, y))
}

/// Draws a data set in blocks: inputs (`∏d × b`), then features above responses (`(D + M) × b`).
fn draw_blocks(
    plan: &Plan,
    cell: &Cell,
    key: &str,
    replicate: u64,
    truth: &TrueCoefficient,
    sampler: &mut dyn Sampler,
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
