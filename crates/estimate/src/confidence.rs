//! Confidence intervals and regions from the tangent space: the delta method (THEORY §4.3).
//!
//! To first order `Ŵ` moves in the column space of `J` as in a linear regression with `df` coefficients: `Z(Ŵ − W*)` is
//! normal with covariance σ² times a projection of rank `df`, and `‖y − ZŴ‖²` an independent `σ²χ²_{nM − df}`. For the
//! structure `dense` this is exact, and the intervals are those of ordinary least squares. Everything here is about what
//! the data identify: an entry of `W` that they do not identify has the interval of its identified part.

use ndarray::{Array2, ArrayView2};

use crate::quantile::fisher_quantile;
use crate::{EstimateError, Inference, Result, Sample};

/// Whether intervals hold one by one or all at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Joint {
    /// Each interval holds with the level: Student's t with `nM − df` degrees of freedom.
    Pointwise,
    /// All of them, of any number, hold together with the level: Scheffé's `√(df F_{df, nM − df})`.
    Simultaneous,
}

/// Confidence statements of one level at a fit; from [`Inference::confidence`].
#[derive(Debug, Clone, Copy)]
pub struct Confidence<'a> {
    inference: &'a Inference,
    /// Quantile of |t|.
    t: f64,
    /// `√(df F)`.
    scheffe: f64,
}

impl Inference {
    /// Intervals and regions that hold with probability `level`, to first order.
    ///
    /// # Errors
    /// A level that is not between 0 and 1, or no residual degrees of freedom (`df ≥ nM`).
    pub fn confidence(&self, level: f64) -> Result<Confidence<'_>> {
        check_level(level)?;
        let rest = self.residual_df();
        if rest <= 0.0 || self.df <= 0.0 {
            return Err(EstimateError::NoResidualFreedom { df: self.df, equations: rest + self.df });
        }
        let quantile = |numerator: f64| fisher_quantile(numerator, rest, level).unwrap_or(f64::NAN);
        Ok(Confidence {
            inference: self,
            t: quantile(1.0).sqrt(),
            scheffe: (self.df * quantile(self.df)).sqrt(),
        })
    }
}

/// Fails unless a level is between 0 and 1.
///
/// # Errors
/// Another level.
pub fn check_level(level: f64) -> Result<()> {
    if level > 0.0 && level < 1.0 {
        return Ok(());
    }
    let mend = "a level has to be between 0 and 1, for instance 0.95";
    Err(EstimateError::BadOption { option: "level", value: level.to_string(), mend })
}

impl Confidence<'_> {
    /// Standard errors a half-width has.
    fn factor(&self, joint: Joint) -> f64 {
        match joint {
            Joint::Pointwise => self.t,
            Joint::Simultaneous => self.scheffe,
        }
    }

    /// Half-widths of the intervals `Ŵ ± h` for the entries of `W`, `D × M`.
    pub fn coefficients(&self, joint: Joint) -> Array2<f64> {
        let m = self.inference.outputs();
        let se = self.inference.coefficient_se();
        convstat_tensor::algebra::shaped((se.len() / m, m), se.to_vec()) * self.factor(joint)
    }

    /// Half-widths of the intervals `zŴ ± h` for the expected responses at rows `z` (`n × D`), `n × M`.
    pub fn fitted(&self, z: &ArrayView2<f64>, joint: Joint) -> Array2<f64> {
        self.inference.fitted_se(z) * self.factor(joint)
    }

    /// Half-widths of the intervals `zŴ ± h` for one new response at each row of `z` (`n × D`), `n × M`: the standard
    /// error of the expected response and the noise of the new one, `t √(se² + σ̂²)`.
    pub fn response(&self, z: &ArrayView2<f64>) -> Array2<f64> {
        let sigma = self.inference.variance.sqrt();
        self.inference.fitted_se(z).mapv(|se| self.t * se.hypot(sigma))
    }

    /// `df σ̂² F_{df, nM − df}(level)`: the region is `{W : ‖Z(Ŵ − W)‖² ≤ this}`.
    pub fn radius_squared(&self) -> f64 {
        self.scheffe * self.scheffe * self.inference.variance
    }

    /// Whether the region about `centre` (`Ŵ`, `D × M`) holds `w`, for the sample of the fit.
    pub fn contains(&self, sample: &Sample, centre: &ArrayView2<f64>, w: &ArrayView2<f64>) -> bool {
        let apart = sample.z.dot(&(centre - w));
        apart.iter().map(|v| v * v).sum::<f64>() <= self.radius_squared()
    }
}
