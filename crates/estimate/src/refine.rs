//! The shape of the objective at a fit, and the last digits of a fit.
//!
//! Solvers stop where what is left is negligible beside a standard error. [`refine`] goes on to what `f64` can give, by
//! Newton's method without normal equations: with `Z J = U S Vᵀ` and the second derivatives C of the network along the
//! residuals, the step is `V S⁻¹ (I − S⁻¹VᵀCVS⁻¹)⁻¹ Uᵀ(y − ZŴ)`. Its error is that of least squares by orthogonal
//! factorisations, about `cond(ZJ) ε` times (1 + cond(ZJ) ‖residual‖ / ‖ZŴ‖) (Higham 2002, Theorem 20.1), and it has no
//! part along the gauge.

use convstat_cnn::{Curvature, Structure};
use convstat_tensor::algebra::{c_order_mut, entries};
use convstat_tensor::linalg::{eigh, rank_tolerance, svd, symmetrise};
use ndarray::{Array1, Array2};

use crate::family::evaluate;
use crate::outcome::{Fit, Termination};
use crate::sample::design_times;
use crate::scale::graded_columns;
use crate::{Result, Rows};

/// Singular values below this many times the rank tolerance are rounding of the products that made the matrix.
pub(crate) const ROUNDINGS: f64 = 16.0;

/// Where less than this share of the residual variance is still to be had, the quadratic model is exact but for rounding.
const NEAR: f64 = 1e-2;
/// The same for exact fits, of the sum of squares.
const NEAR_EXACT: f64 = 1e-20;

/// Decrease still to be had, as a share of the residual variance, below which a minimum counts as found.
const CONVERGED: f64 = 1e-8;

/// Most steps, and the least by which the promised decrease falls from step to step before rounding.
const MOST_STEPS: usize = 30;
const PROGRESS: f64 = 0.25;

/// Multiplications that one factorisation may take: a minute or so.
const MOST_WORK: f64 = 1e11;

/// The objective near some factors, to second order.
#[derive(Debug)]
pub(crate) struct Local {
    /// Smallest and largest eigenvalue of the observed information in units of the expected one,
    /// `I − S⁻¹VᵀCVS⁻¹`; not both positive where the point is no minimum.
    pub information: (f64, f64),
    /// Decrease of the objective that Newton's step promises.
    pub decrease: f64,
    /// Newton's step, flat.
    pub step: Vec<f64>,
}

impl Local {
    /// At flat factors; `None` where the factorisation is too large, or the rows are not in memory.
    pub fn at(structure: &Structure, source: &dyn Rows, parameters: &[f64]) -> Result<Option<Self>> {
        let Some(sample) = source.in_memory() else { return Ok(None) };
        let is_labels = source.family().is_labels();
        let (rows, cols) = (sample.z.nrows() * sample.outputs(), parameters.len());
        if rows as f64 * cols as f64 * rows.min(cols) as f64 > MOST_WORK {
            return Ok(None);
        }
        let factors = structure.unflatten(parameters)?;
        let w = structure.coefficient_matrix(&factors)?;
        let jacobian = structure.jacobian(&factors)?;
        let mut a = design_times(&sample.z, &jacobian);
        let residual = if is_labels {
            let mut residual = sample.z.dot(&w);
            evaluate(&sample.y, &mut residual, Some(&mut a));
            residual
        } else {
            &sample.y - &sample.z.dot(&w)
        };
        let dual = sample.z.t().dot(&residual);
        let scales = graded_columns(&a).map_or_else(|| Array1::ones(cols), Array1::from);
        a *= &scales;
        let (u, s, vt) = svd(&a.view())?;
        let cut = ROUNDINGS * rank_tolerance(a.dim()) * s.first().copied().unwrap_or(0.0);
        let rank = s.iter().filter(|&&v| v > cut).count();
        let along = if is_labels {
            // Weights would divide the residuals: their product with the rows comes from the gradient.
            let gradient = jacobian.t().dot(&Array1::from_iter(dual.iter().copied())) * &scales;
            vt.slice(ndarray::s![..rank, ..]).dot(&gradient) / s.slice(ndarray::s![..rank])
        } else {
            u.slice(ndarray::s![.., ..rank]).t().dot(&Array1::from_iter(residual.iter().copied()))
        };
        // Parameters are scales ∘ V S⁻¹ times coordinates in which Z J is orthonormal.
        let mut back = vt.slice(ndarray::s![..rank, ..]).t().to_owned();
        for (mut column, v) in back.columns_mut().into_iter().zip(&s) {
            column /= *v;
            column *= &scales;
        }
        let mut curvature = Array2::zeros((cols, cols));
        Curvature::new(structure).write(&entries(&dual), parameters, c_order_mut(&mut curvature));
        symmetrise(&mut curvature);
        let mut information = -back.t().dot(&curvature.dot(&back));
        information.diag_mut().mapv_inplace(|v| v + 1.0);
        symmetrise(&mut information);
        let (values, vectors) = eigh(&information.view())?;
        let ends = (values.first().copied().unwrap_or(1.0), values.last().copied().unwrap_or(1.0));
        let coordinates = vectors.t().dot(&along);
        let solved = &coordinates / &values;
        let decrease = coordinates.dot(&solved);
        Ok(Some(Self { information: ends, decrease, step: back.dot(&vectors.dot(&solved)).to_vec() }))
    }

