//! Tests of ranks and of the number of kernels: a structure against a larger one that contains it.
//!
//! At a point of the smaller set the larger one is not regular (a rank-2 matrix is no regular point of the rank-3 ones), so
//! the likelihood ratio has no χ² law and its reference is drawn: a parametric bootstrap at the fit of the null hypothesis
//! (Davison & Hinkley 1997, §4.2.3), on the same design.

use convstat_cnn::{Factors, Structure};
use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{ChiSquared, Distribution, StandardNormal};
use rayon::prelude::*;

use crate::fitting::{FitOptions, Fitting};
use crate::model::FittedModel;
use crate::nearest::nearest;
use crate::outcome::{Fit, Start};
use crate::scale::Scale;
use crate::solvers::{Algorithm, Method};
use crate::tolerance::EXACT;
use crate::{EstimateError, Result, Sample};

/// Bootstrap draws that no test needs.
const MOST_DRAWS: usize = 1_000_000;

/// A test of one structure against a larger one.
#[derive(Debug, Clone)]
pub struct LikelihoodRatio {
    /// `nM log(RSS₀/RSS₁)`.
    pub statistic: f64,
    /// `(1 + #{T* ≥ T}) / (B + 1)`.
    pub p_value: f64,
    /// The statistics of the bootstrap samples, in the order drawn.
    pub bootstrap: Vec<f64>,
    /// Fit of the null hypothesis.
    pub null: FittedModel,
    /// Fit of the alternative; its objective is at most that of the null.
    pub alternative: FittedModel,
    /// Identified dimensions of both, the ranks of `Z J` at the fits.
    pub df: (f64, f64),
    /// `σ̂² = RSS₀/(nM − df₀)`, the noise of the bootstrap samples.
    pub variance: f64,
    /// Its root.
    pub sigma: f64,
}

/// Tests `null` against `alternative`, a set that contains it, with `draws` bootstrap samples from `seed`.
///
/// Both are fitted from the starts of `method`, the alternative also from the fit of the null, here and in every
/// bootstrap sample alike: an optimum that is missed as often there as here does not change the size of the test, and the
/// statistic is never negative. A bootstrap sample has the design of `sample`: `y* = Z Ŵ₀ + σ̂ε`, and `σ̂²χ²` with `(n − rows) M`
/// degrees of freedom for the residual sum of squares that a compressed sample keeps. Draws have streams of their own, so
/// that the result does not depend on the number of threads.
///
/// # Errors
/// An alternative that does not contain the fit of the null, two names of one set, no residual degrees of freedom, no
/// draws, the oracle start, those of [`Fitting::fit`].
pub fn likelihood_ratio(
    null: &Structure,
    alternative: &Structure,
    sample: &Sample,
    method: &Method,
    draws: usize,
    seed: u64,
) -> Result<LikelihoodRatio> {
    let operands = [null, alternative].map(|s| s.owners().len());
    let scale = Scale::common(sample, operands.into_iter());
    let sample = if scale.is_one() { sample.compressed()? } else { scale.to_unit(sample).compressed()? };
    let found = in_units(null, alternative, &sample, method, draws, seed)?;
    Ok(LikelihoodRatio {
        null: found.null.rescaled(&scale.with_operands(operands[0])),
        alternative: found.alternative.rescaled(&scale.with_operands(operands[1])),
        variance: scale.square(found.variance),
        sigma: scale.response(found.sigma),
        ..found
    })
}

