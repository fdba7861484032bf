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

pub mod cross_validation;
mod evidence;
mod information;
mod unfolding;

use serde::{Deserialize, Serialize};

pub use cross_validation::{cross_validate, folds_of};
pub use evidence::{CrossValidation, Evidence, Verdict};
pub use unfolding::unfolding_rank;

use crate::Result;

/// How to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Criterion {
    /// Akaike's `nM log(RSS/(nM)) + 2 df`.
    Aic,
    /// Schwarz's `nM log(RSS/(nM)) + df log n`.
    Bic,
    /// The smallest mean squared error of cross-validation.
    Cv,
    /// The smallest structure whose mean is within one standard error of the smallest (Breiman et al. 1984, §3.4.3).
    CvOneSe,
    /// The rank that EVBMF finds in the unfolding of the unstructured estimate: a reference, its noise model is wrong here.
    Evbmf,
}

impl Criterion {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Aic, Self::Bic, Self::Cv, Self::CvOneSe, Self::Evbmf];

    /// Its name in study files and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aic => "aic",
            Self::Bic => "bic",
            Self::Cv => "cv",
            Self::CvOneSe => "cv-one-se",
            Self::Evbmf => "evbmf",
        }
    }

    /// Whether it compares the fits of the whole sample.
    pub fn needs_fits(self) -> bool {
        matches!(self, Self::Aic | Self::Bic)
    }

    /// Whether it leaves out folds of rows.
    pub fn needs_folds(self) -> bool {
        matches!(self, Self::Cv | Self::CvOneSe)
    }

    /// Judges the candidates.
    ///
    /// # Errors
    /// Evidence that the criterion needs and that is not there, or no candidate that it could choose.
    pub fn judge(self, evidence: &Evidence) -> Result<Verdict> {
        match self {
            Self::Aic => information::judge(evidence, 2.0),
            Self::Bic => information::judge(evidence, evidence.sample.n.ln()),
            Self::Cv => cross_validation::smallest(evidence),
            Self::CvOneSe => cross_validation::one_standard_error(evidence),
            Self::Evbmf => unfolding::judge(evidence),
        }
    }
}
