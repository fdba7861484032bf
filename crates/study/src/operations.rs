//! How much work a replicate is.

use convstat_estimate::Method;

use crate::candidates::FOLDS;
use crate::file::{Estimator, StudyFile};
use crate::setting::SettingContext;

/// Fits a start of one replicate, about: a selection fits every candidate, in every fold where it leaves some out.
pub(crate) fn fits(estimator: &Estimator) -> usize {
    let Some(criterion) = estimator.select else { return 1 };
    let candidates: usize = estimator.over.values().map(Vec::len).product();
    match (criterion.needs_fits(), criterion.needs_folds()) {
        (true, _) => candidates,
        (_, true) => candidates * estimator.folds.unwrap_or(FOLDS) + 1,
        _ => 1,
    }
}

/// Floating-point operations of a replicate with `n` observations, of a design and an estimator of the file, roughly: to divide
/// work, the same on every machine.
pub(crate) fn operations(
    file: &StudyFile,
    setting: &SettingContext,
    design: usize,
    estimator: usize,
    n: u64,
) -> f64 {
    /// Operations of a random number.
    const DRAW: f64 = 20.0;
    /// Iterations of a start.
    const ITERATIONS: f64 = 20.0;
    let estimator = &file.estimator[estimator];
    let (d, m) = (setting.structure.features() as f64, setting.structure.outputs() as f64);
    let (n, p) = (n as f64, setting.structure.naive_parameters() as f64);
    // Labels are not compressed.
    let is_compressed = file.response.is_none();
    let rows = if is_compressed { n.min(d + m) } else { n };
    let data = if file.design[design].design().is_exact_law() {
        DRAW * rows * d + rows * d * d
    } else {
        let compression = if is_compressed { d * (d + 2.0 * m) } else { 2.0 * d * m };
        n * (DRAW * (setting.geometry.inputs() as f64 + m) + compression) + d * d * d / 3.0
    };
    if let Some(a) = &setting.activated {
        let steps = match &estimator.method {
            Method::Adam(adam) => adam.steps * adam.batch * adam.starts.len(),
            _ => 0,
        };
        return data + steps as f64 * a.network.operations();
    }
    let fit = if estimator.method.is_structured() {
        let iteration = rows * m * (2.0 * d + p * p) + p * p * p / 3.0;
        (estimator.method.starts().len() * fits(estimator)) as f64 * ITERATIONS * iteration
    } else {
        rows * d * d
    };
    data + fit
}
