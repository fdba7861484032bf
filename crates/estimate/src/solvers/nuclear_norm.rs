//! Least squares with a nuclear-norm penalty, `½‖y − ZW‖² + μ‖mat(W)‖_*`: the convex relaxation of low rank (Negahban &
//! Wainwright 2011, Annals of Statistics 39(2)), unstructured but for the unfolding.
//!
//! `mat` is the unfolding of [`Structure::unfolding`], positions × taps for a CNN. Accelerated proximal gradient (Beck &
//! Teboulle 2009) restarted where it turns uphill (O'Donoghue & Candès 2015), to a duality gap. The penalty is
//! `μ = λ σ̂ E‖mat(Zᵀg)‖_op`, g standard normal: the size of the largest singular value that noise alone gives the gradient.

use convstat_cnn::{Structure, Unfolding, generic_normal};
use convstat_tensor::linalg::{cholesky, echelon_root, gram, rank, rank_tolerance, svd};
use convstat_tensor::memory;
use ndarray::{Array1, Array2, s};
use serde::{Deserialize, Serialize};

use super::solver::{Algorithm, Describe, Direct, check_limits, check_penalty};
use crate::inference::Inference;
use crate::outcome::{Fit, SingleFit, Termination};
use crate::scale::Scale;
use crate::tolerance::{negligible, rounding};
use crate::trace::{Step, StepKind, Trace};
use crate::unstructured::ridge;
use crate::{EstimateError, Result, Sample};

/// Draws of noise for the expected norm of the gradient; their mean has a standard error of a percent or so.
const DRAWS: usize = 32;
/// Rounds of penalty and noise level where least squares leaves no residual, and the change that counts as none.
const MOST_ROUNDS: usize = 30;
const SAME_NOISE: f64 = 1e-6;
/// Iterations of the fit for each one that the options allow an iterative solver: one is a product by Z and a small
/// singular value decomposition.
const ITERATIONS: usize = 100;
/// Steps of the power method for the largest eigenvalue of `ZᵀZ`; too small a value is noticed and doubled.
const POWER_STEPS: usize = 30;

/// Least squares with a nuclear-norm penalty on one unfolding of `W`, the only use made of the structure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NuclearNorm {
    /// Penalty, as a multiple of the noise level (default 1: the size of what noise alone would bring).
    pub lambda: f64,
    /// Most iterations, in hundreds (default 500): one is a product by Z and a small singular value decomposition.
    pub max_iterations: usize,
    /// Duality gap that counts as none, as a share of the residual variance (default 1e-8).
    pub tolerance: f64,
}

impl Default for NuclearNorm {
    fn default() -> Self {
        Self { lambda: 1.0, max_iterations: 500, tolerance: 1e-8 }
    }
}

impl Describe for NuclearNorm {
    fn name(&self) -> &'static str {
        "nuclear-norm"
    }

    fn summary(&self) -> &'static str {
        "Nuclear-norm penalty on one unfolding (positions x taps); no standard errors"
    }

    fn algorithm(&self) -> Algorithm<'_> {
        Algorithm::Direct(self)
    }

    fn check(&self) -> Result<()> {
        check_limits(self.max_iterations, self.tolerance)?;
        check_penalty(self.lambda)
    }
}

impl Direct for NuclearNorm {
    fn solve(&self, structure: &Structure, sample: &Sample, _: &Scale, trace: &mut Trace) -> Result<Fit> {
        let mut problem = Penalised::new(structure, sample, self)?;
        trace.tell(|| Step::plain(StepKind::Start, problem.residual.iter().map(|r| r * r).sum()));
        let mut iterations = 0;
        let equations = sample.n * sample.outputs() as f64;
        let mut termination;
        if let Some(variance) = residual_variance(sample)? {
            termination = problem.minimise(variance.sqrt(), &mut iterations, trace);
        } else {
            // Scaled lasso (Sun & Zhang 2012): noise level and coefficients in turn, a jointly convex problem.
            let mut sigma = (problem.squares() / equations).sqrt();
            termination = Ok(Termination::MaxIterations);
            for _ in 0..MOST_ROUNDS {
                termination = problem.minimise(sigma, &mut iterations, trace);
                let next = (problem.squares() / equations).sqrt();
                let change = (next - sigma).abs();
                sigma = next;
                let is_interrupted = matches!(termination, Ok(Termination::Interrupted));
                if is_interrupted || change <= SAME_NOISE * next {
                    break;
                }
            }
        }
        let termination = termination?;
        let objective = problem.squares();
        trace.end(iterations, objective - sample.rss, termination);
        Ok(Fit::unstructured(problem.w, SingleFit { start: None, objective, iterations, termination }))
    }

