//! The figures of a block: channels, parameters, dimension, cost (THEORY §2).

use convstat_cnn::{OutputModes, Structure, StructureSpec};
use convstat_graph::Graph;
use serde::Serialize;

use crate::Result;
use crate::block::Block;

/// Coefficients times parameters up to which the dimension is computed where it has no closed form.
const MOST_JACOBIAN: usize = 4_000_000;

/// What is known of a block.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Output channels.
    pub k: usize,
    /// Rank on the output channels: the channels that enter the last layer which makes output channels; where that layer has a
    /// window the entries of the window, if they are fewer than K, else K.
    pub r: usize,
    /// K/R.
    pub kr: f64,
    /// Positions of the output, over which what reads the block has weights; none if the sizes are not known.
    pub positions: Option<usize>,
    /// Trained parameters of the block: weights, biases, normalisations.
    pub parameters: usize,
    /// Weights of its layers alone.
    pub weights: usize,
    /// Naive parameters: the weights, and the KP that read its output.
    pub naive: Option<usize>,
    /// Sample complexity: d_M of its structure; the entries of its coefficient, or the naive parameters without the redundant
    /// ones, if those are fewer.
    pub d_m: Option<usize>,
    /// Dimension of its coefficient, where it has a closed form or is small.
    pub df: Option<usize>,
    /// The dimension or a bound on it: d_M, or the dimension of the matrices (positions × window and channels) of the rank that
    /// the layers leave, if that is less. Parameters beyond it no data can identify.
    pub identifiable: Option<usize>,
    /// Redundant parameters (K − R)(R + P), where the last layer has groups (K − R)(R/groups + P): no data can identify them. The gauge (2R² of a bottleneck's two bonds, which any
    /// factorisation has) is not in it.
    pub redundant: Option<usize>,
    /// Multiply–accumulates of one input.
    pub macs: Option<u64>,
    /// Floating-point operations, 2 × MACs.
    pub flops: Option<u64>,
    /// Numbers in the outputs of its layers.
    pub activations: Option<u64>,
    /// The structure of crate `cnn` it is, as a study file writes it.
    pub structure: Option<String>,
}

impl Figures {
    /// The figures of a block; `positions` in place of those of its output.
    ///
    /// # Errors
    /// A structure that cannot be built.
    pub fn new(graph: &Graph, block: &Block, positions: Option<usize>) -> Result<Self> {
        let last = &block.factors[block.factors.len() - 1];
        let (k, r) = (last.outputs, rank(block));
        let shape = &graph.nodes[last.node].shape;
        let is_known = !shape.is_empty();
        let spatial: Vec<usize> = match (positions, last.kernel.len()) {
            (Some(p), _) => vec![p],
            // Feature maps have their channels first, sequences last.
            (None, 0) => shape.split_last().map_or(vec![], |(_, s)| s.to_vec()),
            (None, _) => shape.get(1..).unwrap_or_default().to_vec(),
        };
        let p = (is_known || positions.is_some()).then(|| spatial.iter().product::<usize>());
        let nodes = || block.factors.iter().map(|f| f.node);
        let weights = block.factors.iter().map(|f| f.weights).sum::<usize>();
        let parameters =
            nodes().chain(block.between.iter().copied()).map(|n| graph.nodes[n].parameters()).sum();
        let sizes_known = nodes().all(|n| !graph.nodes[n].shape.is_empty());
        let macs = sizes_known.then(|| nodes().map(|n| graph.nodes[n].macs()).sum::<u64>());
        let entries = |n: usize| graph.nodes[n].shape.iter().map(|&s| s as u64).product::<u64>();
        let naive = p.map(|p| weights + k * p);
        // Where the last layer has groups, each of its kernels has R/groups weights.
        let redundant = p.map(|p| k.saturating_sub(r) * (r / last.groups + p));
        let built = p.and_then(|p| structure(block, p));
        // Order counts may pass the parameters themselves, and counts of grouped blocks keep some of K.
        let rest = naive.zip(redundant).map(|(naive, redundant)| naive - redundant.min(naive));
        let (mut d_m, mut df, mut identifiable, mut text) = (rest, None, rest, None);
        if let (Some((spec, modes)), Some(rest)) = (built, rest) {
            let structure = StructureSpec::parse(&spec)?.build(&modes)?;
            let count = structure.d_m().min(rest).min(structure.coefficients());
            d_m = Some(count);
            df = dimension(&structure);
            identifiable = Some(df.unwrap_or_else(|| of_matrices(&structure)).min(count));
            text = Some(spec);
        }
        Ok(Self {
            k,
            r,
            kr: k as f64 / r as f64,
            positions: p,
            parameters,
            weights,
            naive,
            d_m,
            df,
            identifiable,
            redundant,
            macs,
            flops: macs.map(|m| 2 * m),
            activations: sizes_known.then(|| nodes().map(entries).sum()),
            structure: text,
        })
    }
}

