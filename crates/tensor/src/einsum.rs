//! Einstein summation over any number of operands.
//!
//! Labels are single characters. A label that is not in the output is summed; a label may stand in
//! any number of operands (hyperedges, as in CP). The order of pairwise contractions is searched
//! exhaustively up to ten operands; each pair is one batched matrix product.

use std::collections::BTreeMap;

use ndarray::{Array2, ArrayD, ArrayView3, ArrayViewD, Axis, IxDyn, s};

use crate::algebra::{shaped, sum_axis};
use crate::order::OrderProblem;
use crate::{Result, TensorError};

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
        for (i, c) in spec.output.iter().enumerate() {
            if !spec.inputs.iter().flatten().any(|x| x == c) {
                return Err(bad(format!("output label '{c}' stands in no operand")));
            }
            if spec.output[..i].contains(c) {
                return Err(bad(format!("output label '{c}' stands twice in the output")));
            }
        }
        if spec.labels().len() > 64 {
            return Err(bad("more than 64 labels".into()));
        }
        Ok(spec)
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
    shapes: Vec<Vec<usize>>,
    steps: Vec<(usize, usize)>,
}

impl Contraction {
    /// Plans `spec` for the sizes of its labels.
    pub fn new(spec: &Einsum, sizes: &BTreeMap<char, usize>) -> Result<Self> {
        let labels = spec.labels();
        let size = |c: char| {
            sizes.get(&c).copied().ok_or_else(|| TensorError::BadEinsum {
                text: spec.to_string(),
                reason: format!("the size of label '{c}' is not given"),
            })
        };
        let log_size: Vec<f64> =
            labels.iter().map(|&c| size(c).map(|s| (s.max(1) as f64).ln())).collect::<Result<_>>()?;
        let bits = |set: &[char]| {
            set.iter().filter_map(|c| labels.iter().position(|l| l == c)).fold(0u64, |acc, i| acc | 1 << i)
        };
        let operands: Vec<u64> = spec.inputs.iter().map(|l| bits(l)).collect();
        let problem = OrderProblem { operands: &operands, output: bits(&spec.output), log_size: &log_size };
        let shapes = spec
            .inputs
            .iter()
            .map(|l| l.iter().map(|&c| size(c)).collect::<Result<Vec<usize>>>())
            .collect::<Result<_>>()?;
        Ok(Self { steps: problem.solve(), spec: spec.clone(), shapes })
    }

    /// Contracts the operands, in the order of the text.
    pub fn run(&self, operands: &[ArrayViewD<f64>]) -> Result<ArrayD<f64>> {
        self.check(operands)?;
        let mut slots: Vec<Option<Labelled>> = operands
            .iter()
            .zip(&self.spec.inputs)
            .map(|(t, l)| Some(Labelled { labels: l.clone(), tensor: t.to_owned() }.diagonal()))
            .collect();
        for &(i, j) in &self.steps {
            let (Some(a), Some(b)) = (slots[i].take(), slots[j].take()) else {
                return Err(self.bad("the contraction order uses an operand twice"));
            };
            let needed = |c: char| {
                self.spec.output.contains(&c) || slots.iter().flatten().any(|t| t.labels.contains(&c))
            };
            slots[i] = Some(contract_pair(a, b, needed));
        }
        let last = slots.into_iter().flatten().next().ok_or_else(|| self.bad("there is no operand"))?;
        let last = last.sum_out(|c| self.spec.output.contains(&c));
        Ok(last.permuted(&self.spec.output).as_standard_layout().into_owned())
    }

    fn bad(&self, reason: &str) -> TensorError {
        TensorError::BadEinsum { text: self.spec.to_string(), reason: reason.to_owned() }
    }

    fn check(&self, operands: &[ArrayViewD<f64>]) -> Result<()> {
        if operands.len() != self.shapes.len() {
            return Err(self.bad(&format!(
                "{} operands are given, {} named",
                operands.len(),
                self.shapes.len()
            )));
        }
        for (t, shape) in operands.iter().zip(&self.shapes) {
            if t.shape() != shape.as_slice() {
                return Err(TensorError::ShapeMismatch {
                    operation: "einsum",
                    left: t.shape().to_vec(),
                    right: shape.clone(),
                    mend: format!("{} needs an operand of the second shape here", self.spec),
                });
            }
        }
        Ok(())
    }
}

