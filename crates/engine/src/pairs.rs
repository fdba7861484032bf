//! Tensor networks of small factors on a device: two at a time, the cheapest pair first, each as a matrix product where it is
//! one.

use std::collections::BTreeMap;

use convstat_tensor::Einsum;

use crate::{EngineError, Result};

/// Labels of axes.
pub type Labels = Vec<char>;

/// A sum of products of two tensors as loops: the axes of the result, then those summed over, each with its size and the
/// entries from one index to the next in both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loops {
    /// Axes of the result; the rest are summed over.
    pub outer: usize,
    /// Size, step in a, step in b of every axis.
    pub axes: Vec<[usize; 3]>,
}

/// What a device has to do.
pub trait Kernels {
    /// A tensor in its memory.
    type Tensor: Clone;
    /// The loops, as they are written.
    fn sum(&self, a: &Self::Tensor, b: &Self::Tensor, loops: &Loops) -> Result<Self::Tensor>;
    /// `(batch, m, k)` times `(batch, k, n)`, giving `(batch, m, n)`.
    fn product(
        &self,
        a: &Self::Tensor,
        b: &Self::Tensor,
        batch: usize,
        sides: [usize; 3],
    ) -> Result<Self::Tensor>;
    /// A tensor of one entry that is 1.
    fn one(&self) -> Result<Self::Tensor>;
}

/// Products of fewer terms than this are loops: putting axes in order costs launches.
const FEW: usize = 1 << 14;

/// The contraction of tensors in C order, whose axes have these sizes, and the sizes of its own.
///
/// # Errors
/// Sizes of a label that differ between operands; no operand.
pub fn contract<K: Kernels>(
    device: &K,
    network: &Einsum,
    operands: Vec<(K::Tensor, Vec<usize>)>,
) -> Result<(K::Tensor, Vec<usize>)> {
    let mut sizes: BTreeMap<char, usize> = BTreeMap::new();
    for (labels, (_, dims)) in network.inputs.iter().zip(&operands) {
        for (&label, &size) in labels.iter().zip(dims) {
            if *sizes.entry(label).or_insert(size) != size {
                let reason = format!("sizes of label '{label}' differ in {network}");
                return Err(EngineError::shape("composed weights", reason));
            }
        }
    }
    let tensors = operands.into_iter().map(|(t, _)| t);
    let mut all: Vec<(Labels, K::Tensor)> = network.inputs.iter().cloned().zip(tensors).collect();
    let cost = |labels: &Labels| labels.iter().map(|l| sizes[l] as f64).product::<f64>();
    while all.len() > 1 {
        let mut best: Option<(f64, usize, usize, Labels)> = None;
        for i in 0..all.len() {
            for j in i + 1..all.len() {
                let kept = |l: &char| {
                    let others = all.iter().enumerate().filter(|(k, _)| *k != i && *k != j);
                    network.output.contains(l) || others.map(|(_, (labels, _))| labels).any(|o| o.contains(l))
                };
                let joined = joined(&all[i].0, &all[j].0);
                let price = cost(&joined);
                if best.as_ref().is_none_or(|(known, ..)| price < *known) {
                    best = Some((price, i, j, joined.into_iter().filter(kept).collect()));
                }
            }
        }
        let Some((_, i, j, mut kept)) = best else { break };
        if all.len() == 2 {
            kept.clone_from(&network.output);
        }
        let (lb, b) = all.remove(j);
        let (la, a) = all.remove(i);
        let y = pair(device, &sizes, (&la, &a), (&lb, &b), &kept)?;
        all.push((kept, y));
    }
    match all.pop() {
        Some((labels, t)) => {
            let y = arranged(device, &sizes, &labels, t, &network.output)?;
            Ok((y, network.output.iter().map(|l| sizes[l]).collect()))
        }
        None => Err(EngineError::shape("composed weights", "no factors")),
    }
}

/// Labels of both, each once.
fn joined(a: &Labels, b: &Labels) -> Labels {
    let mut all = a.clone();
    all.extend(b);
    all.sort_unstable();
    all.dedup();
    all
}

