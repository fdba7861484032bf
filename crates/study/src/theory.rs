//! Theory columns of a cell: risk in both norms, bounds, conditions.

use convstat_estimate::Method;
use convstat_runner::stream;
use convstat_theory::{
    ExplicitBound, LiteratureBound, StatisticalDimension, explicit_bound, literature_bound, ols_risk,
    statistical_dimension,
};
use ndarray::Array2;
use rand::Rng;
use rayon::prelude::*;

use crate::plan::{Cell, Plan, SettingContext};
use crate::replicate::draw_sample;
use crate::{Result, StudyError};

/// Theory beside the measurement of one cell. Norms, not squares; NaN where there is none.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CellTheory {
    /// Root of the risk in prediction norm: finite-sample form, or from drawn designs if rows depend or responses are
    /// labels.
    pub risk_pred: f64,
    /// The same in Frobenius norm.
    pub risk_frob: f64,
    /// Standard error of `risk_pred` from the drawn designs (0 for the closed form).
    pub risk_pred_se: f64,
    /// Standard error of `risk_frob`.
    pub risk_frob_se: f64,
    /// First-order form `σ√(df/n)`, also the local minimax lower bound; for labels with the mean information of the drawn
    /// designs, where one truth serves all replicates.
    pub first_order_pred: f64,
    /// First-order form in Frobenius norm.
    pub first_order_frob: f64,
    /// Explicit bound, prediction norm; infinite where its condition fails.
    pub explicit_pred: f64,
    /// Explicit bound, Frobenius norm.
    pub explicit_frob: f64,
    /// Statistical dimension behind it.
    pub delta: f64,
    /// Its standard error.
    pub delta_se: f64,
    /// The width `w` that the explicit bound takes.
    pub width: f64,
    /// Literature bound, Frobenius norm.
    pub literature_frob: f64,
    /// Whether its condition holds with the constants of the study file.
    pub literature_holds: bool,
}

/// Statistical dimension of a setting, the same for all its cells.
pub fn setting_dimension(plan: &Plan, setting: &SettingContext) -> Result<StatisticalDimension> {
    let o = &plan.file.theory;
    let seed = stream(plan.file.study.seed, "statistical dimension", &setting.name, 0).next_u64();
    Ok(statistical_dimension(&setting.structure, setting.root()?, o.draws, o.starts, seed)?)
}

/// Theory of one cell over `replicates` (their truths count where the truth is drawn anew).
pub fn cell_theory(
    plan: &Plan,
    cell: &Cell,
    replicates: &[u64],
    dimension: Option<StatisticalDimension>,
) -> Result<CellTheory> {
    let setting = plan.setting(cell);
    if let Some(activated) = &setting.activated {
        let mut theory = CellTheory::nothing();
        activated.risk(plan, cell, &mut theory)?;
        return Ok(theory);
    }
    if plan.file.response.is_some() {
        return label_theory(plan, cell, replicates);
    }
    let law = plan.file.design[cell.design].design().law();
    let (sigma, n) = (plan.file.noise.sigma, cell.n as f64);
    let structured = plan.estimator(cell).method.is_structured();
    let mut theory = CellTheory::nothing();
    if structured {
        let risks = first_order(plan, setting, replicates)?;
        if !risks.contained {
            return Ok(theory);
        }
        theory.first_order_frob = (sigma * sigma * risks.trace / n).sqrt();
        theory.first_order_pred = (sigma * sigma * risks.df / n).sqrt();
        if law.is_iid_gaussian() && setting.structure.outputs() == 1 {
            let divisor = n - risks.df - 1.0;
            let finite = |first: f64| if divisor > 0.0 { first * (n / divisor).sqrt() } else { f64::NAN };
            theory.risk_frob = finite(theory.first_order_frob);
            theory.risk_pred = finite(theory.first_order_pred);
            (theory.risk_frob_se, theory.risk_pred_se) = (0.0, 0.0);
        } else if risks.df.is_finite() && n * setting.structure.outputs() as f64 > risks.df + 1.0 {
            let drawn = drawn_designs(plan, cell)?;
            if let Some(((frob, frob_se), (pred, pred_se))) = drawn {
                // The trace is that of the identified part alone where W is not identified.
                if risks.trace.is_finite() {
                    (theory.risk_frob, theory.risk_frob_se) = (frob, frob_se);
                }
                (theory.risk_pred, theory.risk_pred_se) = (pred, pred_se);
            }
        }
    }
    if matches!(plan.estimator(cell).method, Method::Ols(_)) && law.is_iid_gaussian() {
        // Each response is a regression of its own: squared risks add up.
        let m = setting.structure.outputs() as f64;
        if let Some((frob, pred)) = ols_risk(&setting.geometry.second_moment()?, sigma, n)? {
            (theory.risk_frob, theory.risk_pred) = ((m * frob).sqrt(), (m * pred).sqrt());
            (theory.risk_frob_se, theory.risk_pred_se) = (0.0, 0.0);
        }
    }
    if let Some(d) = dimension.filter(|_| structured && sigma > 0.0) {
        bounds(plan, cell, d, &mut theory)?;
    }
    Ok(theory)
}

