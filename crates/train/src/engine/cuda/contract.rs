//! Tensor networks of small factors, two at a time, the cheapest pair first.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};
use convstat_tensor::Einsum;

use super::Cuda;
use super::gpu::Arg::{At, Long, Struct};
use super::gpu::{Plain, bytes_of, pointer};
use crate::{Result, TrainError};

/// Most axes of a contraction of two.
const MOST: usize = 16;

/// Sizes and strides as the kernel reads them: the axes of the result, then those summed over.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Axes {
    outer: i32,
    inner: i32,
    size: [u32; MOST],
    a: [u32; MOST],
    b: [u32; MOST],
}
// SAFETY: integers only, without padding.
unsafe impl Plain for Axes {}

type Labels = Vec<char>;

/// The contraction of f32 tensors.
///
/// # Errors
/// Sizes of a label that differ between operands; more labels than the kernel has room for.
pub fn contract(cuda: &Cuda, network: &Einsum, operands: Vec<Tensor>) -> Result<Tensor> {
    let mut sizes: BTreeMap<char, usize> = BTreeMap::new();
    for (labels, operand) in network.inputs.iter().zip(&operands) {
        for (&label, &size) in labels.iter().zip(operand.dims()) {
            if *sizes.entry(label).or_insert(size) != size {
                let reason = format!("sizes of label '{label}' differ in {network}");
                return Err(TrainError::shape("composed weights", reason));
            }
        }
    }
    let mut all: Vec<(Labels, Tensor)> = network.inputs.iter().cloned().zip(operands).collect();
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
        let y = pair(cuda, &sizes, (&la, &a), (&lb, &b), &kept)?;
        all.push((kept, y));
    }
    match all.pop() {
        Some((labels, t)) if labels == network.output => Ok(t),
        Some((labels, t)) => {
            let one = cuda.constant_one()?;
            pair(cuda, &sizes, (&labels, &t), (&Vec::new(), &one), &network.output)
        }
        None => Err(TrainError::shape("composed weights", "no factors")),
    }
}

fn joined(a: &Labels, b: &Labels) -> Labels {
    let mut all = a.clone();
    all.extend(b);
    all.sort_unstable();
    all.dedup();
    all
}

/// Entries from one index of each label to the next.
fn strides(labels: &Labels, t: &Tensor) -> BTreeMap<char, usize> {
    let mut all = BTreeMap::new();
    let mut step = 1;
    for (label, size) in labels.iter().zip(t.dims()).rev() {
        *all.entry(*label).or_insert(0) += step;
        step *= size;
    }
    all
}

fn pair(
    cuda: &Cuda,
    sizes: &BTreeMap<char, usize>,
    (la, a): (&Labels, &Tensor),
    (lb, b): (&Labels, &Tensor),
    output: &Labels,
) -> Result<Tensor> {
    let summed: Labels = joined(la, lb).into_iter().filter(|l| !output.contains(l)).collect();
    let labels = [output.as_slice(), &summed].concat();
    if labels.len() > MOST {
        return Err(TrainError::shape(
            "composed weights",
            format!("more than {MOST} labels in one contraction"),
        ));
    }
    let (sa, sb) = (strides(la, a), strides(lb, b));
    let column = |of: &dyn Fn(&char) -> usize| {
        let mut values = [0u32; MOST];
        values.iter_mut().zip(&labels).for_each(|(v, l)| *v = of(l) as u32);
        values
    };
    let axes = [Axes {
        outer: output.len() as i32,
        inner: summed.len() as i32,
        size: column(&|l| sizes[l]),
        a: column(&|l| sa.get(l).copied().unwrap_or(0)),
        b: column(&|l| sb.get(l).copied().unwrap_or(0)),
    }];
    let shape: Vec<usize> = output.iter().map(|l| sizes[l]).collect();
    let terms: usize = summed.iter().map(|l| sizes[l]).product();
    let y = cuda.gpu.empty(DType::F32, &shape)?;
    let n = shape.iter().product();
    let args =
        [At(pointer(a)?), At(pointer(b)?), At(pointer(&y)?), Struct(bytes_of(&axes)), Long(n), Long(terms)];
    cuda.gpu.over("contract", n, 1, &args)?;
    Ok(y)
}
