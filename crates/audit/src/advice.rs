//! What to change in a block so that K/R is 1.

use serde::Serialize;

use crate::block::Block;
use crate::figures::Figures;
use crate::trained::Trained;

/// A change of a block.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "change")]
#[non_exhaustive]
pub enum Advice {
    /// Make no more output channels than the last layer reads: the coefficient of the block loses nothing.
    FewerOutputs {
        /// Output channels, R in place of K.
        k: usize,
        /// Weights of the block and of what reads it that this saves: all redundant ones.
        saves: usize,
        /// Multiply–accumulates of the block that it saves.
        saves_macs: u64,
    },
    /// Spend the same weights on K = R: the coefficient gains rank.
    EqualRanks {
        /// Output channels and rank.
        k: usize,
        /// Weights of the block, before and after.
        weights: (usize, usize),
        /// Multiply–accumulates, before and after, if every layer works on the same positions.
        macs: (u64, u64),
        /// Naive parameters less the redundant ones, before and after.
        identifiable: (usize, usize),
    },
    /// The trained weights of the last layer hold fewer components above noise than it may have.
    TrainedRank {
        /// Components above noise (VBMF).
        rank: usize,
        /// Components that it may have.
        of: usize,
    },
}

/// Advice for a block with K > R, or with trained weights of low rank; none for others, nor where sizes are not known.
pub fn advise(block: &Block, figures: &Figures, trained: Option<&Trained>) -> Vec<Advice> {
    let mut advice = fewer_or_equal(block, figures);
    let (vbmf, of) = (trained.and_then(|t| t.output.vbmf), figures.k.min(figures.r));
    // No component at all: weights that were not trained.
    advice.extend(vbmf.filter(|&rank| 0 < rank && rank < of).map(|rank| Advice::TrainedRank { rank, of }));
    advice
}

fn fewer_or_equal(block: &Block, figures: &Figures) -> Vec<Advice> {
    let (Some(p), Some(macs)) = (figures.positions, figures.macs) else { return Vec::new() };
    let (k, r) = (figures.k, figures.r);
    let last = &block.factors[block.factors.len() - 1];
    if k <= r || last.outputs == 0 {
        return Vec::new();
    }
    // MACs of the last layer are in proportion to its outputs.
    let last_macs = last.weights as u64 * p as u64;
    let mut advice = vec![Advice::FewerOutputs {
        k: r,
        saves: (k - r) * (last.weights / k + p),
        saves_macs: last_macs - last_macs * r as u64 / k as u64,
    }];
    // Blocks that choose their own R: those that begin by making channels.
    if !block.form.chooses_rank {
        return advice;
    }
    // Inner channels grow in proportion, in whole groups.
    let groups = block.factors.iter().map(|f| f.groups.min(f.inputs)).filter(|&g| g < r).max().unwrap_or(1);
    let weights_at = |rank: usize| -> usize {
        let scaled = |channels: usize| channels * rank / r;
        block
            .factors
            .iter()
            .enumerate()
            .map(|(i, f)| {
                let inputs = if i == 0 { f.inputs } else { scaled(f.inputs) };
                let outputs = if i + 1 == block.factors.len() { rank } else { scaled(f.outputs) };
                let groups = if f.groups == f.inputs { inputs } else { f.groups };
                outputs * (inputs / groups.max(1)) * f.taps()
            })
            .sum()
    };
    let candidates = (1..=k).filter(|rank| rank.is_multiple_of(groups));
    let nearest = candidates.min_by_key(|&rank| weights_at(rank).abs_diff(figures.weights));
    if let Some(rank) = nearest {
        let weights = weights_at(rank);
        let identifiable = (figures.weights + k * p - figures.redundant.unwrap_or(0), weights + rank * p);
        let scale = weights as f64 / figures.weights.max(1) as f64;
        let macs = (macs, (macs as f64 * scale).round() as u64);
        advice.push(Advice::EqualRanks { k: rank, weights: (figures.weights, weights), macs, identifiable });
    }
    advice
}

impl std::fmt::Display for Advice {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Self::FewerOutputs { k, saves, saves_macs } => write!(
                f,
                "K = R = {k}: {saves} weights fewer (block and reader), {saves_macs} MACs fewer, same coefficient"
            ),
            Self::EqualRanks { k, weights, macs, identifiable } => write!(
                f,
                "or the weights spent on rank, K = R = {k}: {} → {} weights, about {} → {} MACs, not redundant {} → {}",
                weights.0, weights.1, macs.0, macs.1, identifiable.0, identifiable.1
            ),
            Self::TrainedRank { rank, of } => {
                write!(f, "trained: {rank} of {of} components of the last layer stand above noise (VBMF)")
            }
        }
    }
}
