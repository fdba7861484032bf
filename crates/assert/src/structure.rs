//! A user's own structure: a set of coefficients with a smooth parametrisation.

use convstat_cnn::Structure;
use convstat_estimate::design_times;
use convstat_tensor::linalg::column_basis;
use convstat_theory::TangentRisk;
use ndarray::Array2;

use crate::{AssertError, BoxError};

/// Step of the differences over the size of a parameter, `ε^{1/5}`: truncation and rounding are both near `ε^{4/5}`.
const STEP: f64 = 7.4e-4;

/// Singular values of J below this share of the largest count as zero, as in [`TangentRisk`].
const RANK_TOLERANCE: f64 = 1e-9;

/// A set of coefficients `W(θ)`, `D × M`, smooth in its parameters θ.
///
/// [`convstat_cnn::Structure`] is one, with its factors in one list ([`Structure::flatten`]) as θ. From the three
/// numbers and [`coefficients`](SmoothStructure::coefficients) follow dimension, tangent space and exact first-order risk;
/// nothing has to be a tensor network. The Jacobian is by differences unless it is given.
///
/// ```
/// use convstat_assert::{BoxError, SmoothStructure};
/// use ndarray::{Array2, array};
///
/// /// Taps of one exponential decay: `a e^{−b t}`, t = 0, 1, …
/// struct Decay(usize);
///
/// impl SmoothStructure for Decay {
///     fn name(&self) -> String {
///         format!("decay({})", self.0)
///     }
///     fn features(&self) -> usize {
///         self.0
///     }
///     fn parameters(&self) -> usize {
///         2
///     }
///     fn coefficients(&self, theta: &[f64]) -> Result<Array2<f64>, BoxError> {
///         Ok(Array2::from_shape_fn((self.0, 1), |(t, _)| theta[0] * (-theta[1] * t as f64).exp()))
///     }
/// }
///
/// # fn main() -> Result<(), convstat_assert::AssertError> {
/// assert_eq!(Decay(8).df(&[2.0, 0.5])?, 2);
/// // Where the amplitude is 0 the decay changes nothing.
/// assert_eq!(Decay(8).df(&[0.0, 0.5])?, 1);
/// # Ok(())
/// # }
/// ```
pub trait SmoothStructure: Sync {
    /// A name for messages.
    fn name(&self) -> String;

    /// Features `D`, rows of `W`.
    fn features(&self) -> usize;

    /// Responses `M`, columns of `W`.
    fn outputs(&self) -> usize {
        1
    }

    /// Length of θ.
    fn parameters(&self) -> usize;

    /// `W(θ)`, `D × M`.
    ///
    /// # Errors
    /// Where θ gives no coefficient.
    fn coefficients(&self, theta: &[f64]) -> Result<Array2<f64>, BoxError>;

    /// `J = ∂vec(W)/∂θ`, `D M × parameters`, rows in C order of `W`. By default central differences of fourth order
    /// (Abramowitz & Stegun 25.3.6), good to about 12 digits.
    ///
    /// # Errors
    /// Where the coefficients beside θ cannot be had, or have another size than the structure says.
    fn jacobian(&self, theta: &[f64]) -> Result<Array2<f64>, BoxError> {
        let mut jacobian = Array2::zeros((self.features() * self.outputs(), theta.len()));
        let mut at = theta.to_vec();
        for (i, mut column) in jacobian.columns_mut().into_iter().enumerate() {
            let step = STEP * theta[i].abs().max(1.0);
            for (steps, weight) in [(-2.0, 1.0), (-1.0, -8.0), (1.0, 8.0), (2.0, -1.0)] {
                at[i] = theta[i] + steps * step;
                let w = checked(self, &at)?;
                column.iter_mut().zip(&w).for_each(|(d, v)| *d += weight * v / (12.0 * step));
            }
            at[i] = theta[i];
        }
        Ok(jacobian)
    }

    /// Dimension at θ: `rank J` (THEORY §2).
    ///
    /// # Errors
    /// As [`SmoothStructure::tangent`].
    fn df(&self, theta: &[f64]) -> Result<usize, AssertError> {
        Ok(self.tangent(theta)?.ncols())
    }

    /// Orthonormal basis of the tangent space at θ, `D M × df`.
    ///
    /// # Errors
    /// Those of the Jacobian, and of LAPACK.
    fn tangent(&self, theta: &[f64]) -> Result<Array2<f64>, AssertError> {
        let jacobian = self.jacobian(theta).map_err(AssertError::Own)?;
        Ok(column_basis(&jacobian.view(), RANK_TOLERANCE)?.0)
    }

    /// Exact first-order risk at the truth `W(θ)` (THEORY §4.3), with a root of `Σ_Z` (`rank × D`).
    ///
    /// # Errors
    /// Those of the Jacobian and of LAPACK, and a root of another size.
    fn risk(&self, theta: &[f64], root: &Array2<f64>) -> Result<TangentRisk, AssertError> {
        let jacobian = self.jacobian(theta).map_err(AssertError::Own)?;
        Ok(TangentRisk::from_jacobian(&jacobian, self.outputs(), |tangent| design_times(root, tangent))?)
    }
}

/// `W(θ)`; an error where θ or W has not the size that the structure says.
pub(crate) fn checked(
    structure: &(impl SmoothStructure + ?Sized),
    theta: &[f64],
) -> Result<Array2<f64>, BoxError> {
    if theta.len() != structure.parameters() {
        return Err(format!(
            "{} parameters are given, structure \"{}\" has {}",
            theta.len(),
            structure.name(),
            structure.parameters()
        )
        .into());
    }
    let w = structure.coefficients(theta)?;
    let expected = (structure.features(), structure.outputs());
    if w.dim() != expected {
        return Err(format!(
            "coefficients of structure \"{}\" are {:?}, features and outputs say {expected:?}",
            structure.name(),
            w.dim()
        )
        .into());
    }
    Ok(w)
}

impl SmoothStructure for Structure {
    fn name(&self) -> String {
        Structure::name(self).to_owned()
    }

    fn features(&self) -> usize {
        Structure::features(self)
    }

    fn outputs(&self) -> usize {
        Structure::outputs(self)
    }

    fn parameters(&self) -> usize {
        self.naive_parameters()
    }

    fn coefficients(&self, theta: &[f64]) -> Result<Array2<f64>, BoxError> {
        Ok(self.coefficient_matrix(&self.unflatten(theta)?)?)
    }

    fn jacobian(&self, theta: &[f64]) -> Result<Array2<f64>, BoxError> {
        Ok(Structure::jacobian(self, &self.unflatten(theta)?)?)
    }
}

impl<S: SmoothStructure + ?Sized> SmoothStructure for &S {
    fn name(&self) -> String {
        (**self).name()
    }

    fn features(&self) -> usize {
        (**self).features()
    }

    fn outputs(&self) -> usize {
        (**self).outputs()
    }

    fn parameters(&self) -> usize {
        (**self).parameters()
    }

    fn coefficients(&self, theta: &[f64]) -> Result<Array2<f64>, BoxError> {
        (**self).coefficients(theta)
    }

    fn jacobian(&self, theta: &[f64]) -> Result<Array2<f64>, BoxError> {
        (**self).jacobian(theta)
    }
}
