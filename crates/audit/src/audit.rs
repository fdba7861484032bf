//! The audit of a network: its blocks with their figures, and the totals.

use std::collections::HashMap;

use convstat_graph::{Conv, Graph, GraphError, Linear, NodeId, Op};
use serde::Serialize;

use crate::Result;
use crate::advice::{Advice, advise};
use crate::block::{Outside, blocks};
use crate::figures::Figures;
use crate::spectrum::spectra_of;
use crate::trained::{Trained, TrainedRanks};

/// One block.
#[derive(Debug, Clone, Serialize)]
pub struct BlockAudit {
    /// Its name.
    pub name: String,
    /// Its form.
    pub form: &'static str,
    /// Its layers, by their names.
    pub layers: Vec<String>,
    /// Its figures.
    pub figures: Figures,
    /// Activations between its layers. With one the statement on redundancy is exact for the linear part; the ratio K/R
    /// still says how the block spends its weights.
    pub activations: Vec<String>,
    /// Whether a residual join follows.
    pub residual: bool,
    /// What to change.
    pub advice: Vec<Advice>,
    /// What the trained weights of its layers use, where the model holds them.
    pub trained: Vec<Trained>,
}

/// Totals of a network.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Trained parameters; running statistics of batch normalisation are none.
    pub parameters: usize,
    /// Multiply–accumulates of one input: convolutions and matrix products; none if the sizes of a layer are not known, as the
    /// counts below.
    pub macs: Option<u64>,
    /// Floating-point operations, 2 × MACs.
    pub flops: Option<u64>,
    /// Blocks.
    pub blocks: usize,
    /// Parameters inside blocks.
    pub block_parameters: usize,
    /// Naive parameters of the blocks (each with what reads it).
    pub naive: Option<usize>,
    /// Sample complexity of the blocks.
    pub d_m: Option<usize>,
    /// Dimensions of the blocks' coefficients, or bounds on them.
    pub identifiable: Option<usize>,
    /// Redundant parameters of the blocks.
    pub redundant: Option<usize>,
    /// Blocks with K > R.
    pub redundant_blocks: usize,
    /// Largest K/R.
    pub largest_kr: f64,
}

/// The audit of a network.
#[derive(Debug, Clone, Serialize)]
pub struct Audit {
    /// Name of the network.
    pub name: String,
    /// Its totals.
    pub totals: Totals,
    /// Its blocks, in the network's order.
    pub blocks: Vec<BlockAudit>,
    /// Layers that are no block, and why.
    pub outside: Vec<Outside>,
}

impl Audit {
    /// Audits a network; `positions` in place of P of every block.
    ///
    /// # Errors
    /// A structure that cannot be built, weights that are not finite.
    pub fn new(graph: &Graph, positions: Option<usize>) -> Result<Self> {
        for node in &graph.nodes {
            let (Op::Conv(c), &[input]) = (&node.op, node.inputs.as_slice()) else { continue };
            let shape = &graph.nodes[input].shape;
            if shape.len() == c.kernel.len() + 1 && shape[0] != c.inputs {
                let reason = format!(
                    "it reads {} channels, its input {shape:?} has {}; give another --input",
                    c.inputs, shape[0]
                );
                return Err(GraphError::BadGraph { node: node.name.clone(), reason }.into());
            }
        }
        let (found, outside) = blocks(graph);
        let mut trained: HashMap<NodeId, Trained> = HashMap::new();
        // The head's matrix may be larger than all others; no block is in it.
        // Of quantised weights the scale and the zero are not known here.
        let is_float = |node: &NodeId| match &graph.nodes[*node].op {
            Op::Conv(Conv { weight: Some(w), .. }) | Op::Linear(Linear { weight: Some(w), .. }) => {
                w.is_float()
            }
            _ => false,
        };
        let inside = found.iter().flat_map(|b| b.factors.iter().map(|f| f.node)).filter(is_float);
        for layer in spectra_of(graph, inside)? {
            let layer = layer?;
            let name = graph.nodes[layer.node].name.clone();
            let (output, input) = (TrainedRanks::new(&layer.output), TrainedRanks::new(&layer.input));
            trained.insert(layer.node, Trained { layer: name, output, input });
        }
        let audited = found
            .iter()
            .map(|block| {
                let figures = Figures::new(graph, block, positions)?;
                Ok(BlockAudit {
                    name: block.name.clone(),
                    form: block.form.name,
                    layers: block.factors.iter().map(|f| graph.nodes[f.node].name.clone()).collect(),
                    advice: advise(
                        block,
                        &figures,
                        trained.get(&block.factors[block.factors.len() - 1].node),
                    ),
                    trained: block.factors.iter().filter_map(|f| trained.get(&f.node).cloned()).collect(),
                    figures,
                    activations: block.activations.clone(),
                    residual: block.residual,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let sum = |f: &dyn Fn(&Figures) -> Option<usize>| {
            audited.iter().map(|b| f(&b.figures)).sum::<Option<usize>>()
        };
        let is_layer = |op: &Op| matches!(op, Op::Conv(_) | Op::Linear(_));
        let is_known = |op: &Op| !matches!(op, Op::Other { parameters: 1.., macs: 0, .. });
        let sizes_known =
            graph.nodes.iter().all(|n| (!is_layer(&n.op) || !n.shape.is_empty()) && is_known(&n.op));
        let macs = sizes_known.then(|| graph.macs());
        let totals = Totals {
            parameters: graph.parameters(),
            macs,
            flops: macs.map(|m| 2 * m),
            blocks: audited.len(),
            block_parameters: audited.iter().map(|b| b.figures.parameters).sum(),
            naive: sum(&|f| f.naive),
            d_m: sum(&|f| f.d_m),
            identifiable: sum(&|f| f.identifiable),
            redundant: sum(&|f| f.redundant),
            redundant_blocks: audited.iter().filter(|b| b.figures.k > b.figures.r).count(),
            largest_kr: audited.iter().map(|b| b.figures.kr).fold(0.0, f64::max),
        };
        Ok(Self { name: graph.name.clone(), totals, blocks: audited, outside })
    }

    /// Puts the blocks with the most redundant parameters first.
    pub fn sort_by_redundancy(&mut self) {
        self.blocks.sort_by_key(|b| std::cmp::Reverse(b.figures.redundant));
    }
}
