//! Residual variance and standard errors from the tangent space.

use convstat_cnn::{Factors, Structure};
use convstat_tensor::linalg::{rank, rank_tolerance};
use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::refine::ROUNDINGS;
use crate::sample::design_times;
use crate::scale::{Scale, graded_columns, times_power};
use crate::solvers::nuclear_norm::effective_dimension;
use crate::{Result, Sample};

/// First-order inference at a fit: `vec(Ŵ)` moves in the column space of `J`.
#[derive(Debug, Clone)]
pub struct Inference {
    /// Identified dimension, the rank of `Z J`; for ridge the effective one, `Σ s²/(s² + λ)`; for the nuclear norm that of
    /// the matrices of the rank that was found.
    pub df: f64,
    /// Residual sum of squares.
    pub objective: f64,
    /// `objective / (n M − df)`, NaN without residual degrees of freedom.
    pub variance: f64,
    /// `n M − df`.
    residual_df: f64,
    /// The variance in the units of `scale`.
    unit_variance: f64,
    /// `G` with `Cov(vec Ŵ) = variance · G Gᵀ` (`D M × df`), in the units of `scale`.
    spread: Array2<f64>,
    scale: Scale,
    outputs: usize,
}

impl Inference {
    /// At the fitted factors, from the same sample.
    ///
    /// # Errors
    /// A sample or factors that do not fit the structure.
    pub fn new(structure: &Structure, sample: &Sample, factors: &Factors) -> Result<Self> {
        let scale = Scale::of(sample, structure.owners().len());
        let unit_factors = scale.unit_factors(factors);
        let jacobian = structure.jacobian(&unit_factors)?;
        let w = structure.coefficient_matrix(&unit_factors)?;
        let in_units = |sample: &Sample| Self::from_basis(sample, scale, jacobian, &w);
        if scale.is_one() { in_units(sample) } else { in_units(&scale.to_unit(sample)) }
    }

    /// For OLS (`λ = 0`) and ridge: with `Z = U S Vᵀ`, `Cov(Ŵ) = σ² V S²(S² + λ)^{-2} Vᵀ` for each response; the
    /// bias of ridge is not in it.
    ///
    /// # Errors
    /// A failure of LAPACK.
    pub fn unstructured(sample: &Sample, w: &Array2<f64>, lambda: f64) -> Result<Self> {
        let scale = Scale::of(sample, 1);
        if scale.is_one() {
            return Self::of_design(sample, scale, w, lambda);
        }
        let w = w.mapv(|v| times_power(v, scale.z - scale.y));
        Self::of_design(&scale.to_unit(sample), scale, &w, scale.unit_penalty(lambda))
    }

    /// For a fit that shrinks the singular values of an unfolding (nuclear norm): df is the dimension of the matrices of the
    /// rank that was found; standard errors are NaN, for the fit is biased by an amount of their size.
    ///
    /// # Errors
    /// A failure of LAPACK.
    pub fn shrunken(structure: &Structure, sample: &Sample, w: &Array2<f64>) -> Result<Self> {
        let df = effective_dimension(structure, w)? as f64;
        let scale = Scale::of(sample, 1);
        let unknown = Array2::from_elem((w.len(), 1), f64::NAN);
        if scale.is_one() {
            return Ok(Self::with(sample, scale, w, df, unknown));
        }
        let w = w.mapv(|v| times_power(v, scale.z - scale.y));
        Ok(Self::with(&scale.to_unit(sample), scale, &w, df, unknown))
    }

