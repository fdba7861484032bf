//! Exact first-order risk: the Cramér–Rao bound on the tangent space (THEORY §4.3).

use convstat_cnn::{Factors, Structure, Windows};
use convstat_estimate::design_times;
use convstat_tensor::algebra::{entries, shaped};
use convstat_tensor::linalg::{column_basis, qr_r, rank_tolerance, solve_upper_transposed, svd};
use ndarray::{Array2, ArrayView2};

use crate::{ErrorNorm, Result, Tangent};

/// Singular values of `J` and `Σ_Z^{1/2} J` below this share of the largest count as zero; the
/// truths of studies are random, so their true zeros are at rounding level.
const RANK_TOLERANCE: f64 = 1e-9;

/// The tangent space at a truth, under a second moment `Σ_Z`.
#[derive(Debug, Clone)]
pub struct TangentRisk {
    /// `rank(Σ_Z^{1/2} J)`: the identified dimension, `df` of THEORY §4.3.
    pub df: usize,
    /// `rank J`; larger than `df` only if `W` is not identified.
    pub tangent_dimension: usize,
    /// `tr[(Qᵀ Σ_Z Q)^{-1}]` over the identified part.
    pub trace: f64,
    /// `tr[(Qᵀ Σ_Z Q)^{-2}]` over the identified part.
    pub trace_of_square: f64,
    /// Responses `M`.
    pub outputs: usize,
    /// Orthonormal basis of the identified part of the tangent space, `D M × df`.
    pub(crate) basis: Array2<f64>,
    /// `Σ_Z^{1/2} Q`, `rank(Σ_Z) M × df`.
    pub(crate) scaled: Array2<f64>,
}

impl TangentRisk {
    /// At `factors`, with `root` of `Σ_Z` (`rank × D`, `rootᵀ root = Σ_Z`).
    ///
    /// # Errors
    /// Factors of other shapes, or a Jacobian that does not fit into memory.
    pub fn new(structure: &Structure, factors: &Factors, root: &Array2<f64>) -> Result<Self> {
        Self::from_jacobian(&structure.jacobian(factors)?, structure.outputs(), |w| design_times(root, w))
    }

    /// At `factors`, with the `Σ_Z` of a geometry, whose windows are given.
    ///
    /// # Errors
    /// As [`TangentRisk::new`].
    pub fn of_windows(structure: &Structure, factors: &Factors, windows: &Windows) -> Result<Self> {
        let outputs = structure.outputs();
        Self::from_jacobian(&structure.jacobian(factors)?, outputs, |w| pulled_back(windows, outputs, w))
    }

    /// From `J = ∂vec(W)/∂θ` (`D M × parameters`, the response fastest) of any parametrisation smooth at the truth, with
    /// `outputs` responses M and the root of `Σ_Z` as a map: `root` takes coefficients `D M × k` (the response fastest) to any
    /// coordinates in which the Euclidean norm is the prediction norm.
    ///
    /// # Errors
    /// What does not fit into memory, or has entries that are not finite.
    pub fn from_jacobian(
        jacobian: &Array2<f64>,
        outputs: usize,
        root: impl Fn(&Array2<f64>) -> Array2<f64>,
    ) -> Result<Self> {
        let (tangent, _) = column_basis(&jacobian.view(), RANK_TOLERANCE)?;
        let image = root(&tangent);
        // QR first: the image may have many more rows than columns.
        let (_, s, vt) = svd(&qr_r(&image.view())?.view())?;
        let cut = RANK_TOLERANCE * s.first().copied().unwrap_or(0.0);
        let identified: Vec<f64> = s.iter().copied().filter(|&v| v > cut).collect();
        let basis = tangent.dot(&vt.slice(ndarray::s![..identified.len(), ..]).t());
        Ok(Self {
            df: identified.len(),
            tangent_dimension: tangent.ncols(),
            trace: identified.iter().map(|v| v.powi(-2)).sum(),
            trace_of_square: identified.iter().map(|v| v.powi(-4)).sum(),
            outputs,
            scaled: image.dot(&vt.slice(ndarray::s![..identified.len(), ..]).t()),
            basis,
        })
    }

