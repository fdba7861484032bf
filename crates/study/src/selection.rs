//! Estimators that choose their structure: the choice in one replicate.

use convstat_cnn::Structure;
use convstat_estimate::select::{Evidence, cross_validate, folds_of};
use convstat_estimate::{FitOptions, FittedModel, Fitting, Sample};
use convstat_runner::stream;
use rand_distr::{Distribution, StandardNormal};

use crate::candidates::{Candidates, FOLDS};
use crate::plan::{Cell, Plan};
use crate::sampling::draw_raw;
use crate::setting::TrueCoefficient;
use crate::{Result, StudyError};

/// The structure that a criterion chose, fitted to the whole sample.
pub(crate) struct Chosen<'a> {
    pub label: &'a str,
    pub model: FittedModel,
    /// Identified dimension at the fit.
    pub df: usize,
}

/// Chooses among the candidates. Folds are those of the rows that `sample` was compressed from.
pub(crate) fn choose<'a>(
    plan: &Plan,
    cell: &Cell,
    replicate: u64,
    sample: &Sample,
    truth: &TrueCoefficient,
    candidates: &'a Candidates,
) -> Result<Chosen<'a>> {
    let estimator = plan.estimator(cell);
    let Some(criterion) = estimator.select else {
        return Err(StudyError::internal("a choice among candidates", "the estimator has no criterion"));
    };
    let options = FitOptions { inference: true, ..estimator.options() };
    let structures = &candidates.structures[..];
    let mut rng = stream(plan.file.study.seed, "starts", &cell.id, replicate);
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    let fit = |s: &Structure, normal: &mut dyn FnMut() -> f64| -> Result<FittedModel> {
        Ok(Fitting::new(s, &options).normal(normal).fit(sample)?)
    };
    let fitted = if criterion.needs_fits() {
        structures.iter().map(|s| fit(s, &mut normal)).collect::<Result<Vec<_>>>()?
    } else {
        Vec::new()
    };
    let held_out = if criterion.needs_folds() {
        let key = plan.data_key(cell)?;
        let mut rng = stream(plan.file.study.seed, "folds", &key, replicate);
        let raw = draw_raw(plan, cell, &key, replicate, truth)?;
        let order = || -> f64 { StandardNormal.sample(&mut rng) };
        let folds = folds_of(&raw, estimator.folds.unwrap_or(FOLDS), order)?;
        Some(cross_validate(structures, &folds, &estimator.method, &mut normal)?)
    } else {
        None
    };
    let positions = plan.setting(cell).geometry.positions();
    let evidence = Evidence { structures, sample, positions, fitted: &fitted, held_out: held_out.as_ref() };
    let chosen = criterion.judge(&evidence)?.chosen;
    let model = match fitted.into_iter().nth(chosen) {
        Some(model) => model,
        None => fit(&structures[chosen], &mut normal)?,
    };
    let df = model.df()?.round() as usize;
    Ok(Chosen { label: &candidates.labels[chosen], model, df })
}
