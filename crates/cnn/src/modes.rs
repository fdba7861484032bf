//! The output modes of a structure: pooled positions, kernel taps, responses.

use crate::{CnnError, Result};

/// Sizes of the modes of `W`. Data without a geometry has no positions and its axes as taps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputModes {
    /// Pooled positions `p_1 … p_N`; empty for plain data.
    pub positions: Vec<usize>,
    /// Kernel taps `l_1 … l_N`, or the axes of plain data.
    pub taps: Vec<usize>,
    /// Convolution layers; the taps of the last layer come first. 1 for plain data.
    pub layers: usize,
    /// Responses `M`.
    pub outputs: usize,
}

impl OutputModes {
    /// Modes of data without a geometry: the axes of one observation.
    pub fn plain(shape: &[usize], outputs: usize) -> Self {
        Self { positions: Vec::new(), taps: shape.to_vec(), layers: 1, outputs }
    }

    /// `D`, the number of features.
    pub fn features(&self) -> usize {
        self.positions.iter().chain(&self.taps).product()
    }

    /// `P` (1 for plain data).
    pub fn total_positions(&self) -> usize {
        self.positions.iter().product()
    }

    /// The ways the modes of `W` may be spelled in an einsum output: positions together, positions
    /// mode by mode, or positions and taps as a matrix; a last mode for several responses.
    pub fn spellings(&self) -> Vec<Vec<usize>> {
        let together = vec![self.total_positions()];
        let all_taps = vec![self.taps.iter().product()];
        let mut list = if self.positions.is_empty() {
            vec![self.taps.clone()]
        } else {
            vec![
                [together.clone(), self.taps.clone()].concat(),
                [self.positions.clone(), self.taps.clone()].concat(),
                [together, all_taps].concat(),
            ]
        };
        if self.outputs > 1 {
            list.iter_mut().for_each(|s| s.push(self.outputs));
        }
        list
    }

    /// The spelling with `labels` labels.
    pub(crate) fn spelling(&self, labels: usize) -> Result<Vec<usize>> {
        self.spellings().into_iter().find(|s| s.len() == labels).ok_or_else(|| {
            let choices: Vec<String> =
                self.spellings().iter().map(|s| format!("{} labels (sizes {s:?})", s.len())).collect();
            CnnError::BadStructure {
                reason: format!("the einsum's output has {labels} labels; give {}", choices.join(" or ")),
            }
        })
    }
}
