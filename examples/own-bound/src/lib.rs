//! A structure, an estimator and a bound that convstat does not have, and unit tests of them.
//!
//! A matrix regression `y = <Z, W> + ξ` whose coefficient is a convolution: `W` of `rows × columns` is Toeplitz,
//! `W[i, j] = h[i − j + columns − 1]`. No einsum of free factors says so.

use convstat::assert::{BoxError, Claim, ErrorBound, Estimator, Sample, SmoothStructure};
use convstat::tensor::linalg::lstsq;
use convstat::theory::{ErrorNorm, TangentRisk};
use ndarray::Array2;

/// Toeplitz matrices, flattened: `rows · columns` features, one parameter a diagonal.
#[derive(Clone, Copy)]
pub struct Toeplitz {
    pub rows: usize,
    pub columns: usize,
}

impl SmoothStructure for Toeplitz {
    fn name(&self) -> String {
        format!("toeplitz({} x {})", self.rows, self.columns)
    }
    fn features(&self) -> usize {
        self.rows * self.columns
    }
    fn parameters(&self) -> usize {
        self.rows + self.columns - 1
    }
    fn coefficients(&self, h: &[f64]) -> Result<Array2<f64>, BoxError> {
        let tap = |f: usize| h[f / self.columns + self.columns - 1 - f % self.columns];
        Ok(Array2::from_shape_fn((self.features(), 1), |(f, _)| tap(f)))
    }
}

/// Least squares on the sums of the features along each diagonal.
pub struct AlongDiagonals(pub Toeplitz);

impl Estimator for AlongDiagonals {
    fn estimate(&self, sample: &Sample, _: &mut dyn FnMut() -> f64) -> Result<Array2<f64>, BoxError> {
        // The structure is linear: its Jacobian is the same everywhere.
        let sums = sample.z.dot(&self.0.jacobian(&vec![0.0; self.0.parameters()])?);
        let h = lstsq(&sums.view(), &sample.y.view())?;
        self.0.coefficients(&h.column(0).to_vec())
    }
}

/// The quantile of the prediction error at some probability, times a factor.
pub struct Quantile {
    pub risk: TangentRisk,
    pub sigma: f64,
    pub probability: f64,
    pub factor: f64,
}

impl ErrorBound for Quantile {
    fn name(&self) -> String {
        format!("{} quantile", self.probability)
    }
    fn claim(&self, n: f64) -> Result<Claim, BoxError> {
        let value = self.risk.quantile(ErrorNorm::Prediction, self.sigma, n, self.probability)?;
        let value = self.factor * value.ok_or("n is below the number of diagonals")?;
        Ok(Claim::Probable { value, probability: self.probability })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convstat::assert::{Simulation, SmoothFit, assert_bound, assert_matches_risk, assert_rate};

    const SHAPE: Toeplitz = Toeplitz { rows: 6, columns: 5 };
    const TRUTH: [f64; 10] = [1.0, -0.5, 2.0, 0.0, 1.5, -1.0, 0.5, 0.3, -2.0, 1.0];

    fn simulated(estimator: impl Estimator + 'static) -> Simulation<'static> {
        let truth = SHAPE.coefficients(&TRUTH).unwrap();
        Simulation::new(Array2::eye(30), truth, 0.5, estimator).unwrap()
    }

    #[test]
    fn the_quantile_is_a_bound() {
        // OWN_BOUND_FACTOR=0.9 makes it 10 % too small: the test has to fail then.
        let factor = std::env::var("OWN_BOUND_FACTOR").map_or(1.0, |f| f.parse().unwrap());
        let risk = SHAPE.risk(&TRUTH, &Array2::eye(30)).unwrap();
        let quantile = Quantile { risk, sigma: 0.5, probability: 0.95, factor };
        println!("{}", assert_bound!(simulated(AlongDiagonals(SHAPE)), quantile, 100));
    }

    #[test]
    fn the_error_is_that_of_ten_parameters() {
        assert_eq!(SHAPE.df(&TRUTH).unwrap(), 10);
        let (norm, own) = (ErrorNorm::Prediction, simulated(AlongDiagonals(SHAPE)));
        assert_matches_risk!(own, norm, 100, 0.25 * 10.0 / (100.0 - 11.0));
        assert_rate!(own, norm, [400, 1600, 6400]);
        // Without an estimator of one's own.
        assert_matches_risk!(simulated(SmoothFit::new(SHAPE, &TRUTH)), norm, 100, 0.25 * 10.0 / 89.0);
    }
}
