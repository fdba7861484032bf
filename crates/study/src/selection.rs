//! Estimators that choose their structure: candidates of a setting, and the choice in one replicate.

use std::collections::HashSet;

use convstat_cnn::Structure;
use convstat_estimate::select::{Evidence, cross_validate, folds_of};
use convstat_estimate::{FitOptions, FittedModel, Fitting, Method, Sample, Start};
use convstat_runner::stream;
use rand_distr::{Distribution, StandardNormal};

use crate::file::{Estimator, Setting, StudyFile};
use crate::plan::{Cell, Plan, SettingContext, TrueCoefficient};
use crate::replicate::draw_raw;
use crate::summary::mean;
use crate::{Result, StudyError};

/// Folds of cross-validation unless a study file says otherwise.
pub const FOLDS: usize = 10;

/// Candidates of an estimator in a setting: its structure with other values of some keys.
#[derive(Debug)]
pub struct Candidates {
    /// The structures, in the order of the grid.
    pub structures: Vec<Structure>,
    /// What rows call them: their names, or where two have one (networks written out) what the user would write.
    pub labels: Vec<String>,
    /// Which of them is the structure of the truth, if one is.
    pub truth: Option<usize>,
    /// The key that varies, if one alone does.
    pub key: Option<String>,
    /// Its value in each structure.
    pub values: Vec<usize>,
}

impl Candidates {
    /// Of an estimator in a setting; none if it does not select.
    pub(crate) fn new(
        estimator: &Estimator,
        setting: &Setting,
        context: &SettingContext,
    ) -> Result<Option<Self>> {
        if estimator.select.is_none() {
            return Ok(None);
        }
        let modes = context.geometry.output_modes(setting.structure.outputs()?);
        let specs = setting.structure.grid(&estimator.over)?;
        let structures = specs.iter().map(|s| Ok(s.build(&modes)?)).collect::<Result<Vec<_>>>()?;
        let names: Vec<String> = structures.iter().map(|s| s.name().to_owned()).collect();
        let is_distinct = names.iter().collect::<HashSet<_>>().len() == names.len();
        let same = |s: &Structure| {
            let truth = &context.truth_structure;
            s.network() == truth.network() && s.sizes() == truth.sizes()
        };
        let single = estimator.over.iter().next().filter(|_| estimator.over.len() == 1);
        Ok(Some(Self {
            labels: if is_distinct { names } else { specs.iter().map(ToString::to_string).collect() },
            truth: structures.iter().position(same),
            structures,
            key: single.map(|(key, _)| key.clone()),
            values: single.map_or_else(Vec::new, |(_, values)| values.clone()),
        }))
    }
}

/// Fails on keys of a selection that do not go together.
pub(crate) fn check(estimator: &Estimator, file: &StudyFile) -> Result<()> {
    let Some(criterion) = estimator.select else {
        return match (estimator.over.keys().next(), estimator.folds) {
            (Some(key), _) => {
                Err(StudyError::bad("estimator.over", key, "it needs select = \"bic\" or another"))
            }
            (None, Some(folds)) => Err(StudyError::bad("estimator.folds", folds, "it needs select = \"cv\"")),
            (None, None) => Ok(()),
        };
    };
    if estimator.over.is_empty() {
        return Err(StudyError::bad(
            "estimator.select",
            criterion.name(),
            "give the candidates, for instance over = { kernels = [1, 2, 3] }",
        ));
    }
    if estimator.method.starts().contains(&Start::Oracle) {
        let mend = "a selection does not know the truth, which the default starts with too; write starts = [\"spectral\", \"random\"]";
        return Err(StudyError::bad("estimator.starts", "oracle", mend));
    }
    if matches!(estimator.method, Method::Adam(_)) {
        let mend = "trained networks have no criterion; use levenberg-marquardt or als without an activation";
        return Err(StudyError::bad("estimator.select", criterion.name(), mend));
    }
    if !estimator.method.is_structured() {
        let mend = "it fits the same W whatever the candidate; use levenberg-marquardt or als";
        return Err(StudyError::bad("estimator.solver", estimator.method.name(), mend));
    }
    let folds = estimator.folds.unwrap_or(FOLDS);
    if folds < 2 {
        return Err(StudyError::bad("estimator.folds", folds, "at least 2 are needed"));
    }
    if !criterion.needs_folds() {
        return match estimator.folds {
            Some(folds) => Err(StudyError::bad("estimator.folds", folds, "only cv and cv-one-se have folds")),
            None => Ok(()),
        };
    }
    match file.design.iter().find(|d| d.design().is_exact_law()) {
        Some(design) => {
            let mend = format!(
                "design \"{}\" draws no rows that could be left out; use design \"normal\", whose law is the same",
                design.label()
            );
            Err(StudyError::bad("estimator.select", criterion.name(), &mend))
        }
        None => Ok(()),
    }
}

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
        return Err(StudyError::bad("estimator.select", "none", "it chooses nothing"));
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
        let key = plan.data_key(cell);
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

/// Which structures an estimator chose in a cell.
#[derive(Debug, Clone, PartialEq)]
pub struct CellSelection {
    /// Share of the replicates that chose the true structure, and its binomial standard error.
    pub right: (f64, f64),
    /// Mean value chosen of the key that varies, and its MCSE; NaN where several keys vary.
    pub mean: (f64, f64),
    /// That key, and its value in the truth if the truth is among the candidates.
    pub key: Option<(String, Option<usize>)>,
}

impl CellSelection {
    /// Of the replicates of a cell and the labels of the structures they chose; none where nothing is chosen.
    pub(crate) fn new(plan: &Plan, cell: &Cell, chosen: &[(u64, String)]) -> Option<Self> {
        let candidates = plan.candidates(cell)?;
        let n = chosen.len() as f64;
        let places: Vec<Option<usize>> =
            chosen.iter().map(|(_, label)| candidates.labels.iter().position(|l| l == label)).collect();
        let right = places.iter().filter(|p| p.is_some() && **p == candidates.truth).count() as f64 / n;
        let value = |place: Option<usize>| candidates.values.get(place?).copied();
        let values: Vec<f64> = places.iter().map(|p| value(*p).map_or(f64::NAN, |v| v as f64)).collect();
        Some(Self {
            right: (right, (right * (1.0 - right) / n).sqrt()),
            mean: mean(&values),
            key: candidates.key.clone().map(|key| (key, value(candidates.truth))),
        })
    }
}
