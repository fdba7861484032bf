//! Residual variance and standard errors from the tangent space; for labels the inverse information.

use convstat_cnn::{Factors, Structure};
use convstat_tensor::linalg::{rank, rank_tolerance};
use ndarray::{Array1, Array2, ArrayView2, Axis};

use crate::family::evaluate;
use crate::labels::probabilities;
use crate::refine::{ROUNDINGS, objective_at};
use crate::sample::design_times;
use crate::scale::{Scale, graded_columns, times_power};
use crate::{Result, Rows, Sample};

/// First-order inference at a fit: `vec(Ŵ)` moves in the column space of `J`.
#[derive(Debug, Clone)]
pub struct Inference {
    /// Identified dimension, the rank of `Z J`; for ridge the effective one, `Σ s²/(s² + λ)`; NaN for the
    /// nuclear norm.
    pub df: f64,
    /// Residual sum of squares; for labels the deviance.
    pub objective: f64,
    /// `objective / (n M − df)`, NaN without residual degrees of freedom; for labels 1, the dispersion of their law.
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
    /// At the fitted factors; rows and factors in the units of `scale`.
    ///
    /// # Errors
    /// A sample or factors that do not fit the structure.
    pub(crate) fn of_factors(
        structure: &Structure,
        rows: &dyn Rows,
        scale: &Scale,
        factors: &Factors,
    ) -> Result<Self> {
        let solver = "standard errors";
        let sample = rows.in_memory().ok_or(crate::EstimateError::NotInMemory { solver })?;
        let jacobian = structure.jacobian(factors)?;
        let w = structure.coefficient_matrix(factors)?;
        Self::from_basis(rows, sample, scale, jacobian, &w)
    }

    /// For OLS (`λ = 0`) and ridge: with `Z = U S Vᵀ`, `Cov(Ŵ) = σ² V S²(S² + λ)^{-2} Vᵀ` for each response; the
    /// bias of ridge is not in it. Sample, coefficients and penalty in the units of `scale`.
    ///
    /// # Errors
    /// A failure of LAPACK.
    pub(crate) fn unstructured(sample: &Sample, scale: &Scale, w: &Array2<f64>, lambda: f64) -> Result<Self> {
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

    /// For a fit that shrinks the singular values of an unfolding (nuclear norm): the objective alone. Dimension, variance and
    /// standard errors are NaN, for residuals and estimates are biased by amounts of the size of the noise.
    pub(crate) fn shrunken(sample: &Sample, scale: &Scale, w: &Array2<f64>) -> Self {
        Self::with(sample, scale, w, f64::NAN, Array2::from_elem((w.len(), 1), f64::NAN))
    }

    fn with(sample: &dyn Rows, scale: &Scale, w: &Array2<f64>, df: f64, spread: Array2<f64>) -> Self {
        let objective = objective_at(sample, w);
        let residual_df = sample.observations() * sample.outputs() as f64 - df;
        let unit_variance = match residual_df > 0.0 {
            _ if sample.family().is_labels() => 1.0,
            true => objective / residual_df,
            false => f64::NAN,
        };
        let variance = scale.square(unit_variance);
        let objective = scale.square(objective);
        Self {
            df,
            objective,
            variance,
            residual_df,
            unit_variance,
            spread,
            scale: *scale,
            outputs: sample.outputs(),
        }
    }

    fn from_basis(
        rows: &dyn Rows,
        sample: &Sample,
        scale: &Scale,
        mut jacobian: Array2<f64>,
        w: &Array2<f64>,
    ) -> Result<Self> {
        // With ZJ (V^{1/2}ZJ for labels) = U S Vᵀ, Cov = σ² J V S⁻² Vᵀ Jᵀ over the part with S > 0. Factors of very different sizes scale the
        // columns of J, whose space is the same.
        if let Some(scales) = graded_columns(&jacobian) {
            jacobian *= &Array1::from(scales);
        }
        let mut zj = design_times(&sample.z, &jacobian);
        if !rows.family().is_labels()
            && graded_columns(&zj).is_some()
            && let Some(z) = independent_rows(&sample.z)?
        {
            // Scaled columns would lift the rounding of collinear features above the cut.
            zj = design_times(&z, &jacobian);
        }
        if rows.family().is_labels() {
            evaluate(&sample.y, &mut sample.z.dot(w), Some(&mut zj));
        }
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
        Ok(Self::with(rows, scale, w, df as f64, spread))
    }

    /// The same of a sample that was in units itself.
    pub(crate) fn in_units_of(self, scale: &Scale) -> Self {
        Self {
            objective: scale.square(self.objective),
            variance: scale.square(self.variance),
            scale: *scale,
            ..self
        }
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

    /// Standard errors of the fitted values `Z Ŵ` (linear predictors) at rows `z` (`n × D`), `n × M`.
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

    /// Standard errors of the probabilities of all classes (`n × (M + 1)`, the reference first) at rows `z` (`n × D`), for
    /// the fitted `w` (`D × M`) of labels, by the delta method: `∂p_c/∂η_j = p_c (δ_cj − p_j)`.
    pub fn probability_se(&self, z: &ArrayView2<f64>, w: &ArrayView2<f64>) -> Array2<f64> {
        let m = self.outputs;
        let p = probabilities(z.dot(w));
        let unit = z.mapv(|v| times_power(v, -self.scale.z));
        // Rows of the linear predictors' covariance, one matrix a response.
        let spread = |o: usize| unit.dot(&self.spread.slice(ndarray::s![o..;m, ..]));
        let parts: Vec<Array2<f64>> = (0..m).map(spread).collect();
        let mut se = Array2::zeros(p.dim());
        for (i, p) in p.outer_iter().enumerate() {
            let mut mean = Array1::<f64>::zeros(self.spread.ncols());
            parts.iter().zip(p.iter().skip(1)).for_each(|(part, &p)| mean.scaled_add(p, &part.row(i)));
            se[[i, 0]] = p[0] * mean.dot(&mean).sqrt();
            for (o, part) in parts.iter().enumerate() {
                let own = &part.row(i) - &mean;
                se[[i, o + 1]] = p[o + 1] * own.dot(&own).sqrt();
            }
        }
        se
    }
}

/// As many independent rows as the features have rank, with the same `ZᵀZ`; none where the rank is full.
fn independent_rows(z: &Array2<f64>) -> Result<Option<Array2<f64>>> {
    let (_, values, vt) = convstat_tensor::linalg::svd(&z.view())?;
    let cut = rank_tolerance(z.dim()) * ROUNDINGS * values.first().copied().unwrap_or(0.0);
    let rank = values.iter().filter(|&&v| v > cut).count();
    let kept = ndarray::s![..rank, ..];
    Ok((rank < values.len())
        .then(|| &vt.slice(kept) * &values.slice(ndarray::s![..rank]).insert_axis(Axis(1))))
}
