//! The two norms of an error.

use serde::Serialize;

/// Norm of an error of the estimate `Ŵ` of `W*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorNorm {
    /// `‖Σ_Z^{1/2}(Ŵ − W*)‖`.
    Prediction,
    /// `‖Ŵ − W*‖_F`.
    Frobenius,
}

impl ErrorNorm {
    /// Both, in the order of tables.
    pub const BOTH: [Self; 2] = [Self::Prediction, Self::Frobenius];

    /// The end of the name of a column of a summary.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Prediction => "pred",
            Self::Frobenius => "frob",
        }
    }

    /// Its name in keys of JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Prediction => "prediction",
            Self::Frobenius => "frobenius",
        }
    }

    /// Its name in sentences.
    pub fn title(self) -> &'static str {
        match self {
            Self::Prediction => "prediction",
            Self::Frobenius => "Frobenius",
        }
    }
}
