//! What a singular second moment leaves identified (THEORY §3, last bullet).

use serde::Serialize;

use crate::TangentRisk;

/// Identification of `W` under a geometry with nonsingular input covariance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Identification {
    /// Features `D`.
    pub features: usize,
    /// Rank of `Σ_Z`.
    pub rank: usize,
    /// `rank J` at the point looked at.
    pub tangent_dimension: usize,
    /// `rank(Σ_Z^{1/2} J)` there.
    pub identified_dimension: usize,
}

impl Identification {
    /// From the tangent space at a point, with `features` columns of Z and the rank of `Σ_Z`.
    pub fn new(risk: &TangentRisk, features: usize, rank: usize) -> Self {
        let (tangent_dimension, identified_dimension) = (risk.tangent_dimension, risk.df);
        Self { features, rank, tangent_dimension, identified_dimension }
    }

    /// `Σ_Z` is singular: without the structure, `W` is identified up to its null space only.
    pub fn is_singular(&self) -> bool {
        self.rank < self.features
    }

    /// The structure identifies `W` locally.
    pub fn is_identified(&self) -> bool {
        self.identified_dimension == self.tangent_dimension
    }

    /// A warning in words, if there is something to say.
    pub fn warning(&self) -> Option<String> {
        if !self.is_identified() {
            return Some(format!(
                "W is not identified: the tangent space has dimension {} but the inputs see {} of it; the error \
                 in Frobenius norm has no finite risk, the prediction error has",
                self.tangent_dimension, self.identified_dimension
            ));
        }
        self.is_singular().then(|| {
            format!(
                "the second moment of Z is singular (rank {} of {}); the structure identifies W locally, but another W may \
                 fit as well, and then the Frobenius error does not follow its risk; the prediction error does",
                self.rank, self.features
            )
        })
    }
}