/// Einstein summation, for one use: `einsum("ij,jk->ik", &[&a, &b])`.
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

struct Labelled {
    labels: Vec<char>,
    tensor: ArrayD<f64>,
}

impl Labelled {
    /// Takes the diagonal over labels that stand twice in one operand.
    fn diagonal(mut self) -> Self {
        while let Some((i, j)) = repeated(&self.labels) {
            let size = self.tensor.shape()[i];
            let mut shape = self.tensor.shape().to_vec();
            shape.remove(j);
            let mut result = ArrayD::zeros(IxDyn(&shape));
            for v in 0..size {
                let slice = self.tensor.index_axis(Axis(j), v);
                result.index_axis_mut(Axis(i), v).assign(&slice.index_axis(Axis(i), v));
            }
            self.tensor = result;
            self.labels.remove(j);
        }
        self
    }

    /// Sums over the labels that `keep` does not want.
    fn sum_out(mut self, keep: impl Fn(char) -> bool) -> Self {
        for i in (0..self.labels.len()).rev() {
            if !keep(self.labels[i]) {
                self.tensor = sum_axis(&self.tensor, i);
                self.labels.remove(i);
            }
        }
        self
    }

    fn permuted(&self, order: &[char]) -> ArrayViewD<'_, f64> {
        let axes: Vec<usize> = order.iter().filter_map(|c| self.labels.iter().position(|l| l == c)).collect();
        self.tensor.view().permuted_axes(IxDyn(&axes))
    }

    fn sizes(&self, labels: &[char]) -> Vec<usize> {
        labels
            .iter()
            .filter_map(|c| self.labels.iter().position(|l| l == c))
            .map(|i| self.tensor.shape()[i])
            .collect()
    }
}

fn repeated(labels: &[char]) -> Option<(usize, usize)> {
    (0..labels.len()).find_map(|j| (0..j).find(|&i| labels[i] == labels[j]).map(|i| (i, j)))
}

/// Contracts two operands; `needed` says which labels the rest still uses.
fn contract_pair(a: Labelled, b: Labelled, needed: impl Fn(char) -> bool) -> Labelled {
    let a_labels = a.labels.clone();
    let b_labels = b.labels.clone();
    let a = a.sum_out(|c| needed(c) || b_labels.contains(&c));
    let b = b.sum_out(|c| needed(c) || a_labels.contains(&c));
    let pick = |from: &Labelled, f: &dyn Fn(char) -> bool| -> Vec<char> {
        from.labels.iter().copied().filter(|&c| f(c)).collect()
    };
    let batch = pick(&a, &|c| b.labels.contains(&c) && needed(c));
    let summed = pick(&a, &|c| b.labels.contains(&c) && !needed(c));
    let left = pick(&a, &|c| !b.labels.contains(&c));
    let right = pick(&b, &|c| !a.labels.contains(&c));

    let [nb, ns] = [&batch, &summed].map(|l| a.sizes(l).iter().product::<usize>());
    let nl: usize = a.sizes(&left).iter().product();
    let nr: usize = b.sizes(&right).iter().product();
    let ordered = |t: &Labelled, parts: [&[char]; 3], shape: (usize, usize, usize)| {
        let flat: Vec<f64> = t.permuted(&parts.concat()).iter().copied().collect();
        shaped(shape, flat)
    };
    let x = ordered(&a, [&batch, &left, &summed], (nb, nl, ns));
    let y = ordered(&b, [&batch, &summed, &right], (nb, ns, nr));
    let product = batched_matmul(&x.view(), &y.view());

    let mut shape = a.sizes(&batch);
    shape.extend(a.sizes(&left));
    shape.extend(b.sizes(&right));
    let labels = [batch, left, right].concat();
    Labelled { labels, tensor: shaped(IxDyn(&shape), product) }
}

/// `b×l×s` times `b×s×r`, flat in C order.
fn batched_matmul(x: &ArrayView3<f64>, y: &ArrayView3<f64>) -> Vec<f64> {
    let (nb, nl, _) = x.dim();
    let nr = y.dim().2;
    let mut out = ndarray::Array3::<f64>::zeros((nb, nl, nr));
    for k in 0..nb {
        let product: Array2<f64> = x.index_axis(Axis(0), k).dot(&y.index_axis(Axis(0), k));
        out.slice_mut(s![k, .., ..]).assign(&product);
    }
    out.into_raw_vec_and_offset().0
}