/// The dimension by its closed form, or by the Jacobian's rank where that is cheap.
fn dimension(structure: &Structure) -> Option<usize> {
    let counts = structure.counts();
    let is_small = || structure.coefficients().saturating_mul(structure.naive_parameters()) <= MOST_JACOBIAN;
    counts.df_closed_form.or_else(|| is_small().then(|| structure.df().ok()).flatten())
}

/// Dimension `r(P + L − r)` of the matrices of positions × the rest whose rank r the network allows.
fn of_matrices(structure: &Structure) -> usize {
    let positions = &structure.network().output[..1];
    let rows = structure.sizes_of(positions).iter().product::<usize>();
    let rank = structure.rank_bound(positions);
    rank * (rows + structure.coefficients() / rows - rank)
}

/// R: the channels that enter the last layer that makes output channels. Where that layer has a window, each of its entries
/// counts, and no more than K can be used.
fn rank(block: &Block) -> usize {
    let last = &block.factors[block.factors.len() - 1];
    if last.taps() > 1 { last.outputs.min(last.inputs * last.taps()) } else { last.inputs }
}

/// The structure of crate `cnn` and the modes of its coefficient over `p` positions; none where groups leave it without one.
fn structure(block: &Block, p: usize) -> Option<(String, OutputModes)> {
    let f = &block.factors;
    let first = f.first()?;
    // Every mode's window: the composition of windows that share no mode.
    let axes = f.iter().map(|f| f.kernel.len()).max().unwrap_or(0);
    let window: Vec<usize> =
        (0..axes).map(|i| f.iter().filter_map(|f| f.kernel.get(i)).product::<usize>()).collect();
    let mut taps = if window.is_empty() { vec![1] } else { window };
    taps.push(first.inputs);
    let text = (block.form.structure)(f, &taps)?;
    // The head reads all positions together: one mode is enough, and so are fewer contractions to plan.
    Some((text, OutputModes { positions: vec![p], taps, layers: 1, outputs: 1 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bound against the rank of the Jacobian, with few and many positions.
    #[test]
    fn the_bound_is_no_less_than_the_dimension() {
        let kinds = [
            "{ kind = \"inverted-residual\", expanded = 6, kernels = 3 }",
            "{ kind = \"inverted-residual\", expanded = 2, kernels = 5 }",
            "{ kind = \"bottleneck\", r = 2, r_in = 2, kernels = 5 }",
            "{ kind = \"depthwise-separable\", kernels = 5 }",
            "{ kind = \"resnext\", cardinality = 2, width = 2, kernels = 5 }",
        ];
        let mut exact = 0;
        for kind in kinds {
            for positions in [1, 2, 4, 9, 40] {
                let modes =
                    OutputModes { positions: vec![positions], taps: vec![3, 2, 4], layers: 1, outputs: 1 };
                let structure = StructureSpec::parse(kind).unwrap().build(&modes).unwrap();
                let (bound, df) = (of_matrices(&structure).min(structure.d_m()), structure.df().unwrap());
                assert!(bound >= df, "{kind} {positions}: {bound} < {df}");
                assert!(bound <= structure.coefficients(), "{kind} {positions}");
                exact += usize::from(bound == df);
            }
        }
        // Where few positions leave W free.
        assert!(exact >= 5, "{exact}");
    }
}
