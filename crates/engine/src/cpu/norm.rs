//! Batch normalisation fused with a residual and a clamp, rows by channels.

// Kernels take the slices they run over, and helpers have to be inside the version compiled for a processor.
#![allow(clippy::too_many_arguments, clippy::inline_always)]

use rayon::prelude::*;

use super::real::{Real, unwritten, zeros};
use super::simd::dispatch;
use crate::{Activation, EPSILON};

/// Entries that are worked on together: 64 KiB of f32, half a first-level cache and more.
const BLOCK_ENTRIES: usize = 1 << 14;

/// Entries of whole rows.
fn block(channels: usize) -> usize {
    (BLOCK_ENTRIES / channels).max(1) * channels
}

macro_rules! kernels {
    ($t:ident, $module:ident) => {
        mod $module {
            use crate::Activation;

            /// The clamp of an activation whose derivative can be read off its value. Comparisons that a NaN passes, so
            /// that it shows.
            #[inline(always)]
            fn clamp(v: $t, high: $t) -> $t {
                let v = if v < 0.0 { 0.0 } else { v };
                if v > high { high } else { v }
            }

            /// The derivative behind the clamp.
            #[inline(always)]
            fn masked(dy: $t, y: $t, high: $t) -> $t {
                if y > 0.0 && y < high { dy } else { 0.0 }
            }

            fn ceiling(activation: Activation) -> $t {
                if activation == Activation::Relu6 { 6.0 } else { $t::INFINITY }
            }

            #[multiversion::multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn add_rows(x: &[$t], sum: &mut [$t]) {
                for row in x.chunks_exact(sum.len()) {
                    sum.iter_mut().zip(row).for_each(|(s, v)| *s += *v);
                }
            }

            #[multiversion::multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn add_squares(x: &[$t], mean: &[$t], squares: &mut [$t]) {
                for row in x.chunks_exact(mean.len()) {
                    for ((s, v), m) in squares.iter_mut().zip(row).zip(mean) {
                        let d = *v - *m;
                        *s += d * d;
                    }
                }
            }

            #[multiversion::multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn scale_rows(
                activation: Activation,
                x: &[$t],
                z: &[$t],
                scale: &[$t],
                shift: &[$t],
                y: &mut [$t],
            ) {
                let (c, high) = (scale.len(), ceiling(activation));
                let clamps = activation != Activation::Identity;
                for (i, y) in y.chunks_exact_mut(c).enumerate() {
                    let x = &x[i * c..(i + 1) * c];
                    for (((y, x), a), b) in y.iter_mut().zip(x).zip(scale).zip(shift) {
                        *y = *x * *a + *b;
                    }
                    if !z.is_empty() {
                        y.iter_mut().zip(&z[i * c..(i + 1) * c]).for_each(|(y, z)| *y += *z);
                    }
                    if clamps {
                        y.iter_mut().for_each(|y| *y = clamp(*y, high));
                    }
                }
            }

            /// Sums of g and of g (x − mean).
            #[multiversion::multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn add_gradients(
                activation: Activation,
                dy: &[$t],
                x: &[$t],
                y: &[$t],
                mean: &[$t],
                sum: &mut [$t],
                product: &mut [$t],
            ) {
                let (c, high) = (mean.len(), ceiling(activation));
                let clamps = activation != Activation::Identity;
                for ((dy, x), y) in dy.chunks_exact(c).zip(x.chunks_exact(c)).zip(y.chunks_exact(c)) {
                    let entries = sum.iter_mut().zip(product.iter_mut()).zip(dy).zip(x).zip(y).zip(mean);
                    if clamps {
                        for (((((s, p), d), x), y), m) in entries {
                            let g = masked(*d, *y, high);
                            *s += g;
                            *p += g * (*x - *m);
                        }
                    } else {
                        for (((((s, p), d), x), _), m) in entries {
                            *s += *d;
                            *p += *d * (*x - *m);
                        }
                    }
                }
            }

            /// `dx = a g + b x + c`, and g itself to `dz` if that is not empty.
            #[multiversion::multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn input_gradients(
                activation: Activation,
                dy: &[$t],
                x: &[$t],
                y: &[$t],
                a: &[$t],
                b: &[$t],
                shift: &[$t],
                dx: &mut [$t],
                dz: &mut [$t],
            ) {
                let (c, high) = (a.len(), ceiling(activation));
                let clamps = activation != Activation::Identity;
                for (i, dx) in dx.chunks_exact_mut(c).enumerate() {
                    let at = i * c..(i + 1) * c;
                    let (dy, x, y) = (&dy[at.clone()], &x[at.clone()], &y[at.clone()]);
                    let entries = dx.iter_mut().zip(dy).zip(x).zip(y).zip(a).zip(b).zip(shift);
                    if clamps {
                        for ((((((dx, d), x), y), a), b), s) in entries {
                            *dx = *a * masked(*d, *y, high) + *b * *x + *s;
                        }
                    } else {
                        for ((((((dx, d), x), _), a), b), s) in entries {
                            *dx = *a * *d + *b * *x + *s;
                        }
                    }
                    if !dz.is_empty() {
                        let dz = &mut dz[at];
                        if clamps {
                            dz.iter_mut().zip(dy).zip(y).for_each(|((z, d), y)| *z = masked(*d, *y, high));
                        } else {
                            dz.copy_from_slice(dy);
                        }
                    }
                }
            }
        }
    };
}

