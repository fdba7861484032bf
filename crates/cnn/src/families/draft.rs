//! A network under construction: labels, sizes, factors.

use std::collections::BTreeMap;

use convstat_tensor::Einsum;

use crate::error::{bad_key, bad_structure};
use crate::{OutputModes, Result, Structure};

/// Pooled modes for which there are labels: `K` to `Z`.
const MOST_HEAD_RANKS: usize = 16;

/// Collects factors and label sizes. Output labels are `p` for all positions together (or `K L M …`, one
/// a mode, where the head is low-rank), `a b c …` for the taps, and `o` for the responses if there are
/// several.
#[derive(Debug)]
pub struct Draft {
    /// The output modes.
    pub modes: OutputModes,
    /// One label a tap mode.
    pub taps: Vec<char>,
    /// Tap labels by group of kernel modes; each mode alone unless `groups` says otherwise.
    pub groups: Vec<Vec<char>>,
    positions: Vec<char>,
    head_ranks: Option<Vec<usize>>,
    sizes: BTreeMap<char, usize>,
    factors: Vec<Vec<char>>,
    owners: Vec<usize>,
}

impl Draft {
    /// A draft over `modes`; `groups` lists kernel modes that are factored together, `head_ranks` the
    /// ranks of the fully connected weights, one a pooled mode.
    ///
    /// # Errors
    /// More modes than there are labels, groups that do not name each kernel mode once, or not one head rank a pooled mode.
    pub fn new(
        modes: &OutputModes,
        groups: Option<&[Vec<usize>]>,
        head_ranks: Option<&[usize]>,
    ) -> Result<Self> {
        let taps: Vec<char> = ('a'..='j').chain('A'..='J').take(modes.taps.len()).collect();
        if taps.len() < modes.taps.len() {
            return bad_structure(format!(
                "{} tap modes; at most {} are possible",
                modes.taps.len(),
                taps.len()
            ));
        }
        let mut sizes: BTreeMap<char, usize> = taps.iter().copied().zip(modes.taps.iter().copied()).collect();
        let positions: Vec<char> = match head_ranks {
            None => vec!['p'],
            Some(ranks) if ranks.len() > MOST_HEAD_RANKS => {
                let given = ranks.len();
                let reason =
                    format!("head_ranks has {given} entries; at most {MOST_HEAD_RANKS} are possible");
                return bad_key("head_ranks", reason);
            }
            Some(ranks) if ranks.len() == modes.positions.len() => ('K'..='Z').take(ranks.len()).collect(),
            Some(ranks) => {
                let (given, pooled) = (ranks.len(), modes.positions.len());
                let reason =
                    format!("head_ranks has {given} entries but the geometry has {pooled} pooled modes");
                return bad_key("head_ranks", reason);
            }
        };
        match positions.as_slice() {
            ['p'] => drop(sizes.insert('p', modes.total_positions())),
            labels => sizes.extend(labels.iter().copied().zip(modes.positions.iter().copied())),
        }
        if modes.outputs > 1 {
            sizes.insert('o', modes.outputs);
        }
        let per_layer = modes.taps.len() / modes.layers;
        Ok(Self {
            groups: group_labels(&taps[..per_layer], groups)?,
            taps,
            positions,
            head_ranks: head_ranks.map(<[usize]>::to_vec),
            modes: modes.clone(),
            sizes,
            factors: Vec::new(),
            owners: Vec::new(),
        })
    }

    /// Labels of the responses: `o` if there are several.
    fn responses(&self) -> Vec<char> {
        if self.modes.outputs > 1 { vec!['o'] } else { Vec::new() }
    }

    /// Product of the sizes of `labels`.
    pub fn size(&self, labels: &[char]) -> usize {
        labels.iter().map(|c| self.sizes[c]).fold(1, usize::saturating_mul)
    }

    /// Rows of the head: positions times responses, the `P` of the closed forms.
    pub fn head_size(&self) -> usize {
        self.modes.total_positions().saturating_mul(self.modes.outputs)
    }

    /// Whether the fully connected weights are unstructured, as the closed forms take them.
    pub fn head_is_full(&self) -> bool {
        self.head_ranks.is_none()
    }