    fn of_design(sample: &Sample, scale: Scale, w: &Array2<f64>, lambda: f64) -> Result<Self> {
        // A penalty knows the units of the features, and so does the shortest of many solutions; the only one does not.
        let even_columns = |s: &Vec<f64>| &sample.z * &Array1::from(s.clone());
        let is_full = |z: &Array2<f64>| -> Result<bool> {
            Ok(rank(&z.view(), ROUNDINGS * rank_tolerance(z.dim()))? == z.ncols())
        };
        let mut scales = graded_columns(&sample.z).filter(|_| lambda == 0.0);
        let mut even = scales.as_ref().map(even_columns);
        if let Some(z) = &even
            && !is_full(z)?
        {
            (scales, even) = (None, None);
        }
        let z = even.as_ref().unwrap_or(&sample.z);
        let (_, sv, vt) = convstat_tensor::linalg::svd(&z.view())?;
        let cut = rank_tolerance(z.dim()) * ROUNDINGS * sv.first().copied().unwrap_or(0.0);
        let (m, d) = (sample.outputs(), sample.features());
        let kept: Vec<usize> = (0..sv.len()).filter(|&i| sv[i] > cut).collect();
        let mut spread = Array2::zeros((d * m, kept.len() * m));
        let mut df = 0.0;
        for (k, &i) in kept.iter().enumerate() {
            df += m as f64 * sv[i] * sv[i] / (sv[i] * sv[i] + lambda);
            for f in 0..d {
                let column = scales.as_ref().map_or(1.0, |s| s[f]);
                for o in 0..m {
                    spread[[f * m + o, k * m + o]] = column * vt[[i, f]] * sv[i] / (sv[i] * sv[i] + lambda);
                }
            }
        }
        Ok(Self::with(sample, scale, w, df, spread))
    }

    fn with(sample: &Sample, scale: Scale, w: &Array2<f64>, df: f64, spread: Array2<f64>) -> Self {
        let objective = sample.objective(&w.view());
        let residual_df = sample.n * sample.outputs() as f64 - df;
        let unit_variance = if residual_df > 0.0 { objective / residual_df } else { f64::NAN };
        let variance = scale.square(unit_variance);
        let objective = scale.square(objective);
        Self { df, objective, variance, residual_df, unit_variance, spread, scale, outputs: sample.outputs() }
    }

    fn from_basis(sample: &Sample, scale: Scale, mut jacobian: Array2<f64>, w: &Array2<f64>) -> Result<Self> {
        // With ZJ = U S Vᵀ, Cov = σ² J V S⁻² Vᵀ Jᵀ over the part with S > 0. Factors of very different sizes scale the
        // columns of J, whose space is the same.
        if let Some(scales) = graded_columns(&jacobian) {
            jacobian *= &Array1::from(scales);
        }
        let mut zj = design_times(&sample.z, &jacobian);
        if let Some(scales) = graded_columns(&zj) {
            let scales = Array1::from(scales);
            zj *= &scales;
            jacobian *= &scales;
        }
        let (_, sv, vt) = convstat_tensor::linalg::svd(&zj.view())?;
        let cut = rank_tolerance(zj.dim()) * ROUNDINGS * sv.first().copied().unwrap_or(0.0);
        let df = sv.iter().filter(|&&v| v > cut).count();
        let mut spread = jacobian.dot(&vt.slice(ndarray::s![..df, ..]).t());
        for (mut column, &v) in spread.axis_iter_mut(Axis(1)).zip(&sv) {
            column /= v;
        }
        Ok(Self::with(sample, scale, w, df as f64, spread))
    }

    /// Residual degrees of freedom `n M − df`; not above 0 where nothing is left to estimate σ² from.
    pub fn residual_df(&self) -> f64 {
        self.residual_df
    }

    /// Responses `M`.
    pub(crate) fn outputs(&self) -> usize {
        self.outputs
    }

    /// Standard errors of the entries of `Ŵ`, `D × M` flat with the response fastest.
    pub fn coefficient_se(&self) -> Array1<f64> {
        self.spread
            .map_axis(Axis(1), |row| self.scale.coefficient((self.unit_variance * row.dot(&row)).sqrt()))
    }

    /// Standard errors of the fitted values `Z Ŵ` at rows `z` (`n × D`), `n × M`.
    pub fn fitted_se(&self, z: &ArrayView2<f64>) -> Array2<f64> {
        let (n, m) = (z.nrows(), self.outputs);
        let unit = (self.scale.z != 0).then(|| z.mapv(|v| times_power(v, -self.scale.z)));
        let z = unit.as_ref().map_or(*z, |u| u.view());
        let mut se = Array2::zeros((n, m));
        for o in 0..m {
            let rows = self.spread.slice(ndarray::s![o..;m, ..]);
            let g = z.dot(&rows);
            for (i, row) in g.outer_iter().enumerate() {
                se[[i, o]] = self.scale.response((self.unit_variance * row.dot(&row)).sqrt());
            }
        }
        se
    }
}
