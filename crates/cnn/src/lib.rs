//! Linear convolutional networks as tensor regressions (THEORY §1–2): geometry, structures, counts.
//!
//! Pure: no random numbers, no input or output.
//!
//! ```math
//! y = ⟨X, W_X⟩ + ξ = ⟨Z, W⟩ + ξ
//! Z = X ×_1 U_F^{(1)⊤} ⋯ ×_N U_F^{(N)⊤}
//! W = Σ_k B_k ∘ A_k
//! df = rank ∂vec(W)/∂θ
//! ```
//!
//! * [`Geometry`]: input, kernel and pooling sizes mode by mode; the fixed factors `U_F`; the map
//!   `X → Z` by windows.
//! * [`Structure`]: a tensor network (einsum text and sizes) for the coefficient `W`; contraction,
//!   Jacobian, dimension, parameter counts.
//! * [`ActivatedNetwork`]: the same factors with an activation between convolution and pooling.
//! * [`families`]: named structures (`dense`, `cnn`, …), one file each; [`StructureSpec`] reads them from TOML,
//!   [`StructureSpec::grid`] varies their keys.
//!
//! ```
//! use convstat_cnn::{Geometry, GeometrySpec, StructureSpec};
//! let geometry = Geometry::new(&GeometrySpec {
//!     input: vec![8, 8, 3],
//!     kernel: vec![3, 3, 3],
//!     pool: Some(vec![3, 3, 1]),
//!     ..GeometrySpec::default()
//! })?;
//! let spec = StructureSpec::parse("{ kind = \"cnn\", kernels = 3 }")?;
//! let cnn = spec.build(&geometry.output_modes(1))?;
//! assert_eq!((cnn.d_m(), cnn.df()?), (96, 84));
//! # Ok::<(), convstat_cnn::CnnError>(())
//! ```

#![forbid(unsafe_code)]

pub mod activation;
mod bonds;
pub mod counts;
pub mod design;
mod design_plan;
pub mod error;
pub mod families;
pub mod geometry;
pub mod grid;
mod jacobian;
pub mod layer;
pub mod modes;
mod relax;
pub mod sliding_window;
pub mod spec;
pub mod structure;
pub mod windows;

pub use activation::{ActivatedNetwork, Activation, Pass};
pub use counts::Counts;
pub use design::{Curvature, DesignProduct};
pub use error::CnnError;
pub use geometry::{Geometry, GeometrySpec, LayerSpec};
pub use grid::{Over, parse_over};
pub use jacobian::generic_normal;
pub use layer::{Layer, Mode};
pub use modes::OutputModes;
pub use relax::Unfolding;
pub use sliding_window::SlidingWindow;
pub use spec::StructureSpec;
pub use structure::{Factors, Structure};
pub use windows::{Scratch, Windows};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, CnnError>;
