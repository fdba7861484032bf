//! Estimators: the toolkit's fits, and a user's own.

use convstat_cnn::{Factors, Structure};
use convstat_estimate::{FitOptions, Fitting, Method, Sample};
use ndarray::Array2;

use crate::BoxError;

/// Estimates the coefficients from a sample.
///
/// A closure `|sample: &Sample| -> Result<Array2<f64>, BoxError>` is an estimator too.
pub trait Estimator: Sync {
    /// `Ŵ`, `D × M`, from a sample that may be raw or compressed: nothing but `ZᵀZ`, `Zᵀy`, `n` and the residual sum of squares
    /// may matter (THEORY §3). `normal` gives standard normals for random starts, the same ones in a replicate however often
    /// it is run.
    ///
    /// # Errors
    /// Any of the estimator: the assertion then ends with it.
    fn estimate(&self, sample: &Sample, normal: &mut dyn FnMut() -> f64) -> Result<Array2<f64>, BoxError>;
}

impl<F: Fn(&Sample) -> Result<Array2<f64>, BoxError> + Sync> Estimator for F {
    fn estimate(&self, sample: &Sample, _: &mut dyn FnMut() -> f64) -> Result<Array2<f64>, BoxError> {
        self(sample)
    }
}

/// The fit of a structure by a solver of the toolkit.
#[derive(Debug, Clone)]
pub struct StructureFit {
    /// The structure.
    pub structure: Structure,
    /// The solver with its options.
    pub method: Method,
    /// True factors for [`Start::Oracle`](convstat_estimate::Start::Oracle): theory speaks of the global minimiser, and
    /// another start may end above it.
    pub truth: Option<Factors>,
}

impl StructureFit {
    /// By the default solver: Levenberg–Marquardt from the spectral and ten random starts.
    pub fn new(structure: &Structure) -> Self {
        Self { structure: structure.clone(), method: Method::default(), truth: None }
    }
}

impl Estimator for StructureFit {
    fn estimate(&self, sample: &Sample, normal: &mut dyn FnMut() -> f64) -> Result<Array2<f64>, BoxError> {
        let options = FitOptions::bare(self.method.clone());
        let fitting = Fitting::new(&self.structure, &options).truth(self.truth.as_ref()).normal(normal);
        Ok(fitting.fit(sample)?.fit.w)
    }
}