/// The tensor with its axes in another order; those that are not wanted are summed over.
fn arranged<K: Kernels>(
    device: &K,
    sizes: &BTreeMap<char, usize>,
    labels: &Labels,
    t: K::Tensor,
    order: &Labels,
) -> Result<K::Tensor> {
    if labels == order {
        return Ok(t);
    }
    looped(device, sizes, (labels, &t), (&Vec::new(), &device.one()?), order)
}

/// Entries from one index of each label to the next; a label twice is a diagonal.
fn steps(sizes: &BTreeMap<char, usize>, labels: &Labels) -> BTreeMap<char, usize> {
    let mut all = BTreeMap::new();
    let mut step = 1;
    for label in labels.iter().rev() {
        *all.entry(*label).or_insert(0) += step;
        step *= sizes[label];
    }
    all
}

/// A sum of products of two as loops.
fn looped<K: Kernels>(
    device: &K,
    sizes: &BTreeMap<char, usize>,
    (la, a): (&Labels, &K::Tensor),
    (lb, b): (&Labels, &K::Tensor),
    output: &Labels,
) -> Result<K::Tensor> {
    let summed = joined(la, lb).into_iter().filter(|l| !output.contains(l));
    let (sa, sb) = (steps(sizes, la), steps(sizes, lb));
    let step = |of: &BTreeMap<char, usize>, l: &char| of.get(l).copied().unwrap_or(0);
    let axes = output.iter().copied().chain(summed);
    let axes = axes.map(|l| [sizes[&l], step(&sa, &l), step(&sb, &l)]).collect();
    device.sum(a, b, &Loops { outer: output.len(), axes })
}

/// A sum of products of two: as a matrix product where every label is in both or in the result, once.
fn pair<K: Kernels>(
    device: &K,
    sizes: &BTreeMap<char, usize>,
    (la, a): (&Labels, &K::Tensor),
    (lb, b): (&Labels, &K::Tensor),
    output: &Labels,
) -> Result<K::Tensor> {
    let all = joined(la, lb);
    let terms: usize = all.iter().map(|l| sizes[l]).product();
    let once = |labels: &Labels| joined(labels, &Vec::new()).len() == labels.len();
    let alone = |l: &char| !(output.contains(l) || la.contains(l) && lb.contains(l));
    if terms < FEW || !once(la) || !once(lb) || all.iter().any(alone) {
        return looped(device, sizes, (la, a), (lb, b), output);
    }
    let select = |in_a: bool, in_b: bool, kept: bool| -> Labels {
        let of = |l: &&char| la.contains(l) == in_a && lb.contains(l) == in_b && output.contains(l) == kept;
        all.iter().filter(of).copied().collect()
    };
    let (batch, rows) = (select(true, true, true), select(true, false, true));
    let (columns, inner) = (select(false, true, true), select(true, true, false));
    let size = |labels: &Labels| labels.iter().map(|l| sizes[l]).product::<usize>();
    let a = arranged(device, sizes, la, a.clone(), &[&batch[..], &rows, &inner].concat())?;
    let b = arranged(device, sizes, lb, b.clone(), &[&batch[..], &inner, &columns].concat())?;
    let y = device.product(&a, &b, size(&batch), [size(&rows), size(&columns), size(&inner)])?;
    arranged(device, sizes, &[&batch[..], &rows, &columns].concat(), y, output)
}

#[cfg(test)]
mod tests {
    use super::*;
    use convstat_tensor::einsum;
    use ndarray::{ArrayD, IxDyn};

    /// Loops and products as a device does them, on vectors.
    struct Plain;

    impl Kernels for Plain {
        type Tensor = Vec<f64>;

