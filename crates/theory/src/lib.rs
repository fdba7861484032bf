//! What theory says about the error of a structured estimate (THEORY §4).
//!
//! ```math
//! E‖Σ_Z^{1/2}(Ŵ − W^*)‖² ≈ σ² df/(n − df − 1)
//! E‖Ŵ − W^*‖_F² ≈ σ² tr[(Q^⊤ Σ_Z Q)^{-1}]/(n − df − 1)
//! ‖Σ_Z^{1/2}(Ŵ − W^*)‖ ≤ 2σ (√n + √(2t))(w + √(2t)) / (n/√(n+1) − w − √(2t))²
//! ```
//! The first two are the exact first-order risk, with its finite-sample factor for independent Gaussian rows; the third holds with
//! probability at least `1 − 3e^{−t}`, w² being the statistical dimension.
//!
//! * [`bounds`]: the registry of bounds and risks, each with its source and its assumptions; what they are evaluated at is a
//!   [`SettingTheory`].
//! * [`TangentRisk`]: the exact first-order risk in both norms, with its finite-sample form (§4.3) and quantiles (§4.5).
//! * [`LikelihoodRisk`]: the same for labels, from the information of drawn designs (§4.8).
//! * [`literature_bound`]: the bound of the literature, with its condition and labelled unknowns (§4.1).
//! * [`explicit_bound`]: the Gaussian-comparison bound with every constant known (§4.2), and
//!   [`statistical_dimension`], which it needs.
//! * [`draw_compressed`]: a compressed sample drawn from its own law (§3).
//! * [`Identification`]: what a singular second moment leaves identified (§3, last bullet).

// Not forbid: ndarray's slicing macro allows it for itself.
#![deny(unsafe_code)]

pub mod bounds;
mod design_law;
pub mod error;
pub mod exact_law;
pub mod identify;
pub mod likelihood;
mod norm;
pub mod risk;
mod search;
mod setting;
mod statistical_dimension;
mod tangent;

pub use bounds::{
    Assumption, Assumptions, BOUNDS, Bound, BoundValue, Bounds, ExplicitBound, LiteratureBound, du_rates,
    equivariance_gap, explicit_bound, literature_bound, n_for_explicit, n_for_literature,
};
pub use design_law::DesignLaw;
pub use error::TheoryError;
pub use exact_law::draw_compressed;
pub use identify::Identification;
pub use likelihood::LikelihoodRisk;
pub use norm::ErrorNorm;
pub use risk::{TangentRisk, ols_risk, pulled_back, ridge_risk};
pub use setting::{BoundOptions, SettingTheory, Sizes};
pub use statistical_dimension::{LazyDimension, StatisticalDimension, statistical_dimension};
pub use tangent::{Tangent, prediction_quantile};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, TheoryError>;
