//! What a form of blocks is.

use crate::factor::{Factor, Kind};

/// A form of blocks: how it is recognised, and which structure of crate `cnn` it is.
#[derive(Debug)]
pub struct Form {
    /// Its name in tables.
    pub name: &'static str,
    /// How many layers at the start of a run are a block of this form; none if they are none.
    pub(crate) layers: fn(&Run) -> Option<usize>,
    /// The structure as a study file writes it, for a window and input channels of these sizes; none where groups leave it
    /// without one.
    pub(crate) structure: fn(&[Factor], &[usize]) -> Option<String>,
    /// Whether it begins by making channels, so that it chooses its own R.
    pub(crate) chooses_rank: bool,
}

/// Layers that follow each other on a path.
pub(crate) struct Run<'a> {
    pub factors: &'a [&'a Factor],
    pub kinds: Vec<Kind>,
    /// Whether they end the path, and a sum or a concatenation follows.
    pub joined: bool,
}

impl<'a> Run<'a> {
    pub(crate) fn new(factors: &'a [&'a Factor], joined: bool) -> Self {
        Self { factors, kinds: factors.iter().map(|f| f.kind()).collect(), joined }
    }

    /// The length of `kinds` if the run starts with them.
    pub(crate) fn starts(&self, kinds: &[Kind]) -> Option<usize> {
        self.kinds.starts_with(kinds).then_some(kinds.len())
    }

    /// The length of `kinds` if the run is nothing else and is joined to a branch beside it.
    pub(crate) fn is(&self, kinds: &[Kind]) -> Option<usize> {
        (self.joined && self.kinds == kinds).then_some(kinds.len())
    }
}

/// The network of layers without groups, or depthwise ones, whose windows share no mode.
pub(crate) fn einsum(factors: &[Factor], taps: &[usize]) -> Option<String> {
    let axes: Vec<char> = ('a'..='f').take(taps.len() - 1).collect();
    let mut bonds = 'k'..='z';
    let mut sizes = Vec::new();
    // The input's channels have the last label of the output.
    let channel = 'g';
    let mut entering = channel;
    let mut inputs: Vec<String> = Vec::new();
    for factor in factors {
        let window: String =
            axes.iter().zip(&factor.kernel).filter(|(_, k)| **k > 1).map(|(c, _)| *c).collect();
        if factor.groups == 1 {
            let bond = bonds.next()?;
            sizes.push(format!("{bond} = {}", factor.outputs));
            inputs.push(format!("{bond}{window}{entering}"));
            entering = bond;
        } else if factor.groups == factor.inputs {
            inputs.push(format!("{entering}{window}"));
        } else {
            return None;
        }
    }
    // Modes of one entry belong to the first layer.
    let used: String = inputs.concat();
    let unused: String = axes.iter().filter(|c| !used.contains(**c)).collect();
    inputs[0].push_str(&unused);
    inputs.push(format!("p{entering}"));
    inputs.reverse();
    let output: String = axes.iter().collect();
    Some(format!(
        "{{ einsum = \"{}->p{output}{channel}\", sizes = {{ {} }} }}",
        inputs.join(","),
        sizes.join(", ")
    ))
}