impl CellTheory {
    fn nothing() -> Self {
        let nan = f64::NAN;
        Self {
            risk_pred: nan,
            risk_frob: nan,
            risk_pred_se: nan,
            risk_frob_se: nan,
            first_order_pred: nan,
            first_order_frob: nan,
            explicit_pred: nan,
            explicit_frob: nan,
            delta: nan,
            delta_se: nan,
            width: nan,
            literature_frob: nan,
            literature_holds: false,
        }
    }
}

struct FirstOrder {
    /// The structure contains the truth.
    contained: bool,
    /// Identified dimension; NaN where the truth is not a regular point.
    df: f64,
    trace: f64,
}

/// Mean over the truths of the replicates.
fn first_order(plan: &Plan, setting: &SettingContext, replicates: &[u64]) -> Result<FirstOrder> {
    let one: [u64; 1] = [0];
    let list = if setting.has_fixed_truth() || replicates.is_empty() { &one[..] } else { replicates };
    let risks: Vec<(f64, f64, bool)> = list
        .par_iter()
        .map(|&r| {
            let truth = setting.truth(plan.file.study.seed, r)?;
            let regular = |v: f64| if truth.is_regular { v } else { f64::NAN };
            let trace = if truth.risk.is_identified() { truth.risk.trace } else { f64::NAN };
            Ok((regular(truth.risk.df as f64), regular(trace), truth.is_contained))
        })
        .collect::<Result<_>>()?;
    let n = risks.len() as f64;
    Ok(FirstOrder {
        contained: risks.iter().all(|r| r.2),
        df: risks.iter().map(|r| r.0).sum::<f64>() / n,
        trace: risks.iter().map(|r| r.1).sum::<f64>() / n,
    })
}

/// Root mean and standard error of the conditional first-order risk over drawn designs, for
/// (Frobenius, prediction) norm. The designs are not those of the replicates.
fn drawn_designs(plan: &Plan, cell: &Cell) -> Result<Option<((f64, f64), (f64, f64))>> {
    let setting = plan.setting(cell);
    let key = format!("theory {}", plan.data_key(cell));
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
    let root_mean = |f: fn(&(f64, f64)) -> f64| {
        let squares: Vec<f64> = values.iter().map(f).collect();
        crate::summary::root_mean(&squares)
    };
    Ok(Some((root_mean(|v| v.0), root_mean(|v| v.1))))
}

/// Risks of maximum likelihood (THEORY §4.8): given designs of n rows, averaged over those drawn, and to first order.
fn label_theory(plan: &Plan, cell: &Cell, replicates: &[u64]) -> Result<CellTheory> {
    let setting = plan.setting(cell);
    let mut theory = CellTheory::nothing();
    let risks = first_order(plan, setting, replicates)?;
    if !risks.contained || !risks.df.is_finite() {
        return Ok(theory);
    }
    let key = format!("theory {}", plan.data_key(cell));
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
        let root_mean = |f: fn(&(f64, f64)) -> f64| {
            crate::summary::root_mean(&values.iter().map(f).collect::<Vec<f64>>())
        };
        if risks.trace.is_finite() {
            (theory.risk_frob, theory.risk_frob_se) = root_mean(|v| v.0);
        }
        (theory.risk_pred, theory.risk_pred_se) = root_mean(|v| v.1);
    }
    if setting.has_fixed_truth()
        && let Some(risk) = truth(0)?.risk.likelihood(&informations)?
    {
        if risks.trace.is_finite() {
            theory.first_order_frob = risk.frobenius.0.sqrt();
        }
        theory.first_order_pred = risk.prediction.0.sqrt();
    }
    Ok(theory)
}

fn bounds(plan: &Plan, cell: &Cell, d: StatisticalDimension, theory: &mut CellTheory) -> Result<()> {
    let setting = plan.setting(cell);
    let o = &plan.file.theory;
    let (sigma, n) = (plan.file.noise.sigma, cell.n as f64);
    let (c_u, big_c_u) = setting.geometry.factor_spectrum()?;
    (theory.delta, theory.delta_se, theory.width) = (d.estimate, d.standard_error, d.width());
    let law = plan.file.design[cell.design].design().law();
    // Gordon's inequality is used for independent Gaussian rows and one response.
    if law.is_iid_gaussian() && setting.structure.outputs() == 1 {
        let bound = ExplicitBound { width: theory.width, t: ExplicitBound::t_for(o.confidence)? };
        theory.explicit_pred = explicit_bound(&bound, sigma, n)?.error;
        theory.explicit_frob = theory.explicit_pred / c_u.sqrt();
    }
    let literature = LiteratureBound {
        d_m: setting.structure.d_m(),
        kappa_l: c_u * law.spectrum.0,
        kappa_u: big_c_u * law.spectrum.1,
        c_n: setting.structure.counts().literature_c_n(setting.geometry.modes().len()),
        c_h: o.c_h,
        c_condition: o.c_condition,
        delta: o.delta,
    };
    let value = literature_bound(&literature, sigma, n)?;
    theory.literature_frob = value.error;
    theory.literature_holds = value.condition_holds;
    Ok(())
}