kernels!(f32, single);
kernels!(f64, double);

dispatch! {
    /// Adds the rows of x to `sum`.
    add_rows(; x; sum)
}
dispatch! {
    /// Adds the squares of the rows of x around `mean`.
    add_squares(; x, mean; squares)
}
dispatch! {
    /// `clamp(scale x + shift + z)`, z left out if it is empty.
    scale_rows(activation: Activation; x, z, scale, shift; y)
}
dispatch! {
    /// Adds up g and g (x − mean), g the derivative behind the clamp.
    add_gradients(activation: Activation; dy, x, y, mean; sum, product)
}
dispatch! {
    /// `dx = a g + b x + shift`, and g to `dz` if that is not empty.
    input_gradients(activation: Activation; dy, x, y, a, b, shift; dx, dz)
}

/// Mean and biased variance of every channel: block by block around the block's own mean, then joined (Chan, Golub &
/// LeVeque 1979), so that large means lose no digits.
pub fn moments<T: Real>(x: &[T], channels: usize) -> (Vec<f64>, Vec<f64>) {
    let parts: Vec<(f64, Vec<T>, Vec<T>)> = x
        .par_chunks(block(channels))
        .map(|x| {
            let rows = x.len() / channels;
            let (mut mean, mut squares) = (zeros::<T>(channels), zeros::<T>(channels));
            add_rows(x, &mut mean);
            let share = T::of(1.0 / rows as f64);
            mean.iter_mut().for_each(|m| *m *= share);
            add_squares(x, &mean, &mut squares);
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
    let channels = scale.len();
    // SAFETY: every row is a scaled row of x.
    let mut y = unsafe { unwritten(x.len()) };
    let size = block(channels);
    y.par_chunks_mut(size).zip(x.par_chunks(size)).enumerate().for_each(|(i, (y, x))| {
        let z = residual.map_or(&[][..], |z| &z[i * size..i * size + x.len()]);
        scale_rows(activation, x, z, scale, shift, y);
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
            add_gradients(activation, dy, x, y, mean, &mut sum, &mut product);
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
    // SAFETY: every row of both is set to a row of derivatives.
    let (mut dx, mut residual) =
        unsafe { (unwritten(dy.len()), if has_residual { unwritten(dy.len()) } else { Vec::new() }) };
    let blocks =
        dx.par_chunks_mut(size).zip(dy.par_chunks(size)).zip(x.par_chunks(size)).zip(y.par_chunks(size));
    if has_residual {
        blocks.zip(residual.par_chunks_mut(size)).for_each(|((((dx, dy), x), y), dz)| {
            input_gradients(activation, dy, x, y, &a, &b, &shift, dx, dz);
        });
    } else {
        blocks.for_each(|(((dx, dy), x), y)| {
            input_gradients(activation, dy, x, y, &a, &b, &shift, dx, &mut []);
        });
    }
    let of = |v: Vec<f64>| v.into_iter().map(T::of).collect();
    Backward { x: dx, gamma: of(product), beta: of(sum), residual: has_residual.then_some(residual) }
}
