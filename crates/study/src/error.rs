//! What can be wrong with a study.

use convstat_cnn::CnnError;
use convstat_estimate::EstimateError;
use convstat_runner::RunnerError;
use convstat_tensor::TensorError;
use convstat_text::{Diagnostic, KeyPath};
use convstat_theory::TheoryError;
use thiserror::Error;

/// Errors of studies.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StudyError {
    /// The study file is wrong at a place.
    #[error(transparent)]
    File(#[from] Diagnostic),
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
        /// Its place in the list of settings where the source names keys of its table; none where the source names keys of the
        /// whole file.
        index: Option<usize>,
        /// What is wrong.
        source: Box<StudyError>,
    },
    /// An error that is about the keys below a path.
    #[error("{source}")]
    Below {
        /// The path.
        path: KeyPath,
        /// What is wrong.
        source: Box<StudyError>,
    },
    /// An error that is about one key.
    #[error("{source}")]
    About {
        /// The key.
        path: KeyPath,
        /// What is wrong.
        source: Box<StudyError>,
    },
    /// A value outside its range.
    #[error("{key} = {value}; {mend}")]
    BadValue {
        /// The key.
        key: KeyPath,
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
    /// Something that cannot be.
    #[error("internal error: {what}: {reason}; please report this")]
    Internal {
        /// What was done.
        what: &'static str,
        /// What went wrong.
        reason: String,
    },
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
    /// A value outside its range; the key is a path, or one as text (`noise.sigma`).
    pub fn bad(key: impl Into<KeyPath>, value: impl ToString, mend: &str) -> Self {
        Self::BadValue { key: key.into(), value: value.to_string(), mend: mend.to_owned() }
    }

    /// A broken invariant.
    pub(crate) fn internal(what: &'static str, reason: impl ToString) -> Self {
        Self::Internal { what, reason: reason.to_string() }
    }

    /// An error of a setting; with its index if it is about keys of its table.
    pub(crate) fn in_setting(setting: &str, index: Option<usize>, source: Self) -> Self {
        Self::Setting { setting: setting.to_owned(), index, source: Box::new(source) }
    }

    /// The same error of a key below `path`.
    #[must_use]
    pub fn inside(self, path: impl Into<KeyPath>) -> Self {
        match self {
            Self::BadValue { key, value, mend } => Self::BadValue { key: path.into().join(key), value, mend },
            Self::File(_) | Self::Set { .. } | Self::Setting { .. } | Self::Runner(_) => self,
            other => Self::Below { path: path.into(), source: Box::new(other) },
        }
    }

    /// The same error, but about this key, whatever it is about itself.
    pub(crate) fn about(self, path: KeyPath) -> Self {
        match self {
            Self::BadValue { .. } => self,
            other => Self::About { path, source: Box::new(other) },
        }
    }

    /// What to do, where the message does not say it.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::File(diagnostic) => diagnostic.help.clone(),
            Self::Set { help, .. } | Self::Cnn(CnnError::StructureKey { help, .. }) => help.clone(),
            Self::Below { source, .. } | Self::About { source, .. } | Self::Setting { source, .. } => {
                source.help()
            }
            _ => None,
        }
    }

    /// The key at fault, from the root of the study file, as far as it is known.
    pub fn key(&self) -> Option<KeyPath> {
        let below = |path: KeyPath, source: &Self| match source.key() {
            Some(key) => path.join(key),
            None => path,
        };
        match self {
            Self::File(diagnostic) => Some(diagnostic.path.clone()),
            Self::BadValue { key, .. } => Some(key.clone()),
            Self::About { path, .. } => Some(path.clone()),
            Self::Below { path, source } => Some(below(path.clone(), source)),
            Self::Setting { index: Some(i), source, .. } => {
                Some(below(KeyPath::from("setting").index(*i), source))
            }
            Self::Setting { index: None, source, .. } => source.key(),
            Self::Cnn(error) => Some(key_of(error)),
            Self::Estimate(EstimateError::BadOption { option, .. }) => Some((*option).into()),
            _ => None,
        }
    }
}

/// The key of a setting that a wrong geometry or structure is about.
fn key_of(error: &CnnError) -> KeyPath {
    match error {
        CnnError::ModeCount { key, .. } | CnnError::ZeroSize { key, .. } => (*key).into(),
        CnnError::KernelExceedsInput { .. } => "kernel".into(),
        CnnError::PoolExceedsConvolution { .. } => "pool".into(),
        CnnError::StructureKey { key, .. } if !key.is_empty() => KeyPath::from("structure").join(key.into()),
        CnnError::BadStructure { .. } | CnnError::StructureKey { .. } => "structure".into(),
        _ => "input".into(),
    }
}
