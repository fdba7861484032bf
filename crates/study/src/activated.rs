//! Settings with an activation: the truth is a network too, estimates are trained, errors are those of predictions.

use convstat_cnn::{ActivatedNetwork, Activation, Factors, Geometry, Structure};
use convstat_estimate::{Method, train};
use convstat_runner::{Outcome, stream};
use convstat_tensor::linalg::{qr_r, solve_upper_transposed, svd};
use ndarray::{Array2, s};
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use crate::file::TruthDraw;
use crate::plan::{Cell, Plan};
use crate::replicate::streams;
use crate::row::Row;
use crate::summary::root_mean;
use crate::theory::CellTheory;
use crate::{Result, StudyError};

/// Fresh inputs on which a replicate's prediction error is measured.
pub(crate) const FRESH: usize = 2000;

/// Inputs that stand for the law of the inputs in the risk, and as many in the dimension, times the parameters.
const LAW: usize = 4000;
const INPUTS_A_PARAMETER: usize = 4;

/// Singular values below this share of the largest count as zero; true zeros are at rounding level.
const RANK_TOLERANCE: f64 = 1e-9;

/// The network that is trained and the one of the truth.
#[derive(Debug)]
pub struct Activated {
    /// The network that is trained.
    pub network: ActivatedNetwork,
    truth: ActivatedNetwork,
}

impl Activated {
    /// From the structures of the setting and of its truth.
    ///
    /// # Errors
    /// See [`ActivatedNetwork::new`].
    pub fn new(
        geometry: &Geometry,
        own: &Structure,
        truth: &Structure,
        activation: Activation,
    ) -> Result<Self> {
        let network = |s| ActivatedNetwork::new(geometry, s, activation);
        Ok(Self { network: network(own)?, truth: network(truth)? })
    }

    /// The truth's factors in the network that is trained; see [`ActivatedNetwork::embed`].
    ///
    /// # Errors
    /// A truth that the network does not hold.
    pub fn embed(&self, factors: &Factors, normal: impl FnMut() -> f64) -> Result<Factors> {
        Ok(self.network.embed(&self.truth, factors, normal)?)
    }

    /// Dimension of the functions near a generic point: the rank of `∂f(X_i)/∂θ` over generic inputs.
    ///
    /// # Errors
    /// A Jacobian that does not fit into memory.
    pub fn dimension(&self) -> Result<usize> {
        let structure = self.network.structure();
        let point = structure.flatten(&structure.generic_point())?;
        let mut rng = stream(0, "generic inputs", structure.name(), 0);
        let n = INPUTS_A_PARAMETER * point.len();
        let inputs = self.network.inputs();
        let x = Array2::from_shape_simple_fn((n, inputs), || StandardNormal.sample(&mut rng));
        let windows = self.network.windows(&x.view())?;
        let (basis, _) = tangent(&self.network.jacobian(&point, &windows.view())?, n)?;
        Ok(basis.ncols())
    }

    /// Draws, trains and measures one replicate.
    ///
    /// # Errors
    /// What does not fit into memory.
    pub fn fill(&self, plan: &Plan, cell: &Cell, replicate: u64, row: &mut Row) -> Result<()> {
        let (setting, seed) = (plan.setting(cell), plan.file.study.seed);
        let factors = setting.truth_factors(seed, plan.file.truth.draw, replicate);
        let own = self.truth.structure().flatten(&factors)?;
        let key = plan.data_key(cell);
        let (mut rng, mut noise) = streams(plan, &key, replicate);
        let windows = self.draw(plan, cell, cell.n as usize, &mut rng)?;
        let mut y = self.truth.predict(&own, &windows.view())?;
        let sigma = plan.file.noise.sigma;
        y.mapv_inplace(|v| {
            let e: f64 = StandardNormal.sample(&mut noise);
            v + sigma * e
        });
        let mut starts = stream(seed, "starts", &cell.id, replicate);
        let mut normal = || -> f64 { StandardNormal.sample(&mut starts) };
        // A truth that the network does not hold has no oracle start; the plan has seen to that.
        let oracle = self.embed(&factors, &mut normal).ok();
        let Method::Adam(adam) = &plan.estimator(cell).method else {
            let mend = "settings with an activation are trained: solver = \"adam\"";
            return Err(StudyError::bad("estimator.solver", plan.estimator(cell).method.name(), mend));
        };
        let fit = train(&self.network, &windows, &y, adam, oracle.as_ref(), normal)?;
        let fresh = self.draw(plan, cell, FRESH, &mut stream(seed, "fresh inputs", &key, replicate))?;
        let found = self.network.structure().flatten(&fit.factors)?;
        let error = self.network.predict(&found, &fresh.view())? - self.truth.predict(&own, &fresh.view())?;
        row.err_pred = (error.iter().map(|v| v * v).sum::<f64>() / FRESH as f64).sqrt();
        row.df = setting.dimension;
        row.objective = fit.best.objective;
        row.oracle_gap = fit.oracle_gap.unwrap_or(f64::NAN);
        row.start = fit.best.start.map_or("", |s| s.name()).to_owned();
        row.iterations = fit.best.iterations;
        row.outcome = Outcome::Completed(fit.best.termination);
        Ok(())
    }