    /// Names a bond. Sizes of 0 are errors that name `key`.
    ///
    /// # Errors
    /// A size of 0.
    pub fn bond(&mut self, label: char, key: &str, size: usize) -> Result<char> {
        if size == 0 {
            return bad_key(key, format!("{key} is 0; it has to be at least 1"));
        }
        self.sizes.insert(label, size);
        Ok(label)
    }

    /// Splits tap label `place` of size n into two of sizes `outer` and `n / outer` (C order).
    ///
    /// # Errors
    /// A size that `outer` does not divide.
    pub fn split_tap(&mut self, place: usize, labels: [char; 2], outer: usize, key: &str) -> Result<()> {
        let old = self.taps[place];
        let size = self.sizes[&old];
        if outer == 0 || !size.is_multiple_of(outer) {
            return bad_key(key, format!("{key} = {outer} does not divide a kernel mode of {size} taps"));
        }
        self.sizes.remove(&old);
        self.sizes.insert(labels[0], outer);
        self.sizes.insert(labels[1], size / outer);
        self.taps.splice(place..=place, labels);
        Ok(())
    }

    /// Operands so far.
    pub fn operands(&self) -> usize {
        self.factors.len()
    }

    /// Adds a factor with these labels.
    pub fn factor(&mut self, labels: &[&[char]]) {
        self.owners.push(self.owners.iter().max().map_or(0, |m| m + 1));
        self.factors.push(labels.concat());
    }

    /// Adds an operand that is the same factor as operand `of`, under other labels.
    pub fn same_factor(&mut self, of: usize, labels: &[&[char]]) {
        self.owners.push(self.owners[of]);
        self.factors.push(labels.concat());
    }

    /// Adds the fully connected weights, which read `bonds`: one factor, or with head ranks a core and one
    /// factor a pooled mode (tensor contraction and regression layers, Kossaifi et al. 2017, 2020).
    ///
    /// # Errors
    /// A head rank of 0.
    pub fn head(&mut self, bonds: &[char]) -> Result<()> {
        let responses = self.responses();
        let Some(ranks) = self.head_ranks.clone() else {
            self.factor(&[&['p'], &responses, bonds]);
            return Ok(());
        };
        let inner: Vec<char> = ('α'..='ρ').take(ranks.len()).collect();
        for (&label, &rank) in inner.iter().zip(&ranks) {
            self.bond(label, "head_ranks", rank)?;
        }
        self.factor(&[&inner, &responses, bonds]);
        for (position, bond) in self.positions.clone().into_iter().zip(inner) {
            self.factor(&[&[position], &[bond]]);
        }
        Ok(())
    }

    /// The labels of `W`: positions, taps, responses.
    pub fn output(&self) -> Vec<char> {
        [self.positions.clone(), self.taps.clone(), self.responses()].concat()
    }

    /// The structure; its `d_M` is that "by count" until its family gives another.
    ///
    /// # Errors
    /// As [`Structure::with_shared`].
    pub fn build(self, name: &str) -> Result<Structure> {
        let network = Einsum { output: self.output(), inputs: self.factors };
        let name = match &self.head_ranks {
            None => name.to_owned(),
            Some(ranks) => format!("{name} head{ranks:?}"),
        };
        Structure::with_shared(&name, network, self.sizes, self.modes.outputs, self.owners)
    }
}

fn group_labels(taps: &[char], groups: Option<&[Vec<usize>]>) -> Result<Vec<Vec<char>>> {
    let Some(groups) = groups else { return Ok(taps.iter().map(|&c| vec![c]).collect()) };
    let mut seen: Vec<usize> = groups.concat();
    seen.sort_unstable();
    if seen != (0..taps.len()).collect::<Vec<_>>() || groups.iter().any(Vec::is_empty) {
        let last = taps.len().saturating_sub(1);
        let reason = format!("groups = {groups:?} has to name each kernel mode from 0 to {last} once");
        return bad_key("groups", reason);
    }
    Ok(groups.iter().map(|g| g.iter().map(|&j| taps[j]).collect()).collect())
}
