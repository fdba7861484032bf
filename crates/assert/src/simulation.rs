//! What is simulated: replicates of an error, each from its own streams.

use convstat_cnn::Geometry;
use convstat_estimate::{EstimateError, Sample, compress};
use convstat_runner::stream;
use convstat_tensor::linalg::psd_root;
use convstat_theory::{ErrorNorm, draw_compressed};
use ndarray::Array2;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::{AssertError, BoxError, Estimator};

/// Rows drawn together.
const BLOCK: u64 = 512;

/// Independent replicates of an error. [`Simulation`] is one, and so is a closure `|norm, n, replicate| -> Result<f64, BoxError>`
/// for errors from elsewhere; it has to give the same error when it is called again.
pub trait Replicates: Sync {
    /// The error norm (not squared) of replicate `replicate`, from 0, at n observations.
    ///
    /// # Errors
    /// Any of the data or the estimator: the assertion then ends with it.
    fn error(&self, norm: ErrorNorm, n: u64, replicate: u64) -> Result<f64, BoxError>;
}

impl<F: Fn(ErrorNorm, u64, u64) -> Result<f64, BoxError> + Sync> Replicates for F {
    fn error(&self, norm: ErrorNorm, n: u64, replicate: u64) -> Result<f64, BoxError> {
        self(norm, n, replicate)
    }
}

/// How samples are drawn.
enum Design<'a> {
    /// From the law of the compressed sample, at a cost that does not depend on n.
    ExactLaw,
    /// Gaussian rows, compressed.
    Rows,
    /// By the user.
    Own(Box<dyn Fn(u64, &mut ChaCha8Rng) -> Result<Sample, BoxError> + Sync + 'a>),
}

/// A truth, a law of the data and an estimator.
///
/// Rows `z = Cᵀg`, `g ~ N(0, I)`, `CᵀC = Σ_Z`, and responses `y = W*ᵀz + σε`, ε standard normal (THEORY §4). Replicate r at n
/// draws from streams keyed by (seed, n, r): it does not depend on other replicates nor on threads.
pub struct Simulation<'a> {
    root: Array2<f64>,
    truth: Array2<f64>,
    sigma: f64,
    design: Design<'a>,
    estimator: Box<dyn Estimator + 'a>,
    seed: u64,
}

impl<'a> Simulation<'a> {
    /// With a root C of `Σ_Z` (`rank × D`), a truth `W*` (`D × M`) and noise of standard deviation `sigma`; samples from the
    /// exact law, seed 0.
    ///
    /// # Errors
    /// Sizes that do not fit, entries or `sigma` that are not finite, `sigma < 0`.
    pub fn new(
        root: Array2<f64>,
        truth: Array2<f64>,
        sigma: f64,
        estimator: impl Estimator + 'a,
    ) -> Result<Self, AssertError> {
        if root.ncols() != truth.nrows() || truth.is_empty() || root.is_empty() {
            let sizes = format!("{:?} and {:?}", root.dim(), truth.dim());
            let mend = "they have to be rank × D and D × M with one D, none of them 0";
            return Err(AssertError::bad("root and truth", sizes, mend));
        }
        if !(sigma.is_finite() && sigma >= 0.0) {
            return Err(AssertError::bad("sigma", sigma, "it has to be a finite number of at least 0"));
        }
        if let Some(v) = root.iter().chain(&truth).find(|v| !v.is_finite()) {
            return Err(AssertError::bad("root or truth", v, "all entries have to be finite"));
        }
        Ok(Self { root, truth, sigma, design: Design::ExactLaw, estimator: Box::new(estimator), seed: 0 })
    }

    /// Under a geometry with independent standard normal inputs.
    ///
    /// # Errors
    /// As [`Simulation::new`]; a second moment too large for memory.
    pub fn of_geometry(
        geometry: &Geometry,
        truth: Array2<f64>,
        sigma: f64,
        estimator: impl Estimator + 'a,
    ) -> Result<Self, AssertError> {
        let moment = geometry.second_moment().map_err(EstimateError::from)?;
        Self::new(psd_root(&moment.view())?, truth, sigma, estimator)
    }

    /// The same with another seed.
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The same with rows drawn one by one: the cost grows with n, the law is the same.
    #[must_use]
    pub fn drawing_rows(self) -> Self {
        Self { design: Design::Rows, ..self }
    }

    /// The same with samples of n observations from the user's own law, noise included: `draw` takes n and the stream of the
    /// replicate. The prediction norm stays that of the root.
    #[must_use]
    pub fn drawing(
        self,
        draw: impl Fn(u64, &mut ChaCha8Rng) -> Result<Sample, BoxError> + Sync + 'a,
    ) -> Self {
        Self { design: Design::Own(Box::new(draw)), ..self }
    }

    /// The sample of a replicate.
    ///
    /// # Errors
    /// No observations; an error of the user's own law.
    pub fn sample(&self, n: u64, replicate: u64) -> Result<Sample, BoxError> {
        if n == 0 {
            return Err(EstimateError::NoRows.into());
        }
        let stream = |purpose| stream(self.seed, purpose, &n.to_string(), replicate);
        let (mut inputs, mut noise) = (stream("inputs"), stream("noise"));
        Ok(match &self.design {
            Design::ExactLaw => {
                draw_compressed(&self.root, &self.truth, self.sigma, n, &mut inputs, &mut noise)
            }
            Design::Rows => self.rows(n, &stream)?,
            Design::Own(draw) => draw(n, &mut inputs)?,
        })
    }

    fn rows(&self, n: u64, stream: &dyn Fn(&'static str) -> ChaCha8Rng) -> Result<Sample, EstimateError> {
        let (features, outputs) = self.truth.dim();
        compress(features, outputs, n as f64, |sink| {
            // The compression may ask for the same rows again.
            let (mut inputs, mut noise) = (stream("inputs"), stream("noise"));
            let mut left = n;
            while left > 0 {
                let b = left.min(BLOCK) as usize;
                left -= b as u64;
                let g = Array2::from_shape_simple_fn((b, self.root.nrows()), || normal(&mut inputs));
                let z = g.dot(&self.root);
                let y = z.dot(&self.truth)
                    + Array2::from_shape_simple_fn((b, outputs), || self.sigma * normal(&mut noise));
                sink.add(&z.view(), &y.view())?;
            }
            Ok(())
        })
    }

    /// The estimate of a replicate.
    ///
    /// # Errors
    /// Of the sample and of the estimator; an estimate that is not `D × M`.
    pub fn estimate(&self, n: u64, replicate: u64) -> Result<Array2<f64>, BoxError> {
        let sample = self.sample(n, replicate)?;
        let mut starts = stream(self.seed, "starts", &n.to_string(), replicate);
        let w = self.estimator.estimate(&sample, &mut || normal(&mut starts))?;
        if w.dim() != self.truth.dim() {
            return Err(format!("the estimate is {:?}, the truth {:?}", w.dim(), self.truth.dim()).into());
        }
        Ok(w)
    }
}

fn normal(rng: &mut ChaCha8Rng) -> f64 {
    StandardNormal.sample(rng)
}

impl Replicates for Simulation<'_> {
    fn error(&self, norm: ErrorNorm, n: u64, replicate: u64) -> Result<f64, BoxError> {
        let delta = self.estimate(n, replicate)? - &self.truth;
        let coordinates = match norm {
            ErrorNorm::Prediction => self.root.dot(&delta),
            ErrorNorm::Frobenius => delta,
        };
        Ok(coordinates.iter().map(|v| v * v).sum::<f64>().sqrt())
    }
}
