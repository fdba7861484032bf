//! The parts of a structure between which an activation stands: the kernels, and the fully connected weights.

use convstat_tensor::Einsum;

use crate::error::bad_structure;
use crate::{Geometry, Result, Structure};

/// A structure taken apart at its output channels.
pub(super) struct Parts {
    /// The factor with the fully connected weights.
    pub head: usize,
    /// Labels of the pooled positions.
    pub positions: Vec<char>,
    /// Labels of the output channels.
    pub bonds: Vec<char>,
    /// Label of the responses, if there are several.
    pub responses: Vec<char>,
    /// The kernels alone: output channels, then taps.
    pub kernels: Structure,
}

impl Parts {
    /// The parts of `structure` over the positions and taps of `geometry`.
    pub(super) fn new(geometry: &Geometry, structure: &Structure) -> Result<Self> {
        let name = structure.name();
        if geometry.layers() > 1 {
            return bad_structure(format!(
                "an activation needs one layer, the geometry has {}; remove deeper",
                geometry.layers()
            ));
        }
        if structure.has_shared_factors() {
            return bad_structure(format!(
                "\"{name}\" has a factor that stands twice; with an activation each may stand once"
            ));
        }
        let network = structure.network();
        let positions = position_labels(geometry, structure)?;
        let heads: Vec<usize> = (0..network.inputs.len())
            .filter(|&i| network.inputs[i].iter().any(|c| positions.contains(c)))
            .collect();
        let [head] = heads[..] else {
            return bad_structure(format!(
                "\"{name}\" has its fully connected weights in {} factors; with an activation they are one (no head_ranks)",
                heads.len()
            ));
        };
        let several = usize::from(structure.outputs() > 1);
        let (features, responses) = network.output.split_at(network.output.len() - several);
        let taps: Vec<char> = features.iter().copied().filter(|c| !positions.contains(c)).collect();
        let labels = &network.inputs[head];
        let bonds: Vec<char> = labels.iter().copied().filter(|c| !network.output.contains(c)).collect();
        if bonds.is_empty()
            || labels.iter().any(|c| taps.contains(c))
            || !positions.iter().chain(responses).all(|c| labels.contains(c))
        {
            return bad_structure(format!(
                "\"{name}\" has no output channels between its kernels and its fully connected weights; an activation needs them (kind cnn, tucker, cp, …)"
            ));
        }
        let mut inputs = network.inputs.clone();
        inputs.remove(head);
        let output = [bonds.clone(), taps].concat();
        if let Some(c) = output.iter().find(|c| !inputs.iter().any(|l| l.contains(c))) {
            return bad_structure(format!("label '{c}' of \"{name}\" stands in no kernel factor"));
        }
        let kernels = Einsum { inputs, output };
        let kernels = Structure::new(&format!("kernels of {name}"), kernels, structure.sizes().clone(), 1)?;
        Ok(Self { head, positions, bonds, responses: responses.to_vec(), kernels })
    }
}

/// The leading output labels, which stand for the pooled positions.
fn position_labels(geometry: &Geometry, structure: &Structure) -> Result<Vec<char>> {
    let output = &structure.network().output;
    let sizes = structure.sizes_of(output);
    let most = output.len().min(geometry.modes().len());
    let found = [1, most]
        .into_iter()
        .find(|&q| q <= most && sizes[..q].iter().product::<usize>() == geometry.positions());
    match found {
        Some(q) if structure.features() == geometry.features() => Ok(output[..q].to_vec()),
        _ => bad_structure(format!(
            "\"{}\" does not fit the geometry, which has {} positions and {} taps",
            structure.name(),
            geometry.positions(),
            geometry.taps()
        )),
    }
}
