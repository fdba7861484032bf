//! What an assertion found.

use convstat_theory::ErrorNorm;

/// Whether a claim holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It was shown to hold, as far as the assertion's margin or detectable exceedance goes.
    Holds,
    /// It was shown to be wrong.
    Violated,
    /// Neither within the budget; counts as a failure.
    Undecided,
}

/// What an assertion found, with its numbers; `Display` is the line to print.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Whether the claim holds.
    pub decision: Decision,
    /// Replicates used, at each n.
    pub replicates: usize,
    /// What was estimated: share of errors above the bound, root mean squared error, or slope.
    pub estimate: f64,
    /// What the claim says of it: most share, root of the risk or of the bound, or slope.
    pub claimed: f64,
    /// The finding in words.
    pub line: String,
}

impl Verdict {
    /// Whether the claim was shown to hold.
    pub fn holds(&self) -> bool {
        self.decision == Decision::Holds
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.line)
    }
}

impl std::fmt::Display for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Holds => "holds",
            Self::Violated => "violated",
            Self::Undecided => "undecided",
        })
    }
}

/// Name of an error norm.
pub(crate) fn error_name(norm: ErrorNorm) -> &'static str {
    match norm {
        ErrorNorm::Prediction => "prediction error",
        ErrorNorm::Frobenius => "estimation error",
    }
}
