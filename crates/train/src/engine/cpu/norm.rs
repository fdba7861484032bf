//! Batch normalisation fused with a residual and a clamp, rows by channels.

use rayon::prelude::*;

use super::real::{Real, zeros};
use crate::engine::{Activation, EPSILON};

/// Entries that are worked on together: 64 KiB of f32, half a first-level cache and more.
const BLOCK_ENTRIES: usize = 1 << 14;

/// Entries of whole rows.
fn block(channels: usize) -> usize {
    (BLOCK_ENTRIES / channels).max(1) * channels
}

/// The clamp of an activation whose derivative can be read off its value.
#[inline(always)]
fn clamp<T: Real>(v: T, activation: Activation) -> T {
    // Comparisons that a NaN passes, so that it shows.
    match activation {
        Activation::Relu | Activation::Relu6 if v < T::of(0.0) => T::of(0.0),
        Activation::Relu6 if v > T::of(6.0) => T::of(6.0),
        _ => v,
    }
}

/// Whether the derivative of the clamp is 1 where its value is y.
#[inline(always)]
fn passes<T: Real>(y: T, activation: Activation) -> bool {
    match activation {
        Activation::Relu => y > T::of(0.0),
        Activation::Relu6 => y > T::of(0.0) && y < T::of(6.0),
        _ => true,
    }
}

/// Mean and biased variance of every channel: block by block around the block's own mean, then joined (Chan, Golub &
/// LeVeque 1979), so that large means lose no digits.
pub fn moments<T: Real>(x: &[T], channels: usize) -> (Vec<f64>, Vec<f64>) {
    let parts: Vec<(f64, Vec<T>, Vec<T>)> = x
        .par_chunks(block(channels))
        .map(|x| {
            let rows = x.len() / channels;
            let (mut mean, mut squares) = (zeros::<T>(channels), zeros::<T>(channels));
            for row in x.chunks_exact(channels) {
                mean.iter_mut().zip(row).for_each(|(m, v)| *m += *v);
            }
            let share = T::of(1.0 / rows as f64);
            mean.iter_mut().for_each(|m| *m *= share);
            for row in x.chunks_exact(channels) {
                for ((s, v), m) in squares.iter_mut().zip(row).zip(&mean) {
                    *s += (*v - *m) * (*v - *m);
                }
            }
            (rows as f64, mean, squares)
        })
        .collect();
    let (mut n, mut mean, mut squares) = (0.0, vec![0.0; channels], vec![0.0; channels]);
    for (rows, own, own_squares) in parts {
        let total = n + rows;
        for c in 0..channels {
            let delta = own[c].double() - mean[c];
            mean[c] += delta * rows / total;
            squares[c] += own_squares[c].double() + delta * delta * n * rows / total;
        }
        n = total;
    }
    squares.iter_mut().for_each(|s| *s /= n);
    (mean, squares)
}

/// `1/√(variance + ε)`.
pub fn inverse_deviation(variance: &[f64]) -> Vec<f64> {
    variance.iter().map(|v| 1.0 / (v + EPSILON).sqrt()).collect()
}

/// `clamp(scale x + shift + residual)`.
pub fn forward<T: Real>(
    x: &[T],
    scale: &[T],
    shift: &[T],
    residual: Option<&[T]>,
    activation: Activation,
) -> Vec<T> {
    let (channels, mut y) = (scale.len(), zeros(x.len()));
    let size = block(channels);
    y.par_chunks_mut(size).zip(x.par_chunks(size)).enumerate().for_each(|(i, (y, x))| {
        let rows = y.chunks_exact_mut(channels).zip(x.chunks_exact(channels));
        if let Some(z) = residual {
            let z = &z[i * size..i * size + x.len()];
            for ((y, x), z) in rows.zip(z.chunks_exact(channels)) {
                for ((((y, x), a), b), z) in y.iter_mut().zip(x).zip(scale).zip(shift).zip(z) {
                    *y = clamp(*x * *a + *b + *z, activation);
                }
            }
        } else {
            for (y, x) in rows {
                for (((y, x), a), b) in y.iter_mut().zip(x).zip(scale).zip(shift) {
                    *y = clamp(*x * *a + *b, activation);
                }
            }
        }
    });
    y
}

