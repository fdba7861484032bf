//! Theory columns of a cell: risk in both norms, bounds, conditions.

use std::borrow::Cow;
use std::sync::Arc;

use convstat_estimate::Method;
use convstat_runner::stream;
use convstat_theory::bounds::Kind;
use convstat_theory::{DesignLaw, ErrorNorm, LazyDimension, SettingTheory, Sizes, Tangent, ols_risk};
use ndarray::Array2;
use rand::Rng;
use rayon::prelude::*;

use crate::cell_theory::CellTheory;
use crate::plan::{Cell, Plan};
use crate::sampling::draw_sample;
use crate::setting::SettingContext;
use crate::statistics::root_mean;
use crate::trained;
use crate::{Result, StudyError};

/// Statistical dimension of a setting, the same for all its cells; not computed before it is asked for.
pub fn setting_dimension<'a>(plan: &Plan, setting: &'a SettingContext) -> Arc<LazyDimension<'a>> {
    let o = &plan.file.theory;
    let seed = stream(plan.file.study.seed, "statistical dimension", &setting.name, 0).next_u64();
    let (structure, geometry) = (Cow::Borrowed(&setting.structure), Cow::Borrowed(&setting.geometry));
    Arc::new(LazyDimension::new(structure, geometry, o.draws, o.starts, seed))
}

/// Theory of one cell over `replicates` (their truths count where the truth is drawn anew).
///
/// # Errors
/// What does not fit into memory.
pub fn cell_theory(
    plan: &Plan,
    cell: &Cell,
    replicates: &[u64],
    dimension: &Arc<LazyDimension>,
) -> Result<CellTheory> {
    let setting = plan.setting(cell);
    if let Some(activated) = &setting.activated {
        let mut theory = CellTheory::default();
        trained::risk(activated, plan, cell, &mut theory)?;
        return Ok(theory);
    }
    if plan.file.response.is_some() {
        return label_theory(plan, cell, replicates);
    }
    let mut theory = CellTheory::default();
    if plan.estimator(cell).method.is_structured() {
        let Some(at) = setting_theory(plan, cell, replicates, dimension)? else { return Ok(theory) };
        structured_theory(plan, cell, &at, &mut theory)?;
    }
    let (law, sigma, n) = (design_law(plan, cell), plan.file.noise.sigma, cell.n as f64);
    if matches!(plan.estimator(cell).method, Method::Ols(_)) && law.is_iid_gaussian() {
        // Each response is a regression of its own: squared risks add up.
        let m = setting.structure.outputs() as f64;
        if let Some((frob, pred)) = ols_risk(&setting.geometry.second_moment()?, sigma, n)? {
            theory.set_risk(ErrorNorm::Frobenius, ((m * frob).sqrt(), 0.0));
            theory.set_risk(ErrorNorm::Prediction, ((m * pred).sqrt(), 0.0));
        }
    }
    Ok(theory)
}

fn design_law(plan: &Plan, cell: &Cell) -> DesignLaw {
    plan.file.design[cell.design].design().law()
}

/// The cell as theory sees it, over the truths of the replicates; nothing where the structure does not contain a truth.
fn setting_theory<'a>(
    plan: &Plan,
    cell: &Cell,
    replicates: &[u64],
    dimension: &Arc<LazyDimension<'a>>,
) -> Result<Option<SettingTheory<'a>>> {
    let setting = plan.setting(cell);
    let truths = first_order(plan, setting, replicates)?;
    Ok(truths.contained.then_some(SettingTheory {
        sizes: Sizes::new(&setting.geometry, &setting.structure),
        tangent: truths.tangent,
        is_regular: Some(truths.tangent.df.is_finite()),
        is_identified: truths.tangent.trace.is_finite(),
        spectrum: setting.geometry.factor_spectrum()?,
        law: design_law(plan, cell),
        sigma: plan.file.noise.sigma,
        options: plan.file.theory.bound_options(),
        dimension: Arc::clone(dimension),
    }))
}

/// Everything that the registry says of structured estimates, and the risk from drawn designs where it has no closed form.
fn structured_theory(plan: &Plan, cell: &Cell, at: &SettingTheory, theory: &mut CellTheory) -> Result<()> {
    let (n, outputs) = (cell.n as f64, at.sizes.outputs);
    let has_bounds = plan.file.theory.bounds && at.sigma > 0.0;
    let has_closed_form = at.law.is_iid_gaussian() && outputs == 1;
    for bound in plan.bounds.iter().filter(|b| b.kind().has_columns()) {
        if bound.kind() == Kind::Upper && !has_bounds {
            continue;
        }
        for &norm in bound.norms() {
            let value = bound.evaluate(at, norm, n)?;
            theory.set(bound.column(norm), value.error);
            if let Some(column) = bound.condition_column() {
                theory.set(column, f64::from(u8::from(value.condition_holds)));
            }
            if bound.kind() == Kind::Risk {
                let error = if has_closed_form { 0.0 } else { f64::NAN };
                theory.set(format!("{}_se", bound.column(norm)), error);
            }
        }
        for detail in bound.details() {
            theory.set(detail.column, (detail.value)(at)?);
        }
    }
    if !has_closed_form
        && at.tangent.df.is_finite()
        && n * outputs as f64 > at.tangent.df + 1.0
        && let Some((frob, pred)) = drawn_designs(plan, cell)?
    {
        // The trace is that of the identified part alone where W is not identified.
        if at.is_identified {
            theory.set_risk(ErrorNorm::Frobenius, frob);
        }
        theory.set_risk(ErrorNorm::Prediction, pred);
    }
    Ok(())
}

