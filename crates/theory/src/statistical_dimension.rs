//! Statistical dimension of the doubled structure by Monte Carlo (THEORY §4.2).

use std::borrow::Cow;
use std::sync::OnceLock;

use convstat_cnn::{Geometry, Structure};
use convstat_estimate::solvers::LevenbergMarquardt;
use convstat_estimate::{FitOptions, Fitting, Sample, Start};
use convstat_tensor::linalg::echelon_root;
use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde::Serialize;

use crate::{Result, TangentRisk};

/// `δ(T) = E‖Proj_T g‖²` for `T = Σ_Z^{1/2}(M − M)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct StatisticalDimension {
    /// The estimate; an upper limit where `standard_error` is 0.
    pub estimate: f64,
    /// Its Monte Carlo standard error.
    pub standard_error: f64,
    /// Dimension of the doubled structure, below which `δ` does not fall.
    pub doubled_df: usize,
    /// `rank(Σ_Z) · M`, which `δ` never passes.
    pub upper: usize,
    /// Draws of noise.
    pub draws: usize,
    /// Random starts of each projection, besides the spectral one.
    pub starts: usize,
    /// Mean gain of the best start over the spectral one: how far one start alone falls short. The
    /// projection is not convex, so the estimate is from below.
    pub start_spread: f64,
}

impl StatisticalDimension {
    /// `w = √δ` for the bound, with three standard errors added to the estimate of `δ` and the upper limit kept.
    pub fn width(&self) -> f64 {
        (self.estimate + 3.0 * self.standard_error).min(self.upper as f64).sqrt()
    }
}

/// The statistical dimension of a setting, estimated when it is first asked for: it takes seconds.
#[derive(Debug)]
pub struct LazyDimension<'a> {
    structure: Cow<'a, Structure>,
    geometry: Cow<'a, Geometry>,
    draws: usize,
    starts: usize,
    seed: u64,
    value: OnceLock<StatisticalDimension>,
}

impl<'a> LazyDimension<'a> {
    /// Of a structure over a geometry, as [`statistical_dimension`] will estimate it.
    pub fn new(
        structure: Cow<'a, Structure>,
        geometry: Cow<'a, Geometry>,
        draws: usize,
        starts: usize,
        seed: u64,
    ) -> Self {
        Self { structure, geometry, draws, starts, seed, value: OnceLock::new() }
    }

    /// The estimate.
    ///
    /// # Errors
    /// As [`statistical_dimension`].
    pub fn get(&self) -> Result<StatisticalDimension> {
        if let Some(value) = self.value.get() {
            return Ok(*value);
        }
        let root = echelon_root(&self.geometry.second_moment()?.view())?;
        let value = statistical_dimension(&self.structure, &root, self.draws, self.starts, self.seed)?;
        Ok(*self.value.get_or_init(|| value))
    }
}

/// Estimates `δ(T)` from `draws` draws with `starts` random starts each, in parallel; the same seed gives
/// the same figure for any number of threads. `root` is a root of `Σ_Z` (`rank × D`).
///
/// # Errors
/// A doubled structure that does not fit into memory.
pub fn statistical_dimension(
    structure: &Structure,
    root: &Array2<f64>,
    draws: usize,
    starts: usize,
    seed: u64,
) -> Result<StatisticalDimension> {
    let doubled = structure.doubled()?;
    let upper = root.nrows() * structure.outputs();
    let doubled_df = TangentRisk::new(&doubled, &doubled.generic_point(), root)?.df;
    if doubled_df >= upper {
        // A tangent space of full rank: the doubled structure fills the range of Σ_Z^{1/2} up to closure
        // for rank-K matrices and dense structures, and δ = upper is a bound from above for any.
        return Ok(StatisticalDimension {
            estimate: upper as f64,
            standard_error: 0.0,
            doubled_df,
            upper,
            draws: 0,
            starts: 0,
            start_spread: 0.0,
        });
    }
    let options = FitOptions::bare(LevenbergMarquardt {
        starts: Start::spectral_and_random(starts),
        max_iterations: 200,
        tolerance: 1e-6,
    });
    let values: Vec<(f64, f64)> = (0..draws as u64)
        .into_par_iter()
        .map(|draw| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            rng.set_stream(draw);
            let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
            let y = Array2::from_shape_simple_fn((root.nrows(), structure.outputs()), &mut normal);
            let total: f64 = y.iter().map(|v| v * v).sum();
            let sample = Sample { z: root.clone(), y, rss: 0.0, n: root.nrows() as f64 };
            let fit = Fitting::new(&doubled, &options).normal(&mut normal).fit(&sample)?.fit;
            Ok((total - fit.best.objective, fit.all[0].objective - fit.best.objective))
        })
        .collect::<Result<_>>()?;
    let n = values.len() as f64;
    let mean = values.iter().map(|v| v.0).sum::<f64>() / n;
    let variance = values.iter().map(|v| (v.0 - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Ok(StatisticalDimension {
        estimate: mean,
        standard_error: (variance / n).sqrt(),
        doubled_df,
        upper,
        draws,
        starts,
        start_spread: values.iter().map(|v| v.1).sum::<f64>() / n,
    })
}
