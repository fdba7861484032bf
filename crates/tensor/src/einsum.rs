//! Einstein summation over any number of operands.
//!
//! Labels are single characters. A label that is not in the output is summed; a label may stand in
//! any number of operands (hyperedges, as in CP). The order of pairwise contractions is searched
//! exhaustively up to ten operands; each pair is one batched matrix product.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::{ArrayD, ArrayViewD, IxDyn};

use crate::algebra::{c_order, c_order_mut};
use crate::memory;
use crate::order::OrderProblem;
use crate::program::{Compiler, Program, Target};
use crate::{Result, TensorError};

/// Most labels of one contraction: sets of them are the bits of a word.
const MOST_LABELS: usize = 64;
/// Most operands of one contraction.
const MOST_OPERANDS: usize = 64;

/// A parsed einsum text, for instance `pk,kabc->pabc`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Einsum {
    /// Labels of each operand.
    pub inputs: Vec<Vec<char>>,
    /// Labels of the result.
    pub output: Vec<char>,
}

impl Einsum {
    /// Reads `ab,bc->ac`. Spaces are ignored; the arrow and the output are required.
    ///
    /// # Errors
    /// [`TensorError::BadEinsum`] that says what is wrong with the text.
    pub fn parse(text: &str) -> Result<Self> {
        let bad = |reason: String| TensorError::BadEinsum { text: text.to_owned(), reason };
        let compact: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let (left, right) = compact
            .split_once("->")
            .ok_or_else(|| bad("there is no '->'; write it as \"ab,bc->ac\"".into()))?;
        let labels = |part: &str| -> Result<Vec<char>> {
            part.chars()
                .map(|c| {
                    if c.is_alphabetic() {
                        Ok(c)
                    } else {
                        Err(bad(format!("{c:?} is not a letter; labels are letters")))
                    }
                })
                .collect()
        };
        let inputs: Vec<Vec<char>> = left.split(',').map(labels).collect::<Result<_>>()?;
        let output = labels(right)?;
        let spec = Self { inputs, output };
        spec.check_size()?;
        for (i, c) in spec.output.iter().enumerate() {
            if !spec.inputs.iter().flatten().any(|x| x == c) {
                return Err(bad(format!("output label '{c}' stands in no operand")));
            }
            if spec.output[..i].contains(c) {
                return Err(bad(format!("output label '{c}' stands twice in the output")));
            }
        }
        Ok(spec)
    }

    /// Fails on more labels and operands than a search of the order takes.
    fn check_size(&self) -> Result<()> {
        let (mut labels, operands) = (BTreeSet::new(), self.inputs.len());
        let many = self.inputs.iter().chain([&self.output]).flatten().any(|&c| {
            labels.insert(c);
            labels.len() > MOST_LABELS
        });
        if !many && operands <= MOST_OPERANDS {
            return Ok(());
        }
        // Not the text: it may be long.
        let text = self.to_string().chars().take(60).collect();
        let reason = format!(
            "{operands} operands and {}{} labels; at most {MOST_OPERANDS} and {MOST_LABELS} are possible",
            if many { "more than " } else { "" },
            labels.len().min(MOST_LABELS)
        );
        Err(TensorError::BadEinsum { text, reason })
    }

    /// All labels, in order of first appearance.
    pub fn labels(&self) -> Vec<char> {
        let mut seen = Vec::new();
        for &c in self.inputs.iter().flatten() {
            if !seen.contains(&c) {
                seen.push(c);
            }
        }
        seen
    }
}

impl std::fmt::Display for Einsum {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let inputs: Vec<String> = self.inputs.iter().map(|l| l.iter().collect()).collect();
        write!(f, "{}->{}", inputs.join(","), self.output.iter().collect::<String>())
    }
}

/// An einsum with sizes and a searched order of contraction, ready to run many times.
#[derive(Debug, Clone)]
pub struct Contraction {
    spec: Einsum,
    sizes: BTreeMap<char, usize>,
    steps: Vec<(usize, usize)>,
}

impl Contraction {
    /// Plans `spec` for the sizes of its labels.
    ///
    /// # Errors
    /// Too many labels or operands, none at all, an output label that stands in no operand, or a label without a size.
    pub fn new(spec: &Einsum, sizes: &BTreeMap<char, usize>) -> Result<Self> {
        spec.check_size()?;
        if spec.inputs.is_empty() {
            let reason = "it has no operand".to_owned();
            return Err(TensorError::BadEinsum { text: spec.to_string(), reason });
        }
        let labels = spec.labels();
        if let Some(c) = spec.output.iter().find(|c| !labels.contains(c)) {
            let reason = format!("output label '{c}' stands in no operand");
            return Err(TensorError::BadEinsum { text: spec.to_string(), reason });
        }
        let size = |c: char| {
            sizes.get(&c).copied().ok_or_else(|| TensorError::BadEinsum {
                text: spec.to_string(),
                reason: format!("the size of label '{c}' is not given"),
            })
        };
        let sizes: BTreeMap<char, usize> =
            labels.iter().map(|&c| Ok((c, size(c)?))).collect::<Result<_>>()?;
        let log_size: Vec<f64> = labels.iter().map(|c| (sizes[c].max(1) as f64).ln()).collect();
        let bits = |set: &[char]| {
            set.iter().filter_map(|c| labels.iter().position(|l| l == c)).fold(0u64, |acc, i| acc | 1 << i)
        };
        let operands: Vec<u64> = spec.inputs.iter().map(|l| bits(l)).collect();
        let problem = OrderProblem { operands: &operands, output: bits(&spec.output), log_size: &log_size };
        Ok(Self { steps: problem.solve(), spec: spec.clone(), sizes })
    }

