//! Choice of ranks and of the number of kernels: candidate structures compared on one sample, one file a criterion. A new
//! criterion is a file here, a variant and a line in [`Criterion::judge`].
//!
//! Candidates may be the same set under another number of parameters (K above min(R, P), ranks above the feasible ones):
//! their criteria agree but for where a solver stopped. Among equal criteria the one with the fewest naive parameters is
//! chosen.
//!
//! ```
//! use convstat_cnn::{OutputModes, Structure, StructureSpec};
//! use convstat_estimate::select::Evidence;
//! use convstat_estimate::{Criterion, FitOptions, FittedModel, Sample};
//! use ndarray::Array2;
//!
//! // y = z_1 + z_5 in a 2 × 4 matrix of coefficients with rows z_1 … z_4 and z_5 … z_8: rank 1.
//! let z = Array2::from_shape_fn((40, 8), |(i, j)| ((i * 7 + j * j * 3 + i * j) % 11) as f64 - 5.0);
//! let y = Array2::from_shape_fn((40, 1), |(i, _)| z[[i, 0]] + z[[i, 4]] + 0.1 * ((i * 5) % 7) as f64 - 0.3);
//! let sample = Sample::new(z, y)?.compressed()?;
//! let modes = OutputModes { positions: vec![2], taps: vec![4], layers: 1, outputs: 1 };
//! let cnn = |k: usize| StructureSpec::parse(&format!("{{ kind = \"cnn\", kernels = {k} }}"))?.build(&modes);
//! let structures = [cnn(1)?, cnn(2)?, cnn(3)?];
//! let fit = |s: &Structure| FittedModel::fit(s, &sample, &FitOptions::default());
//! let fitted = structures.iter().map(fit).collect::<Result<Vec<_>, _>>()?;
//! let evidence =
//!     Evidence { structures: &structures, sample: &sample, positions: 2, fitted: &fitted, held_out: None };
//! assert_eq!(Criterion::Bic.judge(&evidence)?.chosen, 0);
//! # Ok::<(), convstat_estimate::EstimateError>(())
//! ```

mod criterion;
pub mod cross_validation;
mod evidence;
mod information;
mod selection;
mod unfolding;

pub use criterion::Criterion;
pub use cross_validation::{cross_validate, folds_of};
pub use evidence::{CrossValidation, Evidence, Verdict};
pub use selection::{SelectOptions, Selection, select};
pub use unfolding::unfolding_rank;