    fn inference(&self, sample: &Sample, scale: &Scale, w: &Array2<f64>) -> Result<Inference> {
        Ok(Inference::shrunken(sample, scale, w))
    }

    /// That of the matrices of the rank that was found.
    fn dimension(&self, structure: &Structure, w: &Array2<f64>) -> Result<Option<usize>> {
        let Some(unfolding) = structure.unfolding()? else { return Ok(Some(w.len())) };
        let flat: Vec<f64> = w.iter().copied().collect();
        let found = rank(&unfolding.matrix(&flat).view(), NO_SINGULAR_VALUE)?;
        Ok(Some(unfolding.dimension(found)))
    }

    fn shrinks(&self) -> bool {
        true
    }
}

/// Residual variance of least squares; none without residual degrees of freedom.
fn residual_variance(sample: &Sample) -> Result<Option<f64>> {
    if sample.n <= sample.features() as f64 {
        return Ok(None);
    }
    let w = ridge(sample, 0.0)?;
    let used = rank(&sample.z.view(), rank_tolerance(sample.z.dim()))? as f64;
    Ok(Some(sample.objective(&w.view()) / ((sample.n - used) * sample.outputs() as f64)))
}

/// Singular values below this share of the largest are zeros after rounding: the penalty makes exact ones.
const NO_SINGULAR_VALUE: f64 = 1e-9;

/// The problem and a point.
struct Penalised<'a> {
    sample: &'a Sample,
    options: &'a NuclearNorm,
    unfolding: Unfolding,
    /// `E‖mat(Zᵀg)‖_op`.
    noise: f64,
    /// At least the largest eigenvalue of `ZᵀZ`.
    curvature: f64,
    w: Array2<f64>,
    /// `y − ZW`.
    residual: Array2<f64>,
    /// `‖mat(W)‖_*`.
    norm: f64,
}

impl<'a> Penalised<'a> {
    fn new(structure: &Structure, sample: &'a Sample, options: &'a NuclearNorm) -> Result<Self> {
        let Some(unfolding) = structure.unfolding()? else {
            return Err(EstimateError::Unsuited {
                solver: "nuclear-norm",
                structure: structure.name().to_owned(),
                reason: "no factor has some of the output labels without having all, so there is no matrix whose rank \
                         could be low; use ridge"
                    .to_owned(),
            });
        };
        let w = Array2::zeros((sample.features(), sample.outputs()));
        Ok(Self {
            noise: expected_noise(sample, &unfolding)?,
            curvature: largest_eigenvalue(sample),
            residual: sample.y.clone(),
            norm: 0.0,
            sample,
            options,
            unfolding,
            w,
        })
    }

    /// `‖y − ZW‖² + rss`.
    fn squares(&self) -> f64 {
        self.residual.iter().map(|r| r * r).sum::<f64>() + self.sample.rss
    }

    fn matrix(&self, a: &Array2<f64>) -> Array2<f64> {
        self.unfolding.matrix(&a.iter().copied().collect::<Vec<_>>())
    }

    /// Minimises for the noise level `sigma`, from where it stands.
    fn minimise(&mut self, sigma: f64, iterations: &mut usize, trace: &mut Trace) -> Result<Termination> {
        let penalty = self.options.lambda * sigma * self.noise;
        if self.curvature == 0.0 {
            return Ok(Termination::Converged);
        }
        let (mut ahead, mut ahead_residual) = (self.w.clone(), self.residual.clone());
        let mut momentum = 1.0f64;
        for _ in 0..self.options.max_iterations.saturating_mul(ITERATIONS) {
            *iterations += 1;
            trace.iteration = *iterations;
            let gradient = self.sample.z.t().dot(&ahead_residual);
            let (next, norm, residual) = self.proximal_step(&ahead, &ahead_residual, &gradient, penalty)?;
            let moved = &next - &self.w;
            // Uphill by the gradient mapping: momentum starts again.
            let uphill: f64 = ((&ahead - &next) * &moved).sum();
            let before = if uphill > 0.0 { 1.0 } else { momentum };
            momentum = 0.5 * (1.0 + (1.0 + 4.0 * before * before).sqrt());
            let weight = if uphill > 0.0 { 0.0 } else { (before - 1.0) / momentum };
            ahead = &next + &(&moved * weight);
            ahead_residual = &residual + &((&residual - &self.residual) * weight);
            (self.w, self.residual, self.norm) = (next, residual, norm);
            let squares: f64 = self.residual.iter().map(|r| r * r).sum();
            trace.tell(|| Step::plain(StepKind::Proximal, squares));
            let tolerated = negligible(self.sample, squares, self.options.tolerance)
                .max(rounding(self.sample, squares + penalty * self.norm));
            if trace.is_interrupted() {
                return Ok(Termination::Interrupted);
            }
            if self.gap(penalty, squares)? <= tolerated {
                return Ok(Termination::Converged);
            }
        }
        Ok(Termination::MaxIterations)
    }

