//! What can be wrong with a study.

use std::ops::Range;

use convstat_cnn::CnnError;
use convstat_estimate::EstimateError;
use convstat_runner::RunnerError;
use convstat_tensor::TensorError;
use convstat_theory::TheoryError;
use thiserror::Error;

/// Errors of studies.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The study file is wrong at a place.
    #[error("{message}")]
    File {
        /// What is wrong.
        message: String,
        /// What to do.
        help: Option<String>,
        /// Bytes of the file at fault.
        span: Option<Range<usize>>,
    },
    /// A key of the study file that the command line sets is wrong.
    #[error("{message}")]
    Set {
        /// What was set, as `key=value`.
        pair: String,
        /// What is wrong.
        message: String,
        /// What to do.
        help: Option<String>,
    },
    /// A setting is wrong.
    #[error("setting \"{setting}\": {source}")]
    Setting {
        /// Its name.
        setting: String,
        /// What is wrong.
        source: Box<StudyError>,
    },
    /// A value outside its range.
    #[error("{key} = {value}; {mend}")]
    BadValue {
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What would be right.
        mend: String,
    },
    /// Labels without a maximum-likelihood estimate.
    #[error("the classes are separated: the likelihood of these {n} labels has no maximum; take larger n")]
    Separated {
        /// Observations.
        n: u64,
    },
    /// A cell or replicate that the study does not have.
    #[error("{0}")]
    NoSuchCell(String),
    /// From geometry or structure.
    #[error(transparent)]
    Cnn(#[from] CnnError),
    /// From estimation.
    #[error(transparent)]
    Estimate(#[from] EstimateError),
    /// From theory.
    #[error(transparent)]
    Theory(#[from] TheoryError),
    /// From tensor algebra.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// From the runner.
    #[error(transparent)]
    Runner(#[from] RunnerError),
}

impl StudyError {
    /// A value outside its range.
    pub fn bad(key: &str, value: impl ToString, mend: &str) -> Self {
        Self::BadValue { key: key.to_owned(), value: value.to_string(), mend: mend.to_owned() }
    }
}