/// Derivatives by x, γ, β and the residual.
pub struct Backward<T> {
    pub x: Vec<T>,
    pub gamma: Vec<T>,
    pub beta: Vec<T>,
    pub residual: Option<Vec<T>>,
}

/// Backward of [`forward`] with the batch's statistics: with `g` the derivative behind the clamp and `x̂` the normalised
/// input, `dx = γ/σ (g − mean g − x̂ mean(g x̂))`.
pub fn backward<T: Real>(
    [dy, x, y]: [&[T]; 3],
    gamma: &[T],
    mean: &[T],
    inverse: &[T],
    has_residual: bool,
    activation: Activation,
) -> Backward<T> {
    let channels = gamma.len();
    let size = block(channels);
    // Sums of g and of g x̂, block by block and joined in order.
    let parts: Vec<(Vec<T>, Vec<T>)> = dy
        .par_chunks(size)
        .zip(x.par_chunks(size))
        .zip(y.par_chunks(size))
        .map(|((dy, x), y)| {
            let (mut sum, mut product) = (zeros::<T>(channels), zeros::<T>(channels));
            for ((dy, x), y) in
                dy.chunks_exact(channels).zip(x.chunks_exact(channels)).zip(y.chunks_exact(channels))
            {
                for c in 0..channels {
                    let g = if passes(y[c], activation) { dy[c] } else { T::of(0.0) };
                    sum[c] += g;
                    product[c] += g * (x[c] - mean[c]);
                }
            }
            (sum, product)
        })
        .collect();
    let (mut sum, mut product) = (vec![0.0; channels], vec![0.0; channels]);
    for (s, p) in parts {
        sum.iter_mut().zip(s).for_each(|(a, b)| *a += b.double());
        product.iter_mut().zip(p).for_each(|(a, b)| *a += b.double());
    }
    product.iter_mut().zip(inverse).for_each(|(p, i)| *p *= i.double());
    let rows = (dy.len() / channels) as f64;
    // dx = a g + b x + c by channel.
    let a: Vec<T> = gamma.iter().zip(inverse).map(|(g, i)| *g * *i).collect();
    let b: Vec<T> =
        (0..channels).map(|c| T::of(-a[c].double() * inverse[c].double() * product[c] / rows)).collect();
    let shift: Vec<T> = (0..channels)
        .map(|c| T::of(-a[c].double() * sum[c] / rows - b[c].double() * mean[c].double()))
        .collect();
    let mut dx = zeros(dy.len());
    let mut residual = if has_residual { zeros(dy.len()) } else { Vec::new() };
    let blocks = dx.par_chunks_mut(size).zip(dy.par_chunks(size)).zip(x.par_chunks(size)).zip(y.par_chunks(size));
    let fill = |dx: &mut [T], dy: &[T], x: &[T], y: &[T], dz: Option<&mut [T]>| {
        for (i, dx) in dx.chunks_exact_mut(channels).enumerate() {
            let at = i * channels..(i + 1) * channels;
            let (dy, x, y) = (&dy[at.clone()], &x[at.clone()], &y[at]);
            for c in 0..channels {
                let g = if passes(y[c], activation) { dy[c] } else { T::of(0.0) };
                dx[c] = a[c] * g + b[c] * x[c] + shift[c];
            }
        }
        if let Some(dz) = dz {
            for ((dz, dy), y) in dz.iter_mut().zip(dy).zip(y) {
                *dz = if passes(*y, activation) { *dy } else { T::of(0.0) };
            }
        }
    };
    if has_residual {
        blocks
            .zip(residual.par_chunks_mut(size))
            .for_each(|((((dx, dy), x), y), dz)| fill(dx, dy, x, y, Some(dz)));
    } else {
        blocks.for_each(|(((dx, dy), x), y)| fill(dx, dy, x, y, None));
    }
    let of = |v: Vec<f64>| v.into_iter().map(T::of).collect();
    Backward { x: dx, gamma: of(product), beta: of(sum), residual: has_residual.then_some(residual) }
}