    /// The same order of contraction with another size of one label.
    #[must_use]
    pub fn resized(mut self, label: char, size: usize) -> Self {
        self.sizes.insert(label, size);
        self
    }

    /// Labels and sizes of the result, and the strides of C order.
    pub fn contiguous(&self) -> Vec<Target> {
        let mut stride = 1;
        let mut targets: Vec<Target> = Vec::with_capacity(self.spec.output.len());
        for &label in self.spec.output.iter().rev() {
            targets.push(Target { label, size: self.sizes[&label], stride });
            stride *= self.sizes[&label];
        }
        targets.reverse();
        targets
    }

    /// The contraction as a program without allocations that writes where `targets` say; operands numbered in
    /// `constants` are read by [`Program::prepare`] where they have to be copied.
    pub fn compile(&self, constants: &[usize], targets: &[Target]) -> Program {
        let (inputs, output) = (&self.spec.inputs, &self.spec.output);
        Compiler { inputs, output, sizes: &self.sizes, constants }.compile(&self.steps, targets)
    }

    /// Contracts the operands, in the order of the text.
    ///
    /// # Errors
    /// Operands of another number or shape, or a result too large for the memory.
    pub fn run(&self, operands: &[ArrayViewD<f64>]) -> Result<ArrayD<f64>> {
        self.check(operands)?;
        let targets = self.contiguous();
        let shape: Vec<usize> = targets.iter().map(|t| t.size).collect();
        memory::check("the result of a contraction", &shape)?;
        let mut result = ArrayD::zeros(IxDyn(&shape));
        let owned: Vec<_> = operands.iter().map(|t| t.as_standard_layout()).collect();
        let slices: Vec<&[f64]> = owned.iter().map(c_order).collect();
        let program = self.compile(&[], &targets);
        memory::check("the products in between of a contraction", &[program.buffer_entries()])?;
        // Sums over no entries are 0.
        if !self.sizes.values().any(|&s| s == 0) {
            program.run(|i| slices[i], &mut program.buffers(), c_order_mut(&mut result), false);
        }
        Ok(result)
    }

    fn bad(&self, reason: &str) -> TensorError {
        TensorError::BadEinsum { text: self.spec.to_string(), reason: reason.to_owned() }
    }

    fn check(&self, operands: &[ArrayViewD<f64>]) -> Result<()> {
        if operands.len() != self.spec.inputs.len() {
            return Err(self.bad(&format!(
                "{} operands are given, {} named",
                operands.len(),
                self.spec.inputs.len()
            )));
        }
        for (t, labels) in operands.iter().zip(&self.spec.inputs) {
            let shape: Vec<usize> = labels.iter().map(|c| self.sizes[c]).collect();
            if t.shape() != shape.as_slice() {
                return Err(TensorError::ShapeMismatch {
                    operation: "einsum",
                    left: t.shape().to_vec(),
                    right: shape,
                    mend: format!("{} needs an operand of the second shape here", self.spec),
                });
            }
        }
        Ok(())
    }
}

/// Einstein summation, for one use: `einsum("ij,jk->ik", &[&a, &b])`.
///
/// # Errors
/// As [`Einsum::parse`] and [`Contraction::run`].
pub fn einsum(text: &str, operands: &[&ArrayD<f64>]) -> Result<ArrayD<f64>> {
    let spec = Einsum::parse(text)?;
    let mut sizes = BTreeMap::new();
    for (labels, t) in spec.inputs.iter().zip(operands) {
        if labels.len() != t.ndim() {
            return Err(TensorError::BadEinsum {
                text: text.to_owned(),
                reason: format!(
                    "operand '{}' has {} labels but shape {:?}",
                    labels.iter().collect::<String>(),
                    labels.len(),
                    t.shape()
                ),
            });
        }
        for (&c, &d) in labels.iter().zip(t.shape()) {
            let known = *sizes.entry(c).or_insert(d);
            if known != d {
                return Err(TensorError::BadEinsum {
                    text: text.to_owned(),
                    reason: format!("label '{c}' has size {known} in one operand and {d} in another"),
                });
            }
        }
    }
    let views: Vec<ArrayViewD<f64>> = operands.iter().map(|t| t.view()).collect();
    Contraction::new(&spec, &sizes)?.run(&views)
}
