//! Bounds and risks, one file each: what is stated, by whom, under which assumptions. A new one is a file here and a line in
//! [`BOUNDS`]; columns of summaries, tables, figures, `convstat bound` and `convstat plan-n` go through the registry.

mod assumption;
mod bound;
mod du;
mod explicit;
mod first_order;
mod li_zhang_arora;
mod literature;
mod minimax;
mod risk;
mod risk_quantile;

pub use assumption::{Assumption, Assumptions, Effect};
pub use bound::{Bound, BoundValue, Detail, Kind, Planned};
pub use du::du_rates;
pub use explicit::{ExplicitBound, explicit_bound, n_for_explicit};
pub use li_zhang_arora::equivariance_gap;
pub use literature::{LiteratureBound, literature_bound, n_for_literature};

/// Bounds in the order of tables.
pub type Bounds = &'static [&'static dyn Bound];

/// The bound of a name.
pub fn find(bounds: Bounds, name: &str) -> Option<&'static dyn Bound> {
    bounds.iter().copied().find(|b| b.name() == name)
}

/// All bounds.
pub const BOUNDS: Bounds = &[
    &risk::Risk,
    &minimax::LocalMinimax,
    &risk_quantile::RiskQuantile,
    &explicit::Explicit,
    &literature::Literature,
    &du::Du::Convolutional,
    &du::Du::FullyConnected,
    &li_zhang_arora::LiZhangArora::Equivariant,
    &li_zhang_arora::LiZhangArora::Convolutional,
];