    /// Whether the point is a strict minimum along all identified directions.
    pub fn is_minimum(&self) -> bool {
        self.information.0 > 0.0 && self.information.1.is_finite()
    }
}

/// Brings a fit by an iterative solver, of rows near unit size, from the solver's tolerance to what `f64` can give; whether
/// anything changed.
///
/// For one fit that is to be reported, at the cost of a few singular value decompositions of `Z J`. From where a solver
/// stopped early its steps are taken as long as the objective falls as they promise; a fit that they bring to a minimum
/// counts as converged. Fits without factors, at no minimum, of separated classes, or too large for that stay as they are.
///
/// # Errors
/// A sample or factors that do not fit the structure.
pub(crate) fn refine(structure: &Structure, rows: &dyn Rows, fit: &mut Fit) -> Result<bool> {
    let is_separated = fit.best.termination == Termination::Separated;
    if rows.in_memory().is_none() || fit.factors.is_empty() || is_separated {
        return Ok(false);
    }
    let mut parameters = structure.flatten(&fit.factors)?;
    let objective = |parameters: &[f64]| -> Result<f64> {
        let w = structure.coefficient_matrix(&structure.unflatten(parameters)?)?;
        Ok(objective_at(rows, &w))
    };
    let mut now = objective(&parameters)?;
    let total = rows.sum_of_squares();
    let (mut last, mut changed) = (f64::INFINITY, false);
    for _ in 0..MOST_STEPS {
        let Some(local) = Local::at(structure, rows, &parameters)? else { break };
        let variance = now / rows.observations().max(1.0);
        let is_near = local.decrease <= NEAR * variance + NEAR_EXACT * total;
        let is_progress = local.decrease > 0.0 && (!is_near || local.decrease < PROGRESS * last);
        if !(local.is_minimum() && is_progress) {
            break;
        }
        let trial: Vec<f64> = parameters.iter().zip(&local.step).map(|(p, s)| p + s).collect();
        let next = objective(&trial)?;
        // Far away the objective has to fall as promised. Near, its decrease is rounding: residuals are differences of
        // numbers of the size of the responses.
        let unit = ROUNDINGS * f64::EPSILON;
        let is_taken = if is_near {
            next <= now + unit * (2.0 * (now * total).sqrt() + unit * total)
        } else {
            now - next >= PROGRESS * local.decrease
        };
        if !is_taken {
            break;
        }
        (parameters, now, changed) = (trial, next, true);
        if is_near {
            last = local.decrease;
        }
        if local.decrease <= CONVERGED * variance {
            fit.best.termination = Termination::Converged;
        }
    }
    if changed {
        fit.factors = structure.unflatten(&parameters)?;
        fit.w = structure.coefficient_matrix(&fit.factors)?;
        fit.best.objective = now;
    }
    Ok(changed)
}

/// Objective of rows in memory at `w`; NaN for others.
pub(crate) fn objective_at(rows: &dyn Rows, w: &Array2<f64>) -> f64 {
    let Some(sample) = rows.in_memory() else { return f64::NAN };
    if rows.family().is_labels() {
        evaluate(&sample.y, &mut sample.z.dot(w), None)
    } else {
        sample.objective(&w.view())
    }
}
