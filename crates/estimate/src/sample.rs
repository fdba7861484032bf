//! Samples, raw or compressed.

use convstat_tensor::algebra::{check_finite, entries, shaped};
use ndarray::{Array2, ArrayView2};

use crate::{EstimateError, Result};

/// `(z ⊗ I_M) J` for a Jacobian over `vec(W)`, `W` of `D × M` with the response fastest: `z` is
/// `rows × D`, `jacobian` is `D M × params`, the result `rows M × params`.
pub fn design_times(z: &Array2<f64>, jacobian: &Array2<f64>) -> Array2<f64> {
    let (rows, features) = z.dim();
    let (coefficients, params) = jacobian.dim();
    let outputs = coefficients.checked_div(features).unwrap_or(1);
    if outputs == 1 {
        return z.dot(jacobian);
    }
    let wide = shaped((features, outputs * params), entries(jacobian));
    shaped((rows * outputs, params), entries(&z.dot(&wide)))
}

/// A least-squares problem `‖y − Z W‖² + rss` with `W` of `D × M`.
///
/// Raw: `z` is `n × D`, `y` is `n × M`, `rss` is 0. Compressed (THEORY §3): `z` is upper trapezoidal
/// with at most D rows, `y = Qᵀ(responses)`, and the objective is the same for every `W`.
#[derive(Debug, Clone)]
pub struct Sample {
    /// Rows of features.
    pub z: Array2<f64>,
    /// Responses.
    pub y: Array2<f64>,
    /// The part of the objective that no `W` reaches.
    pub rss: f64,
    /// Observations behind it; a float, so that n is not bounded by memory.
    pub n: f64,
}

impl Sample {
    /// A raw sample from `n × D` features and `n × M` responses.
    ///
    /// # Errors
    /// No rows, different numbers of rows, NaN or infinite values.
    pub fn new(z: Array2<f64>, y: Array2<f64>) -> Result<Self> {
        if z.nrows() != y.nrows() {
            return Err(EstimateError::RowMismatch { x: z.nrows(), y: y.nrows() });
        }
        if z.nrows() == 0 {
            return Err(EstimateError::NoRows);
        }
        check_finite("X", &z)?;
        check_finite("y", &y)?;
        Ok(Self { n: z.nrows() as f64, z, y, rss: 0.0 }.in_c_order())
    }

    /// Whether both arrays are in C order, as those of [`Sample::new`] are.
    pub(crate) fn is_in_c_order(&self) -> bool {
        self.z.is_standard_layout() && self.y.is_standard_layout()
    }

    /// The same with both arrays in C order.
    pub(crate) fn in_c_order(self) -> Self {
        let standard =
            |a: Array2<f64>| if a.is_standard_layout() { a } else { a.as_standard_layout().into_owned() };
        Self { z: standard(self.z), y: standard(self.y), ..self }
    }

    /// Features `D`.
    pub fn features(&self) -> usize {
        self.z.ncols()
    }

    /// Responses `M`.
    pub fn outputs(&self) -> usize {
        self.y.ncols()
    }

    /// `‖y − Z w‖² + rss` for `w` of `D × M`.
    pub fn objective(&self, w: &ArrayView2<f64>) -> f64 {
        let residual = &self.y - &self.z.dot(w);
        residual.iter().map(|r| r * r).sum::<f64>() + self.rss
    }
}
