//! Candidates fitted, compared and chosen in one call.

use convstat_cnn::{Geometry, Structure};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::criterion::Criterion;
use super::cross_validation::{cross_validate, folds_of};
use super::evidence::{Evidence, Verdict};
use crate::diagnostics::Diagnostic;
use crate::fitting::{FitOptions, Fitting};
use crate::model::FittedModel;
use crate::scale::Scale;
use crate::solvers::Method;
use crate::{Result, Sample};

/// How to select.
#[derive(Debug, Clone)]
pub struct SelectOptions<'a> {
    /// The criteria that judge.
    pub criteria: Vec<Criterion>,
    /// How each candidate is fitted.
    pub method: Method,
    /// Seed of all random numbers.
    pub seed: u64,
    /// Folds of cross-validation.
    pub folds: usize,
    /// Pooled positions `P`, the rows of the unfolding for [`Criterion::Evbmf`]; for plain data the size of the first axis.
    pub positions: usize,
    /// The geometry that made the features, if one did.
    pub geometry: Option<&'a Geometry>,
}

/// Candidates with what was found out about them.
#[derive(Debug, Clone)]
pub struct Selection {
    /// A fit of each candidate.
    pub fitted: Vec<FittedModel>,
    /// What each criterion says, in the order asked for.
    pub verdicts: Vec<(Criterion, Verdict)>,
    /// What keeps the fits of the chosen candidates from being trusted, by candidate.
    pub diagnostics: Vec<(usize, Vec<Diagnostic>)>,
}

/// Fits every candidate to a raw sample and lets the criteria judge. The fits do not depend on the criteria.
///
/// # Errors
/// No candidate that a criterion could choose, fewer than two folds, those of [`Fitting::fit`].
pub fn select(structures: &[Structure], sample: &Sample, options: &SelectOptions) -> Result<Selection> {
    let scale = Scale::common(sample, structures.iter().map(|s| s.owners().len()));
    let unit = if scale.is_one() { sample.clone() } else { scale.to_unit(sample) };
    let compressed = unit.compressed()?;
    let stream = |number: u64| {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(number);
        move || -> f64 { StandardNormal.sample(&mut rng) }
    };
    let mut starts = stream(0);
    let fit_options = FitOptions { inference: true, ..FitOptions::bare(options.method.clone()) };
    let fitted = structures
        .iter()
        .map(|s| Fitting::new(s, &fit_options).normal(&mut starts).fit(&compressed))
        .collect::<Result<Vec<_>>>()?;
    let held_out = if options.criteria.iter().any(|c| c.needs_folds()) {
        let folds = folds_of(&unit, options.folds, stream(1))?;
        Some(cross_validate(structures, &folds, &options.method, stream(2))?)
    } else {
        None
    };
    let evidence = Evidence {
        structures,
        sample: &compressed,
        positions: options.positions,
        fitted: &fitted,
        held_out: held_out.as_ref(),
    };
    let verdicts = options
        .criteria
        .iter()
        .map(|&c| Ok((c, of_data(c, c.judge(&evidence)?, &evidence, &scale))))
        .collect::<Result<Vec<_>>>()?;
    let mut chosen: Vec<usize> = verdicts.iter().map(|(_, v)| v.chosen).collect();
    chosen.sort_unstable();
    chosen.dedup();
    let diagnose = |i: usize| {
        let fitting = Fitting::new(&structures[i], &fit_options).geometry(options.geometry);
        Ok((i, fitting.diagnose(&unit, &fitted[i].fit)?))
    };
    let diagnostics = chosen.into_iter().map(diagnose).collect::<Result<Vec<_>>>()?;
    let operands = structures.iter().map(|s| s.owners().len());
    let fitted = fitted.into_iter().zip(operands).map(|(f, n)| f.rescaled(&scale.with_operands(n))).collect();
    Ok(Selection { fitted, verdicts, diagnostics })
}

/// A verdict about a sample in units, for the sample itself: information criteria take a constant, errors a factor.
fn of_data(criterion: Criterion, mut verdict: Verdict, evidence: &Evidence, scale: &Scale) -> Verdict {
    if criterion.needs_fits() {
        let shift = evidence.equations() * 2.0 * f64::from(scale.y) * std::f64::consts::LN_2;
        verdict.values.iter_mut().for_each(|v| *v += shift);
    } else if criterion.needs_folds() {
        verdict.values.iter_mut().chain(&mut verdict.errors).for_each(|v| *v = scale.square(*v));
    }
    verdict
}
