//! Least squares over any smooth structure by dense Levenberg–Marquardt.

use convstat_estimate::{Sample, design_times};
use convstat_tensor::linalg::{cholesky, cholesky_solve, gram};
use ndarray::{Array1, Array2};

use crate::structure::checked;
use crate::{BoxError, Estimator, SmoothStructure};

/// First damping as a share of the largest diagonal entry of `JᵀZᵀZJ` (Nielsen 1999).
const FIRST_DAMPING: f64 = 1e-3;
/// Damping never falls below this share, so that parameters that change nothing keep a positive pivot.
const LEAST_DAMPING: f64 = 1e-13;
/// Rejected steps in a row after which no step is to be had.
const MOST_REJECTED: u32 = 40;

/// Least-squares fit of a [`SmoothStructure`]: `argmin_θ ‖y − Z W(θ)‖²`, the best of all starts.
///
/// Levenberg–Marquardt on the dense Jacobian (Madsen, Nielsen & Tingleff 2004), `O(D² p)` an iteration; for a structure
/// without an estimator of its own. A local method: give a start near the truth, as theory speaks of the global minimiser, or
/// enough random ones.
#[derive(Debug, Clone)]
pub struct SmoothFit<S> {
    /// The structure.
    pub structure: S,
    /// Starts θ.
    pub starts: Vec<Vec<f64>>,
    /// Further starts with standard normal parameters.
    pub random_starts: usize,
    /// Most iterations from one start.
    pub max_iterations: usize,
    /// Decrease of the objective that counts as none, as a share of the residual variance.
    pub tolerance: f64,
}

impl<S: SmoothStructure> SmoothFit<S> {
    /// From one start, with 200 iterations and a tolerance of 1e-10.
    pub fn new(structure: S, start: &[f64]) -> Self {
        Self {
            structure,
            starts: vec![start.to_vec()],
            random_starts: 0,
            max_iterations: 200,
            tolerance: 1e-10,
        }
    }

    /// Objective and residuals (rows in C order of y) at θ.
    fn residuals(&self, sample: &Sample, theta: &[f64]) -> Result<(f64, Array1<f64>), BoxError> {
        let residuals = &sample.y - &sample.z.dot(&checked(&self.structure, theta)?);
        let residuals: Array1<f64> = residuals.iter().copied().collect();
        Ok((residuals.dot(&residuals), residuals))
    }

    /// Objective and θ at the end of one start.
    fn descend(&self, sample: &Sample, start: &[f64]) -> Result<(f64, Vec<f64>), BoxError> {
        let mut theta = start.to_vec();
        let (mut objective, mut residuals) = self.residuals(sample, &theta)?;
        let (mut damping, mut growth) = (f64::NAN, 2.0);
        for _ in 0..self.max_iterations {
            let jacobian = design_times(&sample.z, &self.structure.jacobian(&theta)?);
            let normal = gram(&jacobian.view());
            let gradient = jacobian.t().dot(&residuals);
            let largest = normal.diag().iter().fold(0.0f64, |m, &v| m.max(v));
            if !(largest.is_finite() && largest > 0.0 && objective.is_finite()) {
                break;
            }
            damping =
                if damping.is_nan() { FIRST_DAMPING * largest } else { damping.max(LEAST_DAMPING * largest) };
            let variance = (objective + sample.rss) / sample.n.max(1.0);
            let negligible = self.tolerance * variance + f64::EPSILON * objective;
            let mut rejected = 0;
            loop {
                let damped = &normal + &(Array2::<f64>::eye(theta.len()) * damping);
                let step = cholesky(&damped.view()).ok().map(|factor| {
                    let mut step = gradient.to_vec();
                    cholesky_solve(&factor, &mut step);
                    step
                });
                if let Some(step) = step {
                    let promised: f64 = step.iter().zip(&gradient).map(|(s, g)| s * (damping * s + g)).sum();
                    let trial: Vec<f64> = theta.iter().zip(&step).map(|(t, s)| t + s).collect();
                    let (reached, left) = self.residuals(sample, &trial)?;
                    let gain = (objective - reached) / promised;
                    if gain > 0.0 {
                        (theta, objective, residuals) = (trial, reached, left);
                        damping *= (1.0 - (2.0 * gain - 1.0).powi(3)).max(0.1);
                        growth = 2.0;
                        // A damped step may promise little far from the optimum: only one without damping tells.
                        if promised <= negligible && damping <= FIRST_DAMPING * largest {
                            return Ok((objective, theta));
                        }
                        break;
                    }
                    if promised <= negligible {
                        return Ok((objective, theta));
                    }
                }
                damping *= growth;
                growth *= 2.0;
                rejected += 1;
                if rejected > MOST_REJECTED {
                    return Ok((objective, theta));
                }
            }
        }
        Ok((objective, theta))
    }
}

impl<S: SmoothStructure> Estimator for SmoothFit<S> {
    fn estimate(&self, sample: &Sample, normal: &mut dyn FnMut() -> f64) -> Result<Array2<f64>, BoxError> {
        let sample = sample.compressed()?;
        let drawn: Vec<Vec<f64>> = (0..self.random_starts)
            .map(|_| (0..self.structure.parameters()).map(|_| normal()).collect())
            .collect();
        let mut best: Option<(f64, Vec<f64>)> = None;
        for start in self.starts.iter().chain(&drawn) {
            let end = self.descend(&sample, start)?;
            if end.0.is_finite() && best.as_ref().is_none_or(|b| end.0 < b.0) {
                best = Some(end);
            }
        }
        match best {
            Some((_, theta)) => checked(&self.structure, &theta),
            None => Err(format!(
                "no start of structure \"{}\" has a finite objective; give starts nearer the truth, or random_starts",
                self.structure.name()
            )
            .into()),
        }
    }
}
