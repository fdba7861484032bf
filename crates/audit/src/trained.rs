//! What the trained weights of a layer use of the rank that they may have.

use serde::Serialize;

use crate::spectrum::Spectrum;

/// What the trained weights of a layer use.
#[derive(Debug, Clone, Serialize)]
pub struct Trained {
    /// The layer.
    pub layer: String,
    /// Of its unfolding along the output channels.
    pub output: TrainedRanks,
    /// Of its unfolding along the input channels.
    pub input: TrainedRanks,
}

/// Ranks of a trained unfolding ([`Spectrum`]).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TrainedRanks {
    /// Singular values above rounding.
    pub rank: usize,
    /// Singular values above noise, by variational Bayesian matrix factorisation (Nakajima et al. 2013).
    pub vbmf: Option<usize>,
    /// `‖W‖_F² / ‖W‖₂²`.
    pub stable: f64,
    /// Components that keep 90, 95 and 99 % of the energy.
    pub energy_90_95_99: [usize; 3],
    /// Share of the energy that R components keep, for R = 1, 2, 4, … and all.
    pub energy_kept: Vec<(usize, f64)>,
}

impl TrainedRanks {
    /// The ranks of a spectrum.
    pub fn new(spectrum: &Spectrum) -> Self {
        let all = spectrum.singular_values.len();
        let doubling = std::iter::successors(Some(1usize), |r| r.checked_mul(2)).take_while(|&r| r < all);
        let kept = doubling.chain([all]).map(|r| (r, spectrum.energy_kept(r))).collect();
        let e = spectrum.energy;
        Self {
            rank: spectrum.rank,
            vbmf: spectrum.vbmf_rank,
            stable: spectrum.stable_rank,
            energy_90_95_99: [e.r90, e.r95, e.r99],
            energy_kept: kept,
        }
    }
}
