//! What theory needs to know of a setting.

use std::sync::Arc;

use convstat_cnn::{Geometry, Structure};

use crate::{DesignLaw, LazyDimension, Tangent};

/// Sizes of a geometry and of a structure over it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizes {
    /// Sample complexity `d_M`.
    pub d_m: usize,
    /// `c_N` of the literature bound: 1 for full kernels, `2^{N+1} log(N+2)` for factored ones.
    pub c_n: f64,
    /// Responses `M`.
    pub outputs: usize,
    /// Entries of an input.
    pub inputs: usize,
    /// Kernel taps.
    pub taps: usize,
    /// Pooled positions.
    pub positions: usize,
}

impl Sizes {
    /// Of a structure over a geometry.
    pub fn new(geometry: &Geometry, structure: &Structure) -> Self {
        Self {
            d_m: structure.d_m(),
            c_n: structure.counts().literature_c_n(geometry.modes().len()),
            outputs: structure.outputs(),
            inputs: geometry.inputs(),
            taps: geometry.taps(),
            positions: geometry.positions(),
        }
    }
}

/// What is chosen rather than known: confidence, and constants that the literature leaves open.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundOptions {
    /// Probability with which the explicit bound and the quantiles hold.
    pub confidence: f64,
    /// `c_H` of the literature bound, not known.
    pub c_h: f64,
    /// Constant of the literature bound's condition `n ≳ (κ_U/κ_L)² d_M`, not known.
    pub c_condition: f64,
    /// `δ > 0` of the literature bound.
    pub delta: f64,
}

impl Default for BoundOptions {
    fn default() -> Self {
        Self { confidence: 0.95, c_h: 1.0, c_condition: 1.0, delta: 1.0 }
    }
}

/// A setting as theory sees it: what the [bounds](crate::bounds) are evaluated at.
#[derive(Debug, Clone)]
pub struct SettingTheory<'a> {
    /// Its sizes.
    pub sizes: Sizes,
    /// The tangent space at the truth, or its mean over truths; NaN where a truth has no risk.
    pub tangent: Tangent,
    /// The truth is a regular point of the structure; `None` where that is not known.
    pub is_regular: Option<bool>,
    /// The structure identifies `W` locally.
    pub is_identified: bool,
    /// Smallest and largest eigenvalue `c_u, C_u` of `Σ_Z` for white inputs; 0 where it is singular.
    pub spectrum: (f64, f64),
    /// Law of the inputs.
    pub law: DesignLaw,
    /// Standard deviation of the noise, normal and independent of the inputs.
    pub sigma: f64,
    /// What is chosen.
    pub options: BoundOptions,
    /// Statistical dimension of the doubled structure.
    pub dimension: Arc<LazyDimension<'a>>,
}

impl SettingTheory<'_> {
    /// `Σ_Z` is singular.
    pub fn is_singular(&self) -> bool {
        self.spectrum.0 <= 0.0
    }

    /// `κ_L = c_x c_u` and `κ_U = C_x C_u`.
    pub fn kappa(&self) -> (f64, f64) {
        (self.spectrum.0 * self.law.spectrum.0, self.spectrum.1 * self.law.spectrum.1)
    }
}