        fn sum(&self, a: &Vec<f64>, b: &Vec<f64>, loops: &Loops) -> Result<Vec<f64>> {
            let (outer, inner) = loops.axes.split_at(loops.outer);
            let places = |axes: &[[usize; 3]]| -> Vec<[usize; 2]> {
                axes.iter().fold(vec![[0, 0]], |places, &[size, sa, sb]| {
                    places
                        .iter()
                        .flat_map(|&[p, q]| (0..size).map(move |i| [p + i * sa, q + i * sb]))
                        .collect()
                })
            };
            let inner = places(inner);
            let entry = |[p, q]: [usize; 2]| inner.iter().map(|[s, t]| a[p + s] * b[q + t]).sum();
            Ok(places(outer).into_iter().map(entry).collect())
        }

        fn product(
            &self,
            a: &Vec<f64>,
            b: &Vec<f64>,
            batch: usize,
            [m, n, k]: [usize; 3],
        ) -> Result<Vec<f64>> {
            assert_eq!((a.len(), b.len()), (batch * m * k, batch * k * n));
            let entry = |at: usize| {
                let (g, i, j) = (at / (m * n), at / n % m, at % n);
                (0..k).map(|l| a[(g * m + i) * k + l] * b[(g * k + l) * n + j]).sum()
            };
            Ok((0..batch * m * n).map(entry).collect())
        }

        fn one(&self) -> Result<Vec<f64>> {
            Ok(vec![1.0])
        }
    }

    #[test]
    fn agrees_with_the_tensor_crate() {
        // Large enough for products, with batches, outer products, sums over a label of one factor, diagonals, one operand.
        for (text, shapes) in [
            ("xyz,ax,by,cz->abc", vec![vec![4, 5, 6], vec![30, 4], vec![20, 5], vec![25, 6]]),
            ("ar,br,cr->abc", vec![vec![30, 16], vec![20, 16], vec![25, 16]]),
            ("ar,br,cr->rabc", vec![vec![12, 6], vec![9, 6], vec![8, 6]]),
            ("ax,xby,yc->cab", vec![vec![40, 8], vec![8, 30, 9], vec![9, 20]]),
            ("gab,gbc->cga", vec![vec![5, 30, 20], vec![5, 20, 25]]),
            ("ab,cd->adcb", vec![vec![15, 12], vec![14, 16]]),
            ("ab,cd->a", vec![vec![150, 12], vec![14, 16]]),
            ("kr,rabc->kabc", vec![vec![64, 12], vec![12, 3, 3, 40]]),
            ("aab,bc->ac", vec![vec![20, 20, 30], vec![30, 40]]),
            ("abc->cab", vec![vec![30, 20, 10]]),
            ("abc->b", vec![vec![3, 4, 5]]),
            ("a,a->", vec![vec![20_000], vec![20_000]]),
        ] {
            let network = Einsum::parse(text).unwrap();
            let mut next = 0u64;
            let mut draw = || {
                next = next.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                (next >> 40) as f64 / f64::from(1 << 23) - 1.0
            };
            let arrays: Vec<ArrayD<f64>> =
                shapes.iter().map(|s| ArrayD::from_shape_simple_fn(IxDyn(s), &mut draw)).collect();
            let operands = arrays.iter().map(|a| (a.iter().copied().collect(), a.shape().to_vec())).collect();
            let (found, shape) = contract(&Plain, &network, operands).unwrap();
            let expected = einsum(text, &arrays.iter().collect::<Vec<_>>()).unwrap();
            assert_eq!(shape, expected.shape(), "{text}");
            assert_eq!(found.len(), expected.len(), "{text}");
            let scale = expected.iter().fold(1.0, |m: f64, v| m.max(v.abs()));
            for (a, b) in found.iter().zip(&expected) {
                assert!((a - b).abs() < 1e-12 * scale, "{text}: {a} instead of {b}");
            }
        }
    }

    #[test]
    fn sizes_that_differ() {
        let network = Einsum::parse("ab,bc->ac").unwrap();
        let operands = vec![(vec![0.0; 6], vec![2, 3]), (vec![0.0; 8], vec![4, 2])];
        assert!(contract(&Plain, &network, operands).unwrap_err().to_string().contains("label 'b'"));
    }
}
