//! The criteria by their names.

use serde::{Deserialize, Serialize};

use super::evidence::{Evidence, Verdict};
use super::{cross_validation, information, unfolding};
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
