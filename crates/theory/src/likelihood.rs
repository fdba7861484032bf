//! First-order risk of maximum likelihood with labels (THEORY §4.8).
//!
//! On the tangent space with orthonormal basis Q the covariance of `vec Ŵ` is `Q (Qᵀ n E[ZᵀVZ] Q)^{-1} Qᵀ` to first order,
//! V the variance of an observation's labels given its inputs at the truth. The expectation has no closed form: it is the
//! mean over drawn designs.

use convstat_estimate::{design_times, weigh};
use convstat_tensor::linalg::{cholesky_in_place, gram, solve_upper_transposed};
use ndarray::{Array2, ArrayView2};
use serde::Serialize;

use crate::{Result, TangentRisk};

/// Risks from drawn designs, squared, each with its Monte Carlo standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LikelihoodRisk {
    /// `E‖Ŵ − W*‖_F²`.
    pub frobenius: (f64, f64),
    /// `E‖Σ_Z^{1/2}(Ŵ − W*)‖²`.
    pub prediction: (f64, f64),
}

impl TangentRisk {
    /// The information `Qᵀ Σ_i z_i V_i z_iᵀ Q` (`df × df`) of rows `z` (`n × D`) of labels at the truth `w` (`D × M`).
    pub fn information(&self, z: &Array2<f64>, w: &Array2<f64>) -> Array2<f64> {
        let mut rows = design_times(z, &self.basis);
        weigh(&z.dot(w), &mut rows);
        gram(&rows.view())
    }

    /// First-order risks with an information, squared: `(tr I^{-1}, tr I^{-1} Qᵀ Σ_Z Q)`. `None` where it is singular: the
    /// rows do not determine the tangent.
    pub fn given_information(&self, information: &Array2<f64>) -> Option<(f64, f64)> {
        let r = Self::root(information)?;
        let squares =
            |a: &ArrayView2<f64>| solve_upper_transposed(&r.view(), &a.t()).iter().map(|v| v * v).sum();
        Some((squares(&Array2::eye(self.df).view()), squares(&self.scaled.view())))
    }

    fn root(information: &Array2<f64>) -> Option<Array2<f64>> {
        let mut r = information.clone();
        cholesky_in_place(&mut r).ok().map(|()| r)
    }

    /// First-order risks with the mean of the informations of drawn designs, all of the n that the risk is for; standard
    /// errors by the delta method. `None` where the mean is singular, or there are fewer than two.
    ///
    /// # Errors
    /// An information that is not `df × df`.
    pub fn likelihood(&self, informations: &[Array2<f64>]) -> Result<Option<LikelihoodRisk>> {
        let draws = informations.len() as f64;
        let mut mean = Array2::<f64>::zeros((self.df, self.df));
        for information in informations {
            if information.dim() != mean.dim() {
                let (argument, value) = ("rows of an information", information.nrows() as f64);
                return Err(crate::TheoryError::OutOfRange { argument, value, range: "df" });
            }
            mean.scaled_add(1.0 / draws, information);
        }
        let Some(r) = Self::root(&mean).filter(|_| draws > 1.0) else { return Ok(None) };
        let squares = |a: &ArrayView2<f64>| -> (f64, f64) {
            // With I = RᵀR and H = R^{-T}Aᵀ the risk is ‖H‖², and I_b moves it by −‖R_b R^{-1} H‖² to first order.
            let h = solve_upper_transposed(&r.view(), &a.t());
            let back = convstat_tensor::linalg::solve_upper(&r.view(), &h.view());
            let moved = informations.iter().map(|i| (&back * &i.dot(&back)).sum());
            let value = h.iter().map(|v| v * v).sum::<f64>();
            let variance = moved.map(|m: f64| (m - value).powi(2)).sum::<f64>() / (draws - 1.0);
            (value, (variance / draws).sqrt())
        };
        Ok(Some(LikelihoodRisk {
            frobenius: squares(&Array2::eye(self.df).view()),
            prediction: squares(&self.scaled.view()),
        }))
    }

    /// The expected Kullback–Leibler divergence of the fitted law of a new observation from the true one, to first order:
    /// `df / (2n)`, whatever the design (Wilks 1938).
    pub fn excess_risk(&self, n: f64) -> f64 {
        self.df as f64 / (2.0 * n)
    }
}
