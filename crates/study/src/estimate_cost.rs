//! What a study will cost, before it runs.

use convstat_estimate::fit_entries;

use crate::Result;
use crate::operations::fits;
use crate::plan::Plan;
use crate::replicate::run_replicate;
use crate::sampling::is_windowed;
use crate::setting::SettingContext;
use crate::trained::FRESH;

/// Bytes a replicate takes in the store, measured on Snappy-compressed parts.
const BYTES_A_ROW: f64 = 60.0;

/// Estimated cost of a study.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub struct Cost {
    /// Cells.
    pub cells: usize,
    /// Replicates over all cells.
    pub replicates: u64,
    /// Fits: replicates times starts.
    pub fits: u64,
    /// Processor seconds; divide by the threads.
    pub cpu_seconds: f64,
    /// Seconds of the longest replicate.
    pub longest_replicate: f64,
    /// Bytes of memory a thread.
    pub memory_a_thread: f64,
    /// Bytes on disk.
    pub disk: f64,
    /// Smallest and largest expected MCSE relative to the error, `1/√(2 df R)`.
    pub relative_mcse: (f64, f64),
}

/// Estimates the cost from one timed replicate at the smallest and the largest n of each series.
///
/// # Errors
/// A structure whose dimension does not fit into memory.
pub fn estimate_cost(plan: &Plan) -> Result<Cost> {
    let replicates = plan.replicates();
    let mut cost = Cost {
        cells: plan.cells.len(),
        replicates: plan.cells.len() as u64 * replicates,
        fits: 0,
        cpu_seconds: 0.0,
        longest_replicate: 0.0,
        memory_a_thread: 0.0,
        disk: plan.cells.len() as f64 * replicates as f64 * BYTES_A_ROW,
        relative_mcse: (f64::INFINITY, 0.0),
    };
    // Cells stand in the order setting, design, estimator, n.
    let mut series =
        plan.cells.chunk_by(|a, b| (a.setting, a.design, a.estimator) == (b.setting, b.design, b.estimator));
    for setting in &plan.settings {
        let df = setting.structure.df()?;
        let mcse = 1.0 / (2.0 * df as f64 * replicates as f64).sqrt();
        cost.relative_mcse = (cost.relative_mcse.0.min(mcse), cost.relative_mcse.1.max(mcse));
        for _ in &plan.file.design {
            for estimator in &plan.file.estimator {
                let cells: Vec<_> = series.next().into_iter().flatten().collect();
                let starts = estimator.method.starts().len().max(1);
                cost.fits += cells.len() as u64 * replicates * (starts * fits(estimator)) as u64;
                let (Some(low), Some(high)) =
                    (cells.iter().min_by_key(|c| c.n), cells.iter().max_by_key(|c| c.n))
                else {
                    continue;
                };
                cost.memory_a_thread = cost.memory_a_thread.max(memory(plan, setting, high.n));
                let seconds = |c| run_replicate(plan, c, 0).seconds;
                let (t0, t1) = (seconds(low), seconds(high));
                cost.longest_replicate = cost.longest_replicate.max(t0).max(t1);
                let rate = if high.n > low.n { (t1 - t0) / (high.n - low.n) as f64 } else { 0.0 };
                let total: f64 = cells.iter().map(|c| t0 + rate.max(0.0) * (c.n - low.n) as f64).sum();
                cost.cpu_seconds += total * replicates as f64;
            }
        }
    }
    Ok(cost)
}

/// Bytes that one replicate holds at its peak: its inputs and blocks, and the larger of its compression (the Gram matrix, a
/// factor and the result) and its fit (the sample, the normal equations of the pilot, the blocks of the solver); or the
/// inputs and the blocks where the features are made as they are needed; for labels all rows.
fn memory(plan: &Plan, setting: &SettingContext, n: u64) -> f64 {
    let (d, m) = (setting.structure.features() as f64, setting.structure.outputs() as f64);
    if let Some(a) = &setting.activated {
        let windows = (a.network.windows_of_one() * setting.geometry.taps()) as f64;
        return 8.0 * (n as f64).max(FRESH as f64) * (windows + setting.geometry.inputs() as f64 + 2.0 * m);
    }
    // The tangent space of the truth, and its image.
    let tangent = setting.dimension as f64 * m * (d + setting.geometry.inputs() as f64);
    let block = 128.0 * (setting.geometry.inputs() as f64 * 3.0 + 3.0 * d);
    if plan.file.response.is_some() {
        // The rows, the working sample that starts come from, and its copy while it is compressed.
        let fit = fit_entries(&setting.structure, n as usize);
        return 8.0 * (tangent + block + 3.0 * n as f64 * (d + m) + 3.0 * (d + m).powi(2) + fit);
    }
    if is_windowed(setting, n) {
        let fit = fit_entries(&setting.structure, n as usize) + 24.0 * 16.0 * d;
        return 8.0 * (tangent + n as f64 * (setting.geometry.inputs() as f64 + m) + block.max(fit));
    }
    let rows = setting.structure.features().min(usize::try_from(n).unwrap_or(usize::MAX));
    let compression = block + 3.0 * (d + m).powi(2);
    let fit = 2.0 * d * rows as f64 + fit_entries(&setting.structure, rows);
    8.0 * (tangent + compression.max(fit))
}
