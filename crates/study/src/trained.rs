//! Replicates and risk of settings with an activation: estimates are trained, errors are those of predictions.

use convstat_estimate::{Method, train};
use convstat_runner::{Outcome, stream};
use convstat_tensor::linalg::{qr_r, solve_upper_transposed};
use convstat_theory::ErrorNorm;
use ndarray::Array2;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::activated::{Activated, tangent};
use crate::cell_theory::CellTheory;
use crate::file::TruthDraw;
use crate::plan::{Cell, Plan};
use crate::row::Row;
use crate::sampling::streams;
use crate::statistics::root_mean;
use crate::{Result, StudyError};

/// Fresh inputs on which a replicate's prediction error is measured.
pub(crate) const FRESH: usize = 2000;

/// Inputs that stand for the law of the inputs in the risk.
const LAW: usize = 4000;

/// Draws, trains and measures one replicate.
///
/// # Errors
/// What does not fit into memory.
pub fn fill(activated: &Activated, plan: &Plan, cell: &Cell, replicate: u64, row: &mut Row) -> Result<()> {
    let (setting, seed) = (plan.setting(cell), plan.file.study.seed);
    let factors = setting.truth_factors(seed, plan.file.truth.draw, replicate);
    let own = activated.truth.structure().flatten(&factors)?;
    let key = plan.data_key(cell)?;
    let (mut rng, mut noise) = streams(plan, &key, replicate);
    let windows = draw(activated, plan, cell, cell.n as usize, &mut rng)?;
    let mut y = activated.truth.predict(&own, &windows.view())?;
    let sigma = plan.file.noise.sigma;
    y.mapv_inplace(|v| {
        let e: f64 = StandardNormal.sample(&mut noise);
        v + sigma * e
    });
    let mut starts = stream(seed, "starts", &cell.id, replicate);
    let mut normal = || -> f64 { StandardNormal.sample(&mut starts) };
    // A truth that the network does not hold has no oracle start; the plan has seen to that.
    let oracle = activated.embed(&factors, &mut normal).ok();
    let Method::Adam(adam) = &plan.estimator(cell).method else {
        let mend = "settings with an activation are trained: solver = \"adam\"";
        return Err(StudyError::bad("estimator.solver", plan.estimator(cell).method.name(), mend));
    };
    let fit = train(&activated.network, &windows, &y, adam, oracle.as_ref(), normal)?;
    let fresh = draw(activated, plan, cell, FRESH, &mut stream(seed, "fresh inputs", &key, replicate))?;
    let found = activated.network.structure().flatten(&fit.factors)?;
    let error =
        activated.network.predict(&found, &fresh.view())? - activated.truth.predict(&own, &fresh.view())?;
    row.err_pred = (error.iter().map(|v| v * v).sum::<f64>() / FRESH as f64).sqrt();
    row.df = setting.dimension;
    row.objective = fit.best.objective;
    row.oracle_gap = fit.oracle_gap.unwrap_or(f64::NAN);
    fit.best.start.map_or("", |s| s.name()).clone_into(&mut row.start);
    row.iterations = fit.best.iterations;
    row.outcome = Outcome::Completed(fit.best.termination);
    Ok(())
}

/// Windows of inputs of the cell's design.
fn draw(
    activated: &Activated,
    plan: &Plan,
    cell: &Cell,
    n: usize,
    rng: &mut ChaCha8Rng,
) -> Result<Array2<f64>> {
    let inputs = activated.network.inputs();
    convstat_tensor::memory::check("the inputs of a replicate", &[n, inputs])?;
    let mut x = Array2::zeros((inputs, n));
    plan.file.design[cell.design].design().sampler(inputs)?.fill(rng, &mut x);
    Ok(activated.network.windows(&x.t())?)
}

/// First-order risk in prediction norm: `σ² df/n`, and at finite n `σ² E tr[(J_nᵀJ_n)^{-1} E∇f∇fᵀ]` over drawn designs
/// (THEORY §4.9). Of regular truths alone: where the network that is trained has more channels than
/// the truth and they do not merge, there is no tangent space.
///
/// # Errors
/// What does not fit into memory.
pub fn risk(activated: &Activated, plan: &Plan, cell: &Cell, theory: &mut CellTheory) -> Result<()> {
    let (setting, seed) = (plan.setting(cell), plan.file.study.seed);
    if plan.file.truth.draw == TruthDraw::Replicate {
        return Ok(());
    }
    let factors = setting.truth_factors(seed, TruthDraw::Setting, 0);
    let mut rng = stream(seed, "theory", &cell.id, 0);
    let Ok(point) = activated.embed(&factors, || StandardNormal.sample(&mut rng)) else { return Ok(()) };
    let point = activated.network.structure().flatten(&point)?;
    let jacobian = |n: usize, replicate: u64| {
        let key = format!("theory {}", plan.data_key(cell)?);
        let windows = draw(activated, plan, cell, n, &mut stream(seed, "inputs", &key, replicate))?;
        Result::Ok(activated.network.jacobian(&point, &windows.view())?)
    };
    let (basis, law) = tangent(&jacobian(LAW, 0)?, LAW)?;
    let df = basis.ncols();
    if df != setting.dimension {
        return Ok(());
    }
    let (sigma, n) = (plan.file.noise.sigma, cell.n as f64);
    theory.set_first_order(ErrorNorm::Prediction, sigma * (df as f64 / n).sqrt());
    if cell.n as usize * activated.network.structure().outputs() <= df {
        return Ok(());
    }
    let given: Vec<f64> = (1..=plan.file.theory.designs as u64)
        .into_par_iter()
        .map(|r| {
            let root = qr_r(&jacobian(cell.n as usize, r)?.dot(&basis).view())?;
            // tr[(RᵀR)^{-1} LᵀL] = ‖R^{-T} Lᵀ‖² with LᵀL the second moment of the law.
            let spread = solve_upper_transposed(&root.view(), &law.t());
            Ok(sigma * sigma * spread.iter().map(|v| v * v).sum::<f64>())
        })
        .collect::<Result<_>>()?;
    if given.iter().all(|v| v.is_finite()) {
        theory.set_risk(ErrorNorm::Prediction, root_mean(&given));
    }
    Ok(())
}
