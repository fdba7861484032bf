//! Residual variance and standard errors from the tangent space.

use convstat_cnn::{Factors, Structure};
use convstat_tensor::linalg::{column_basis, rank_tolerance};
use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::sample::design_times;
use crate::{Result, Sample};

/// First-order inference at a fit: `vec(Ŵ)` moves in the column space of `J`.
#[derive(Debug, Clone)]
pub struct Inference {
    /// Identified dimension, the rank of `Z J`; for ridge the effective one, `Σ s²/(s² + λ)`.
    pub df: f64,
    /// Residual sum of squares.
    pub objective: f64,
    /// `objective / (n M − df)`, NaN without residual degrees of freedom.
    pub variance: f64,
    /// `G` with `Cov(vec Ŵ) = variance · G Gᵀ` (`D M × df`).
    spread: Array2<f64>,
    outputs: usize,
}

impl Inference {
    /// At the fitted factors, from the same sample.
    pub fn new(structure: &Structure, sample: &Sample, factors: &Factors) -> Result<Self> {
        let jacobian = structure.jacobian(factors)?;
        let w = structure.coefficient_matrix(factors)?;
        Self::from_basis(sample, &jacobian, &w)
    }

    /// For OLS (`λ = 0`) and ridge: with `Z = U S Vᵀ`, `Cov(Ŵ) = σ² V S²(S² + λ)^{-2} Vᵀ` for each response; the
    /// bias of ridge is not in it.
    pub fn unstructured(sample: &Sample, w: &Array2<f64>, lambda: f64) -> Result<Self> {
        let (_, sv, vt) = convstat_tensor::linalg::svd(&sample.z.view())?;
        let cut = rank_tolerance(sample.z.dim()) * 16.0 * sv.first().copied().unwrap_or(0.0);
        let (m, d) = (sample.outputs(), sample.features());
        let kept: Vec<usize> = (0..sv.len()).filter(|&i| sv[i] > cut).collect();
        let mut spread = Array2::zeros((d * m, kept.len() * m));
        let mut df = 0.0;
        for (k, &i) in kept.iter().enumerate() {
            df += m as f64 * sv[i] * sv[i] / (sv[i] * sv[i] + lambda);
            for f in 0..d {
                for o in 0..m {
                    spread[[f * m + o, k * m + o]] = vt[[i, f]] * sv[i] / (sv[i] * sv[i] + lambda);
                }
            }
        }
        Ok(Self::with(sample, w, df, spread))
    }

    fn with(sample: &Sample, w: &Array2<f64>, df: f64, spread: Array2<f64>) -> Self {
        let objective = sample.objective(&w.view());
        let residual_df = sample.n * sample.outputs() as f64 - df;
        let variance = if residual_df > 0.0 { objective / residual_df } else { f64::NAN };
        Self { df, objective, variance, spread, outputs: sample.outputs() }
    }

    fn from_basis(sample: &Sample, jacobian: &Array2<f64>, w: &Array2<f64>) -> Result<Self> {
        // With Q an orthonormal basis of J and ZQ = U S Vᵀ, Cov = σ² Q V S⁻² Vᵀ Qᵀ, over the part with S > 0.
        let (q, _) = column_basis(&jacobian.view(), rank_tolerance(jacobian.dim()) * 16.0)?;
        let zq = design_times(&sample.z, &q);
        let (_, sv, vt) = convstat_tensor::linalg::svd(&zq.view())?;
        let cut = rank_tolerance(zq.dim()) * 16.0 * sv.first().copied().unwrap_or(0.0);
        let df = sv.iter().filter(|&&v| v > cut).count();
        let mut spread = q.dot(&vt.slice(ndarray::s![..df, ..]).t());
        for (mut column, &v) in spread.axis_iter_mut(Axis(1)).zip(&sv) {
            column /= v;
        }
        Ok(Self::with(sample, w, df as f64, spread))
    }

    /// Standard errors of the entries of `Ŵ`, `D × M` flat with the response fastest.
    pub fn coefficient_se(&self) -> Array1<f64> {
        self.spread.map_axis(Axis(1), |row| (self.variance * row.dot(&row)).sqrt())
    }

    /// Standard errors of the fitted values `Z Ŵ` at rows `z` (`n × D`), `n × M`.
    pub fn fitted_se(&self, z: &ArrayView2<f64>) -> Array2<f64> {
        let (n, m) = (z.nrows(), self.outputs);
        let mut se = Array2::zeros((n, m));
        for o in 0..m {
            let rows = self.spread.slice(ndarray::s![o..;m, ..]);
            let g = z.dot(&rows);
            for (i, row) in g.outer_iter().enumerate() {
                se[[i, o]] = (self.variance * row.dot(&row)).sqrt();
            }
        }
        se
    }
}