struct FirstOrder {
    /// The structure contains the truth.
    contained: bool,
    /// NaN where the truth is not a regular point, and its traces where `W` is not identified.
    tangent: Tangent,
}

/// Mean over the truths of the replicates.
fn first_order(plan: &Plan, setting: &SettingContext, replicates: &[u64]) -> Result<FirstOrder> {
    let one: [u64; 1] = [0];
    let list = if setting.has_fixed_truth() || replicates.is_empty() { &one[..] } else { replicates };
    let risks: Vec<(Tangent, bool)> = list
        .par_iter()
        .map(|&r| {
            let truth = setting.truth(plan.file.study.seed, r)?;
            let own = truth.risk.tangent();
            let regular = |v: f64| if truth.is_regular { v } else { f64::NAN };
            let identified = |v: f64| if truth.risk.is_identified() { v } else { f64::NAN };
            let tangent = Tangent {
                df: regular(own.df),
                trace: regular(identified(own.trace)),
                trace_of_square: regular(identified(own.trace_of_square)),
                ..own
            };
            Ok((tangent, truth.is_contained))
        })
        .collect::<Result<_>>()?;
    let n = risks.len() as f64;
    let mean = |f: fn(&Tangent) -> f64| risks.iter().map(|r| f(&r.0)).sum::<f64>() / n;
    let tangent = Tangent {
        df: mean(|t| t.df),
        trace: mean(|t| t.trace),
        trace_of_square: mean(|t| t.trace_of_square),
        outputs: setting.structure.outputs(),
    };
    Ok(FirstOrder { contained: risks.iter().all(|r| r.1), tangent })
}

/// Root mean and standard error of the conditional first-order risk over drawn designs, for
/// (Frobenius, prediction) norm. The designs are not those of the replicates.
fn drawn_designs(plan: &Plan, cell: &Cell) -> Result<Option<((f64, f64), (f64, f64))>> {
    let setting = plan.setting(cell);
    let key = format!("theory {}", plan.data_key(cell)?);
    let draws: Vec<Option<(f64, f64)>> = (0..plan.file.theory.designs as u64)
        .into_par_iter()
        .map(|r| {
            let truth = setting.truth(plan.file.study.seed, r)?;
            let sample = draw_sample(plan, cell, &key, r, &truth)?;
            // Without features in memory there is no average.
            let Some(sample) = sample.in_memory() else { return Ok(None) };
            Ok::<_, StudyError>(truth.risk.given_design(plan.file.noise.sigma, &sample.z)?)
        })
        .collect::<Result<_>>()?;
    let Some(values) = draws.into_iter().collect::<Option<Vec<(f64, f64)>>>() else { return Ok(None) };
    let column = |f: fn(&(f64, f64)) -> f64| root_mean(&values.iter().map(f).collect::<Vec<f64>>());
    Ok(Some((column(|v| v.0), column(|v| v.1))))
}

/// Risks of maximum likelihood (THEORY §4.8): given designs of n rows, averaged over those drawn, and to first order.
fn label_theory(plan: &Plan, cell: &Cell, replicates: &[u64]) -> Result<CellTheory> {
    let setting = plan.setting(cell);
    let mut theory = CellTheory::default();
    let truths = first_order(plan, setting, replicates)?;
    if !truths.contained || !truths.tangent.df.is_finite() {
        return Ok(theory);
    }
    let is_identified = truths.tangent.trace.is_finite();
    let key = format!("theory {}", plan.data_key(cell)?);
    let informations: Vec<Option<Array2<f64>>> = (0..plan.file.theory.designs as u64)
        .into_par_iter()
        .map(|r| {
            let truth = setting.truth(plan.file.study.seed, r)?;
            let sample = draw_sample(plan, cell, &key, r, &truth)?;
            Ok::<_, StudyError>(sample.in_memory().map(|s| truth.risk.information(&s.z, &truth.w)))
        })
        .collect::<Result<_>>()?;
    let informations: Vec<Array2<f64>> = informations.into_iter().flatten().collect();
    let truth = |r: usize| setting.truth(plan.file.study.seed, r as u64);
    let given = informations.iter().enumerate().map(|(r, i)| Ok(truth(r)?.risk.given_information(i)));
    if let Some(values) = given.collect::<Result<Option<Vec<(f64, f64)>>>>()? {
        let column = |f: fn(&(f64, f64)) -> f64| root_mean(&values.iter().map(f).collect::<Vec<f64>>());
        if is_identified {
            theory.set_risk(ErrorNorm::Frobenius, column(|v| v.0));
        }
        theory.set_risk(ErrorNorm::Prediction, column(|v| v.1));
    }
    if setting.has_fixed_truth()
        && let Some(risk) = truth(0)?.risk.likelihood(&informations)?
    {
        if is_identified {
            theory.set_first_order(ErrorNorm::Frobenius, risk.frobenius.0.sqrt());
        }
        theory.set_first_order(ErrorNorm::Prediction, risk.prediction.0.sqrt());
    }
    Ok(theory)
}