    /// Whether the structure identifies `W` locally: no rank gap between `J` and `Σ_Z^{1/2} J`.
    pub fn is_identified(&self) -> bool {
        self.df == self.tangent_dimension
    }

    /// What risks and their quantiles need of it.
    pub fn tangent(&self) -> Tangent {
        Tangent {
            df: self.df as f64,
            trace: self.trace,
            trace_of_square: self.trace_of_square,
            outputs: self.outputs,
        }
    }

    /// `E‖Σ_Z^{1/2}(Ŵ − W*)‖²` to first order: `σ² df / n`. Also the local minimax lower bound (§4.4).
    pub fn prediction(&self, sigma: f64, n: f64) -> f64 {
        self.tangent().first_order(ErrorNorm::Prediction, sigma, n)
    }

    /// `E‖Ŵ − W*‖_F²` to first order: `σ² tr[(Qᵀ Σ_Z Q)^{-1}] / n`.
    pub fn frobenius(&self, sigma: f64, n: f64) -> f64 {
        self.tangent().first_order(ErrorNorm::Frobenius, sigma, n)
    }

    /// See [`Tangent::finite_n`]; for several responses average [`TangentRisk::given_design`].
    pub fn finite_n(&self, n: f64) -> Option<f64> {
        self.tangent().finite_n(n)
    }

    /// Quantile of the error norm at `confidence`, i.i.d. Gaussian rows. In prediction norm the linearised
    /// model has exactly `‖·‖² ~ σ² χ²_df/χ²_{n−df+1}`, that is `σ² df/(n−df+1) · F_{df, n−df+1}`; in Frobenius
    /// norm the numerator is a mixture, matched in mean and variance (Satterthwaite). `None` for n < df and for several
    /// responses.
    ///
    /// # Errors
    /// A confidence that is no probability.
    pub fn quantile(&self, norm: ErrorNorm, sigma: f64, n: f64, confidence: f64) -> Result<Option<f64>> {
        self.tangent().quantile(norm, sigma, n, confidence)
    }

    /// See [`Tangent::n_for_mean`].
    ///
    /// # Errors
    /// A target or σ that is not finite and positive.
    pub fn n_for_mean(&self, norm: ErrorNorm, sigma: f64, target: f64) -> Result<f64> {
        self.tangent().n_for_mean(norm, sigma, target)
    }

    /// See [`Tangent::n_for_quantile`].
    ///
    /// # Errors
    /// A target or σ that is not finite and positive, a confidence that is no probability.
    pub fn n_for_quantile(
        &self,
        norm: ErrorNorm,
        sigma: f64,
        target: f64,
        confidence: f64,
    ) -> Result<Option<f64>> {
        self.tangent().n_for_quantile(norm, sigma, target, confidence)
    }

    /// First-order risks given a design with `zᵀ z = n S_n` (rows raw or compressed), squared:
    /// `(σ² tr[(Qᵀ nS_n Q)^{-1}], σ² tr[(Qᵀ nS_n Q)^{-1} Qᵀ Σ_Z Q])` over the identified part. Averaged over drawn designs
    /// this is the risk for dependent rows (THEORY §4.3). `None` if the design does not determine the tangent.
    ///
    /// # Errors
    /// Rows with entries that are not finite.
    pub fn given_design(&self, sigma: f64, z: &Array2<f64>) -> Result<Option<(f64, f64)>> {
        let zq = design_times(z, &self.basis);
        if zq.nrows() < self.df {
            return Ok(None);
        }
        let r = qr_r(&zq.view())?;
        let largest = r.diag().iter().fold(0.0f64, |m, v| m.max(v.abs()));
        if r.diag().iter().any(|v| v.abs() <= RANK_TOLERANCE * largest) {
            return Ok(None);
        }
        // With ZQ = U R: tr[(QᵀZᵀZQ)^{-1} AᵀA] = ‖A R^{-1}‖² = ‖R^{-T} Aᵀ‖².
        let squares = |a: &ArrayView2<f64>| -> f64 {
            solve_upper_transposed(&r.view(), &a.t()).iter().map(|v| v * v).sum()
        };
        let variance = sigma * sigma;
        let identity = Array2::eye(self.df);
        Ok(Some((variance * squares(&identity.view()), variance * squares(&self.scaled.view()))))
    }
}