/// The test of a compressed sample near unit size.
fn in_units(
    null: &Structure,
    alternative: &Structure,
    sample: &Sample,
    method: &Method,
    draws: usize,
    seed: u64,
) -> Result<LikelihoodRatio> {
    let refuse = |option, value: String, mend| Err(EstimateError::BadOption { option, value, mend });
    if draws == 0 || draws > MOST_DRAWS {
        return refuse(
            "bootstrap",
            draws.to_string(),
            "it has to be between 1 and 1000000, for instance 199",
        );
    }
    let is_iterative = matches!(method.solver().algorithm(), Algorithm::Iterative(_));
    if method.starts().contains(&Start::Oracle) || !is_iterative {
        let value = format!("{} from {:?}", method.name(), method.starts());
        return refuse(
            "solver",
            value,
            "a test needs a solver of the structure from spectral or random starts",
        );
    }
    let pair = Pair { null, alternative, method };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (fit0, fit1) = pair.fit(sample, &mut rng, true)?;
    let df = (fit0.df()?, fit1.df()?);
    let (m, equations) = (sample.outputs(), sample.n * sample.outputs() as f64);
    // The one contains the other: with the same dimension they are the same.
    let (dimension0, dimension1) = (null.df()?, alternative.df()?);
    if dimension0 == dimension1 || df.0 == df.1 {
        let (null, alternative) = (null.name().to_owned(), alternative.name().to_owned());
        return Err(EstimateError::SameSet { null, alternative, df: df.1 as usize });
    }
    if df.1 >= equations {
        return Err(EstimateError::NoResidualFreedom { df: df.1, equations });
    }
    let variance = fit0.fit.best.objective / (equations - df.0);
    let (sigma, centre) = (variance.sqrt(), sample.z.dot(&fit0.fit.w));
    let rest = (sample.n - sample.z.nrows() as f64) * m as f64;
    let left = ChiSquared::new(rest).ok().filter(|_| rest > 0.0);
    let floor = EXACT * (sample.y.iter().map(|v| v * v).sum::<f64>() + sample.rss);
    let one = |draw: usize| -> Result<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(draw as u64 + 1);
        let y = centre.mapv(|v| {
            let e: f64 = StandardNormal.sample(&mut rng);
            v + sigma * e
        });
        let rss = left.as_ref().map_or(0.0, |law| variance * law.sample(&mut rng));
        let (f0, f1) = pair.fit(&Sample { z: sample.z.clone(), y, rss, n: sample.n }, &mut rng, false)?;
        Ok(statistic(&f0.fit, &f1.fit, equations, floor))
    };
    let bootstrap = (0..draws).into_par_iter().map(one).collect::<Result<Vec<f64>>>()?;
    let statistic = statistic(&fit0.fit, &fit1.fit, equations, floor);
    let above = bootstrap.iter().filter(|t| **t >= statistic).count();
    Ok(LikelihoodRatio {
        statistic,
        p_value: (1 + above) as f64 / (draws + 1) as f64,
        bootstrap,
        null: fit0,
        alternative: fit1,
        df,
        variance,
        sigma,
    })
}

/// `nM log(RSS₀/RSS₁)`; 0 where the null fits exactly, with no more than `floor`.
fn statistic(null: &Fit, alternative: &Fit, equations: f64, floor: f64) -> f64 {
    let (rss0, rss1) = (null.best.objective, alternative.best.objective);
    // Where solvers stop apart the alternative is never worse.
    if rss0 <= rss1.max(floor) { 0.0 } else { equations * (rss0 / rss1.max(floor)).ln() }
}

/// Two nested structures and how they are fitted.
struct Pair<'a> {
    null: &'a Structure,
    alternative: &'a Structure,
    method: &'a Method,
}

impl Pair<'_> {
    /// The null from the starts, the alternative from the starts and the fit of the null.
    fn fit(
        &self,
        sample: &Sample,
        rng: &mut ChaCha8Rng,
        inference: bool,
    ) -> Result<(FittedModel, FittedModel)> {
        let mut normal = || -> f64 { StandardNormal.sample(rng) };
        let options = FitOptions { inference, ..FitOptions::bare(self.method.clone()) };
        let null = Fitting::new(self.null, &options).normal(&mut normal).fit(sample)?;
        let embedded = self.embed(&null.fit.w, &mut normal)?;
        let starts = self.method.starts().iter().copied().chain([Start::Oracle]).collect();
        let options = FitOptions { method: self.method.clone().with_starts(starts), ..options };
        let alternative = Fitting::new(self.alternative, &options)
            .truth(Some(&embedded))
            .normal(&mut normal)
            .fit(sample)?;
        Ok((null, alternative))
    }

    /// Factors of the alternative that give `w`.
    fn embed(&self, w: &Array2<f64>, normal: impl FnMut() -> f64) -> Result<Factors> {
        let found = nearest(self.alternative, w, normal)?;
        if found.is_contained {
            return Ok(found.factors);
        }
        Err(EstimateError::NotNested {
            null: self.null.name().to_owned(),
            alternative: self.alternative.name().to_owned(),
            distance: found.distance,
        })
    }
}