    /// Windows of inputs of the cell's design.
    fn draw(&self, plan: &Plan, cell: &Cell, n: usize, rng: &mut ChaCha8Rng) -> Result<Array2<f64>> {
        let inputs = self.network.inputs();
        convstat_tensor::memory::check("the inputs of a replicate", &[n, inputs])?;
        let mut x = Array2::zeros((inputs, n));
        plan.file.design[cell.design].design().sampler(inputs).fill(rng, &mut x);
        Ok(self.network.windows(&x.t())?)
    }

    /// First-order risk in prediction norm: `σ² df/n`, and at finite n `σ² E tr[(J_nᵀJ_n)^{-1} E∇f∇fᵀ]` over drawn designs
    /// (THEORY §4.9). Of regular truths alone: where the network that is trained has more channels than
    /// the truth and they do not merge, there is no tangent space.
    ///
    /// # Errors
    /// What does not fit into memory.
    pub fn risk(&self, plan: &Plan, cell: &Cell, theory: &mut CellTheory) -> Result<()> {
        let (setting, seed) = (plan.setting(cell), plan.file.study.seed);
        if plan.file.truth.draw == TruthDraw::Replicate {
            return Ok(());
        }
        let factors = setting.truth_factors(seed, TruthDraw::Setting, 0);
        let mut rng = stream(seed, "theory", &cell.id, 0);
        let Ok(point) = self.embed(&factors, || StandardNormal.sample(&mut rng)) else { return Ok(()) };
        let point = self.network.structure().flatten(&point)?;
        let jacobian = |n: usize, replicate: u64| {
            let key = format!("theory {}", plan.data_key(cell));
            let windows = self.draw(plan, cell, n, &mut stream(seed, "inputs", &key, replicate))?;
            Result::Ok(self.network.jacobian(&point, &windows.view())?)
        };
        let (basis, law) = tangent(&jacobian(LAW, 0)?, LAW)?;
        let df = basis.ncols();
        if df != setting.dimension {
            return Ok(());
        }
        let (sigma, n) = (plan.file.noise.sigma, cell.n as f64);
        theory.first_order_pred = sigma * (df as f64 / n).sqrt();
        if cell.n as usize * self.network.structure().outputs() <= df {
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
            (theory.risk_pred, theory.risk_pred_se) = root_mean(&given);
        }
        Ok(())
    }
}

/// Basis of the directions of parameters that change `f` on the n inputs of a Jacobian (`n M × parameters`; the basis
/// `parameters × df`), and the root of the mean over inputs of `∇f∇fᵀ`, summed over responses, in it (`df × df`).
fn tangent(jacobian: &Array2<f64>, inputs: usize) -> Result<(Array2<f64>, Array2<f64>)> {
    let (_, values, vt) = svd(&qr_r(&jacobian.view())?.view())?;
    let cut = RANK_TOLERANCE * values.first().copied().unwrap_or(0.0);
    let df = values.iter().filter(|v| **v > cut).count();
    let root = values.slice(s![..df]).mapv(|v| v / (inputs as f64).sqrt());
    Ok((vt.slice(s![..df, ..]).t().to_owned(), Array2::from_diag(&root)))
}
