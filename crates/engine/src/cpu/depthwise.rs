//! Depthwise convolution: every channel with its own kernel, channels side by side in vectors.

// Helpers have to be inside the version compiled for a processor.
#![allow(clippy::inline_always)]

use super::real::{Real, zeros};
use super::simd::dispatch;
use crate::Window;

/// Channels that are summed up in registers together.
const LANE: usize = 32;

/// `(C, taps)` as `(taps, C)`.
pub fn by_tap<T: Real>(w: &[T], channels: usize) -> Vec<T> {
    transpose(w, channels)
}

/// `(taps, C)` as `(C, taps)`.
pub fn by_channel<T: Real>(w: &[T], channels: usize) -> Vec<T> {
    transpose(w, w.len() / channels)
}

fn transpose<T: Real>(a: &[T], rows: usize) -> Vec<T> {
    let cols = a.len() / rows;
    let mut t = zeros(a.len());
    for i in 0..rows {
        for j in 0..cols {
            t[j * rows + i] = a[i * cols + j];
        }
    }
    t
}

/// `acc += x w`, entry by entry.
#[inline(always)]
fn fma<T: Real>(acc: &mut [T], x: &[T], w: &[T]) {
    for ((a, x), w) in acc.iter_mut().zip(x).zip(w) {
        *a += *x * *w;
    }
}

/// Calls `visit(output, input, tap)` with the positions of every pair, output by output.
#[inline(always)]
fn over_taps(win: &Window, mut visit: impl FnMut(usize, &[(usize, usize)])) {
    let [_, h, w] = win.input;
    let [_, kh, kw] = win.kernel;
    let mut pairs = Vec::with_capacity(win.taps());
    let mut output = 0;
    for d in 0..win.output[0] {
        for i in 0..win.output[1] {
            let (ds, is) = (win.valid_taps(0, d), win.valid_taps(1, i));
            for j in 0..win.output[2] {
                pairs.clear();
                let js = win.valid_taps(2, j);
                for a in ds.clone() {
                    let plane = d * win.stride[0] + a * win.dilation[0] - win.padding[0];
                    for b in is.clone() {
                        let line = i * win.stride[1] + b * win.dilation[1] - win.padding[1];
                        for c in js.clone() {
                            let entry = j * win.stride[2] + c * win.dilation[2] - win.padding[2];
                            pairs.push(((plane * h + line) * w + entry, (a * kh + b) * kw + c));
                        }
                    }
                }
                visit(output, &pairs);
                output += 1;
            }
        }
    }
}

macro_rules! kernels {
    ($t:ident, $module:ident) => {
        mod $module {
            use super::*;

            #[multiversion::multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn forward(win: &Window, x: &[$t], taps: &[$t], y: &mut [$t]) {
                let c = taps.len() / win.taps();
                over_taps(win, |output, pairs| {
                    let y = &mut y[output * c..(output + 1) * c];
                    let mut first = 0;
                    while first < c {
                        let lane = LANE.min(c - first);
                        if lane == LANE {
                            let mut acc = [0.0; LANE];
                            for &(input, tap) in pairs {
                                fma(
                                    &mut acc,
                                    &x[input * c + first..][..LANE],
                                    &taps[tap * c + first..][..LANE],
                                );
                            }
                            y[first..first + LANE].copy_from_slice(&acc);
                        } else {
                            let acc = &mut y[first..first + lane];
                            acc.fill(0.0);
                            for &(input, tap) in pairs {
                                fma(acc, &x[input * c + first..][..lane], &taps[tap * c + first..][..lane]);
                            }
                        }
                        first += lane;
                    }
                });
            }

            #[multiversion::multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn by_input(win: &Window, dy: &[$t], taps: &[$t], dx: &mut [$t]) {
                let c = taps.len() / win.taps();
                over_taps(win, |output, pairs| {
                    let dy = &dy[output * c..(output + 1) * c];
                    for &(input, tap) in pairs {
                        fma(&mut dx[input * c..(input + 1) * c], dy, &taps[tap * c..(tap + 1) * c]);
                    }
                });
            }

            #[multiversion::multiversion(targets("x86_64+avx512f+avx512vl+avx2+fma", "x86_64+avx2+fma"))]
            pub fn by_weight(win: &Window, dy: &[$t], x: &[$t], dw: &mut [$t]) {
                let c = dw.len() / win.taps();
                over_taps(win, |output, pairs| {
                    let dy = &dy[output * c..(output + 1) * c];
                    for &(input, tap) in pairs {
                        fma(&mut dw[tap * c..(tap + 1) * c], dy, &x[input * c..(input + 1) * c]);
                    }
                });
            }
        }
    };
}

kernels!(f32, single);
kernels!(f64, double);

dispatch! {
    /// One image: `y` from `x` and the kernels by tap.
    forward(win: &Window; x, taps; y)
}
dispatch! {
    /// One image: adds to `dx`, from `dy` and the kernels by tap.
    by_input(win: &Window; dy, taps; dx)
}
dispatch! {
    /// One image: adds to the kernels' derivative by tap, from `dy` and `x`.
    by_weight(win: &Window; dy, x; dw)
}