/// Coefficients `D M × k` (the response fastest, `outputs` of them) pulled back to the input of a geometry, whose covariance is
/// the identity: there the Euclidean norm is the prediction norm.
pub fn pulled_back(windows: &Windows, outputs: usize, w: &Array2<f64>) -> Array2<f64> {
    let (rows, columns) = w.dim();
    let wide = shaped((rows / outputs, outputs * columns), entries(w));
    let image = entries(&windows.pull_back(&wide.view()));
    shaped((image.len() / columns.max(1), columns), image)
}

/// Exact risks of ordinary least squares over all `D` features, squared and for one response, i.i.d.
/// Gaussian rows: `(σ² tr Σ_Z^{-1}, σ² D) / (n − D − 1)`; `None` where infinite.
///
/// # Errors
/// A σ that is not finite and positive.
pub fn ols_risk(second_moment: &Array2<f64>, sigma: f64, n: f64) -> Result<Option<(f64, f64)>> {
    crate::error::positive("sigma", sigma)?;
    let d = second_moment.nrows();
    let divisor = n - d as f64 - 1.0;
    let (values, _) = convstat_tensor::linalg::eigh(&second_moment.view())?;
    let smallest = values.first().copied().unwrap_or(0.0);
    let cut = values.last().copied().unwrap_or(0.0) * rank_tolerance((d, d));
    if divisor <= 0.0 || smallest <= cut {
        return Ok(None);
    }
    let inverse: f64 = values.iter().map(|v| 1.0 / v).sum();
    let variance = sigma * sigma / divisor;
    Ok(Some((variance * inverse, variance * d as f64)))
}

/// Exact risks of ridge given a design, squared and for one response: with `G = zᵀz` and `H = (G + λI)^{-1}` the error
/// is `−λ H w + H zᵀξ`, so the risks are `λ² wᵀ H M H w + σ² tr(M H G H)` for `M = I` (Frobenius) and `M = Σ_Z`
/// (prediction). `z` holds the rows, raw or compressed; `w` the truth.
///
/// # Errors
/// A λ that is not finite and positive.
pub fn ridge_risk(
    z: &Array2<f64>,
    second_moment: &Array2<f64>,
    w: &ndarray::Array1<f64>,
    lambda: f64,
    sigma: f64,
) -> Result<(f64, f64)> {
    crate::error::positive("lambda", lambda)?;
    let (_, s, vt) = svd(&z.view())?;
    // H = V diag(1/(s² + λ)) Vᵀ + (I − VVᵀ)/λ, so λHw = w − V diag(s²/(s² + λ)) Vᵀw.
    let shrink = s.mapv(|v| v * v / (v * v + lambda));
    let bias = w - &vt.t().dot(&(&shrink * &vt.dot(w)));
    let spread = s.mapv(|v| v / (v * v + lambda));
    let noise = &vt.t() * &spread;
    let both = |m: Option<&Array2<f64>>| {
        let weighted = |a: &Array2<f64>| m.map_or_else(|| a.clone(), |m| m.dot(a));
        let b = bias.view().insert_axis(ndarray::Axis(1)).to_owned();
        (&b * &weighted(&b)).sum() + sigma * sigma * (&noise * &weighted(&noise)).sum()
    };
    Ok((both(None), both(Some(second_moment))))
}