    /// A gradient step from `from` and the shrinking of singular values: the new point, its norm and its residual. The
    /// step is shortened until its quadratic model lies above the sum of squares.
    fn proximal_step(
        &mut self,
        from: &Array2<f64>,
        from_residual: &Array2<f64>,
        gradient: &Array2<f64>,
        penalty: f64,
    ) -> Result<(Array2<f64>, f64, Array2<f64>)> {
        loop {
            let target = from + &(gradient / self.curvature);
            let (next, norm) = self.shrink(&target, penalty / self.curvature)?;
            let residual = &self.sample.y - &self.sample.z.dot(&next);
            let moved: f64 = (&next - from).iter().map(|v| v * v).sum();
            let image: f64 = (&residual - from_residual).iter().map(|v| v * v).sum();
            let size: f64 = from_residual.iter().chain(&residual).map(|v| v * v).sum();
            if image <= self.curvature * moved + f64::EPSILON * size {
                return Ok((next, norm, residual));
            }
            self.curvature *= 2.0;
        }
    }

    /// Singular values of `mat(W)` less `by`, none below 0; and their sum.
    fn shrink(&self, w: &Array2<f64>, by: f64) -> Result<(Array2<f64>, f64)> {
        let (u, sv, vt) = svd(&self.matrix(w).view())?;
        let kept: Array1<f64> = sv.iter().map(|v| v - by).take_while(|v| *v > 0.0).collect();
        let k = kept.len();
        let matrix = (&u.slice(s![.., ..k]) * &kept).dot(&vt.slice(s![..k, ..]));
        let mut next = Array2::zeros(w.dim());
        next.iter_mut().zip(self.unfolding.flat(&matrix.view())).for_each(|(n, v)| *n = v);
        Ok((next, kept.sum()))
    }

    /// The objective less that of the dual, `max <y, u> − ½‖u‖²` over `‖mat(Zᵀu)‖_op ≤ penalty`, at the best multiple of
    /// the residual: an upper bound of the distance to the minimum.
    fn gap(&self, penalty: f64, squares: f64) -> Result<f64> {
        let slope = self.matrix(&self.sample.z.t().dot(&self.residual));
        let (_, sv, _) = svd(&slope.view())?;
        let operator = sv.first().copied().unwrap_or(0.0);
        let within = if operator > penalty { penalty / operator } else { 1.0 };
        let along: f64 = (&self.sample.y * &self.residual).sum();
        let best = if squares > 0.0 { (along / squares).clamp(-within, within) } else { 0.0 };
        Ok(0.5 * squares + penalty * self.norm - (best * along - 0.5 * best * best * squares))
    }
}

/// `E‖mat(Zᵀg)‖_op` from fixed draws. `Zᵀg` has the law of `Cᵀg` for the root C of `ZᵀZ` of which there is only one, so that
/// raw and compressed samples have the same penalty.
fn expected_noise(sample: &Sample, unfolding: &Unfolding) -> Result<f64> {
    let d = sample.features();
    memory::check("the second moment of the features", &[d, d])?;
    let moment = gram(&sample.z.view());
    let root = match cholesky(&moment.view()) {
        Ok(root) => root,
        Err(_) => echelon_root(&moment.view())?,
    };
    let mut i = 0;
    let mut total = 0.0;
    for _ in 0..DRAWS {
        let g = Array2::from_shape_simple_fn((root.nrows(), sample.outputs()), || {
            i += 1;
            generic_normal(i)
        });
        let slope: Vec<f64> = root.t().dot(&g).iter().copied().collect();
        let (_, sv, _) = svd(&unfolding.matrix(&slope).view())?;
        total += sv.first().copied().unwrap_or(0.0);
    }
    Ok(total / DRAWS as f64)
}

/// The largest eigenvalue of `ZᵀZ` by the power method, from below.
fn largest_eigenvalue(sample: &Sample) -> f64 {
    let mut i = 0;
    let mut v = Array1::from_shape_simple_fn(sample.features(), || {
        i += 1;
        generic_normal(i)
    });
    let mut value = 0.0;
    for _ in 0..POWER_STEPS {
        let size = v.dot(&v).sqrt();
        if size == 0.0 {
            return 0.0;
        }
        v /= size;
        let image = sample.z.dot(&v);
        value = image.dot(&image);
        v = sample.z.t().dot(&image);
    }
    value
}
