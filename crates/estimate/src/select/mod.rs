//! Choice of ranks and of the number of kernels: candidate structures compared on one sample, one file a criterion. A new
//! criterion is a file here, a variant and a line in [`Criterion::judge`].
//!
//! Candidates may be the same set under another number of parameters (K above min(R, P), ranks above the feasible ones):
//! their criteria agree but for where a solver stopped. Among equal criteria the one with the fewest naive parameters is
//! chosen.
//!
//! ```
//! use convstat_cnn::{OutputModes, Structure, StructureSpec};
//! use convstat_estimate::select::{Evidence, Fitted};
//! use convstat_estimate::{Criterion, FitOptions, Sample};
//! use ndarray::Array2;
//!
//! // y = z_1 + z_5 in a 2 × 4 matrix of coefficients with rows z_1 … z_4 and z_5 … z_8: rank 1.
//! let z = Array2::from_shape_fn((40, 8), |(i, j)| ((i * 7 + j * j * 3 + i * j) % 11) as f64 - 5.0);
//! let y = Array2::from_shape_fn((40, 1), |(i, _)| z[[i, 0]] + z[[i, 4]] + 0.1 * ((i * 5) % 7) as f64 - 0.3);
//! let sample = Sample::new(z, y)?.compressed()?;
//! let modes = OutputModes { positions: vec![2], taps: vec![4], layers: 1, outputs: 1 };
//! let cnn = |k: usize| StructureSpec::parse(&format!("{{ kind = \"cnn\", kernels = {k} }}"))?.build(&modes);
//! let structures = [cnn(1)?, cnn(2)?, cnn(3)?];
//! let fit = |s: &Structure| Fitted::new(s, &sample, &FitOptions::default(), || 0.5);
//! let fitted = structures.iter().map(fit).collect::<Result<Vec<_>, _>>()?;
//! let evidence =
//!     Evidence { structures: &structures, sample: &sample, positions: 2, fitted: &fitted, held_out: None };
//! assert_eq!(Criterion::Bic.judge(&evidence)?.chosen, 0);
//! # Ok::<(), convstat_estimate::EstimateError>(())
//! ```

pub mod cross_validation;
mod information;
mod unfolding;

use convstat_cnn::Structure;
use serde::{Deserialize, Serialize};

pub use cross_validation::{CrossValidation, cross_validate, folds_of};
pub use unfolding::unfolding_rank;

use crate::{EstimateError, Fit, FitOptions, Inference, Result, Sample, fit};

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

/// What the criteria go by. Candidates are numbered by their place in `structures`.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// The candidates.
    pub structures: &'a [Structure],
    /// The sample, raw or compressed.
    pub sample: &'a Sample,
    /// Pooled positions `P`, the rows of the unfolding for [`Criterion::Evbmf`]; for plain data the size of the first axis.
    pub positions: usize,
    /// A fit of each candidate, for the information criteria; may be empty for the others.
    pub fitted: &'a [Fitted],
    /// Held-out errors of each candidate, for cross-validation.
    pub held_out: Option<&'a CrossValidation>,
}

/// A candidate's fit of the whole sample.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The best of all starts.
    pub fit: Fit,
    /// Identified dimension, the rank of `Z J` at the fit.
    pub df: f64,
}

impl Fitted {
    /// Fits one candidate.
    ///
    /// # Errors
    /// Those of [`fit`](fn@fit), and a solver that does not use the structure.
    pub fn new(
        structure: &Structure,
        sample: &Sample,
        options: &FitOptions,
        normal: impl FnMut() -> f64,
    ) -> Result<Self> {
        if !options.solver.is_structured() {
            let mend = "it fits the same W whatever the candidate; use levenberg-marquardt or als";
            let value = options.solver.name().to_owned();
            return Err(EstimateError::BadOption { option: "solver", value, mend });
        }
        let fit = fit(structure, sample, options, None, normal)?;
        let df = Inference::new(structure, sample, &fit.factors)?.df;
        Ok(Self { fit, df })
    }
}

/// What a criterion says.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The criterion of each candidate, the smaller the better; infinite for candidates that cannot be chosen.
    pub values: Vec<f64>,
    /// Standard errors of the values, where they have some.
    pub errors: Vec<f64>,
    /// The candidate chosen.
    pub chosen: usize,
}

impl Evidence<'_> {
    /// Observations times responses.
    fn equations(&self) -> f64 {
        self.sample.n * self.sample.outputs() as f64
    }

    /// Of the candidates with a value of at most `limit` the one with the fewest naive parameters, the first among equals.
    fn most_parsimonious(&self, values: &[f64], limit: f64) -> Result<usize> {
        let small = (0..values.len()).filter(|&i| values[i] <= limit && values[i] < f64::INFINITY);
        small
            .min_by_key(|&i| self.structures[i].naive_parameters())
            .ok_or(EstimateError::NoCandidate { candidates: values.len(), equations: self.equations() })
    }
}

/// The smallest value.
fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Fails unless there is a piece of evidence for each candidate.
fn check_count(what: &'static str, found: usize, candidates: usize) -> Result<()> {
    if found == candidates && candidates > 0 {
        return Ok(());
    }
    let value = format!("{found} for {candidates} candidates");
    Err(EstimateError::BadOption {
        option: what,
        value,
        mend: "give one for each candidate, and at least one",
    })
}
