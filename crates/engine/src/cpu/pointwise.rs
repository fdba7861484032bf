//! Functions of single entries, sums over rows, the loss.

use rayon::prelude::*;

use super::real::{Real, unwritten, zeros};
use crate::Activation;

/// Entries that one thread works on at a time.
const BLOCK: usize = 1 << 15;

/// Abramowitz and Stegun's 7.1.26 is too coarse for f64: the complementary error function by libm.
fn normal_distribution(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

fn value(x: f64, activation: Activation) -> f64 {
    match activation {
        Activation::Identity => x,
        Activation::Relu => x.max(0.0),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Tanh => x.tanh(),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
        Activation::Gelu => x * normal_distribution(x),
    }
}

fn slope(x: f64, activation: Activation) -> f64 {
    let sigmoid = 1.0 / (1.0 + (-x).exp());
    match activation {
        Activation::Identity => 1.0,
        Activation::Relu => f64::from(x > 0.0),
        Activation::Relu6 => f64::from(x > 0.0 && x < 6.0),
        Activation::Silu => sigmoid * (1.0 + x * (1.0 - sigmoid)),
        Activation::Tanh => 1.0 - x.tanh() * x.tanh(),
        Activation::Sigmoid => sigmoid * (1.0 - sigmoid),
        Activation::Gelu => {
            normal_distribution(x) + x * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
        }
    }
}

/// The function of every entry.
pub fn activate<T: Real>(x: &[T], activation: Activation) -> Vec<T> {
    x.par_iter().with_min_len(BLOCK).map(|v| T::of(value(v.double(), activation))).collect()
}

/// `dy` times the slope at x.
pub fn activate_backward<T: Real>(dy: &[T], x: &[T], activation: Activation) -> Vec<T> {
    let all = dy.par_iter().with_min_len(BLOCK).zip(x);
    all.map(|(d, v)| *d * T::of(slope(v.double(), activation))).collect()
}

/// `a + b`.
pub fn add<T: Real>(a: &[T], b: &[T]) -> Vec<T> {
    // SAFETY: every entry is set to a sum.
    let mut sum = unsafe { unwritten(a.len()) };
    let blocks = sum.par_chunks_mut(BLOCK).zip(a.par_chunks(BLOCK)).zip(b.par_chunks(BLOCK));
    blocks.for_each(|((s, a), b)| s.iter_mut().zip(a).zip(b).for_each(|((s, a), b)| *s = *a + *b));
    sum
}

/// Every row of x plus b.
pub fn add_bias<T: Real>(x: &[T], b: &[T]) -> Vec<T> {
    x.chunks_exact(b.len()).flat_map(|row| row.iter().zip(b).map(|(x, b)| *x + *b)).collect()
}

/// Sum of the rows.
pub fn sum_rows<T: Real>(x: &[T], channels: usize) -> Vec<T> {
    let mut sum = zeros(channels);
    for row in x.chunks_exact(channels) {
        sum.iter_mut().zip(row).for_each(|(s, v)| *s += *v);
    }
    sum
}

/// Channels as `(groups, C / groups)`, transposed.
pub fn shuffle<T: Real>(x: &[T], channels: usize, groups: usize) -> Vec<T> {
    let each = channels / groups;
    // SAFETY: every row is a permutation of a row of x.
    let mut y = unsafe { unwritten(x.len()) };
    let rows =
        y.par_chunks_exact_mut(channels).with_min_len(BLOCK / channels + 1).zip(x.par_chunks_exact(channels));
    rows.for_each(|(y, x)| {
        for g in 0..groups {
            for i in 0..each {
                y[i * groups + g] = x[g * each + i];
            }
        }
    });
    y
}

/// Mean cross-entropy with labels smoothed by `smoothing`, and its derivative.
pub fn cross_entropy<T: Real>(logits: &[T], labels: &[u32], smoothing: f64) -> (f64, Vec<T>) {
    let classes = logits.len() / labels.len();
    let (share, rest) = (1.0 / labels.len() as f64, smoothing / classes as f64);
    let mut gradient = Vec::with_capacity(logits.len());
    let mut loss = 0.0;
    for (row, &label) in logits.chunks_exact(classes).zip(labels) {
        let most = row.iter().map(|v| v.double()).fold(f64::NEG_INFINITY, f64::max);
        let total: f64 = row.iter().map(|v| (v.double() - most).exp()).sum();
        let log_total = most + total.ln();
        for (c, v) in row.iter().enumerate() {
            let target = rest + if c == label as usize { 1.0 - smoothing } else { 0.0 };
            let log_probability = v.double() - log_total;
            loss -= share * target * log_probability;
            gradient.push(T::of(share * (log_probability.exp() - target)));
        }
    }
    (loss, gradient)
}
