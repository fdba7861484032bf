//! Convolution by blocks of patches: gather the taps of some output positions into a matrix that stays in cache, then one
//! product. Kernels of one tap need no gathering; depthwise kernels no product.

use rayon::prelude::*;

use super::depthwise;
use super::real::{Mat, Real, product, unwritten, zeros};
use crate::Window;

/// Entries of a block of patches: 256 KiB of f32, half of a second-level cache.
const BLOCK_ENTRIES: usize = 1 << 16;

/// Rows of a pointwise product that are worked on together.
const POINTWISE_ROWS: usize = 1024;

/// Partial sums of the derivative by the weights; fixed, so that sums do not depend on the number of threads.
const LANES: usize = 16;

/// A convolution with its sizes.
#[derive(Debug, Clone, Copy)]
pub struct Conv {
    pub images: usize,
    pub window: Window,
    /// Input channels.
    pub channels: usize,
    /// Output channels.
    pub kernels: usize,
    pub groups: usize,
}

impl Conv {
    fn is_depthwise(&self) -> bool {
        self.groups == self.channels && self.kernels == self.channels && self.groups > 1
    }

    fn is_pointwise(&self) -> bool {
        self.groups == 1 && self.window.is_pointwise()
    }

    /// Channels of a group, in and out.
    fn group(&self) -> (usize, usize) {
        (self.channels / self.groups, self.kernels / self.groups)
    }

    /// Entries of the patch of one group.
    fn patch(&self) -> usize {
        self.window.taps() * self.group().0
    }

    /// Output positions of a block.
    fn block(&self) -> usize {
        (BLOCK_ENTRIES / self.patch()).clamp(16, 4096).min(self.window.outputs())
    }

    /// `y` (`N, positions, O`).
    pub fn forward<T: Real>(&self, x: &[T], w: &[T]) -> Vec<T> {
        let outputs = self.window.outputs();
        // SAFETY: products with beta = 0, which BLAS does not read first, or depthwise sums write all of it.
        let mut y = unsafe { unwritten(self.images * outputs * self.kernels) };
        if self.is_pointwise() {
            y.par_chunks_mut(POINTWISE_ROWS * self.kernels)
                .zip(x.par_chunks(POINTWISE_ROWS * self.channels))
                .for_each(|(y, x)| {
                    let rows = x.len() / self.channels;
                    let a = Mat { entries: x, leading: self.channels, transposed: false };
                    let b = Mat { entries: w, leading: self.channels, transposed: true };
                    product([rows, self.kernels, self.channels], a, b, T::of(0.0), y, self.kernels);
                });
            return y;
        }
        let inputs = self.window.inputs() * self.channels;
        let images = y.par_chunks_mut(outputs * self.kernels).zip(x.par_chunks(inputs));
        if self.is_depthwise() {
            let taps = depthwise::by_tap(w, self.channels);
            images.for_each(|(y, x)| depthwise::forward(&self.window, x, &taps, y));
            return y;
        }
        let (_, to) = self.group();
        let (patch, block) = (self.patch(), self.block());
        images.for_each_init(
            // SAFETY: the rows that a product reads were gathered before it.
            || unsafe { unwritten(block * patch) },
            |patches, (y, x)| {
                for first in (0..outputs).step_by(block) {
                    let rows = block.min(outputs - first);
                    for g in 0..self.groups {
                        self.gather(x, g, first, rows, patches);
                        let a = Mat { entries: patches, leading: patch, transposed: false };
                        let b = Mat { entries: &w[g * to * patch..], leading: patch, transposed: true };
                        let y = &mut y[first * self.kernels + g * to..];
                        product([rows, to, patch], a, b, T::of(0.0), y, self.kernels);
                    }
                }
            },
        );
        y
    }

    /// Derivative by x, `(N, positions, C)`.
    pub fn by_input<T: Real>(&self, dy: &[T], w: &[T]) -> Vec<T> {
        let outputs = self.window.outputs();
        let inputs = self.window.inputs() * self.channels;
        // SAFETY: products with beta = 0 write all of it, or it is filled with zeros first.
        let mut dx = unsafe { unwritten(self.images * inputs) };
        if self.is_pointwise() {
            dx.par_chunks_mut(POINTWISE_ROWS * self.channels)
                .zip(dy.par_chunks(POINTWISE_ROWS * self.kernels))
                .for_each(|(dx, dy)| {
                    let rows = dy.len() / self.kernels;
                    let a = Mat { entries: dy, leading: self.kernels, transposed: false };
                    let b = Mat { entries: w, leading: self.channels, transposed: false };
                    product([rows, self.channels, self.kernels], a, b, T::of(0.0), dx, self.channels);
                });
            return dx;
        }
        let images = dx.par_chunks_mut(inputs).zip(dy.par_chunks(outputs * self.kernels));
        if self.is_depthwise() {
            let taps = depthwise::by_tap(w, self.channels);
            images.for_each(|(dx, dy)| {
                dx.fill(T::of(0.0));
                depthwise::by_input(&self.window, dy, &taps, dx);
            });
            return dx;
        }
        let (_, to) = self.group();
        let (patch, block) = (self.patch(), self.block());
        images.for_each_init(
            // SAFETY: a product with beta = 0 writes the rows that are scattered after it.
            || unsafe { unwritten(block * patch) },
            |patches, (dx, dy)| {
                dx.fill(T::of(0.0));
                for first in (0..outputs).step_by(block) {
                    let rows = block.min(outputs - first);
                    for g in 0..self.groups {
                        let dy = &dy[first * self.kernels + g * to..];
                        let a = Mat { entries: dy, leading: self.kernels, transposed: false };
                        let b = Mat { entries: &w[g * to * patch..], leading: patch, transposed: false };
                        product([rows, patch, to], a, b, T::of(0.0), patches, patch);
                        self.scatter(patches, g, first, rows, dx);
                    }
                }
            },
        );
        dx
    }

    /// Derivative by w, `(O, taps, C / groups)`.
    pub fn by_weight<T: Real>(&self, dy: &[T], x: &[T]) -> Vec<T> {
        let (outputs, inputs) = (self.window.outputs(), self.window.inputs() * self.channels);
        let (from, to) = self.group();
        let (patch, block) = (self.patch(), self.block());
        let size = self.kernels * self.window.taps() * from;
        let one = |lane: usize| {
            let mut dw = zeros(size);
            // SAFETY: the rows that a product reads were gathered before it.
            let mut patches = unsafe { unwritten(if self.is_pointwise() { 0 } else { block * patch }) };
            for image in (lane..self.images).step_by(LANES) {
                let x = &x[image * inputs..(image + 1) * inputs];
                let dy = &dy[image * outputs * self.kernels..(image + 1) * outputs * self.kernels];
                if self.is_pointwise() {
                    let a = Mat { entries: dy, leading: self.kernels, transposed: true };
                    let b = Mat { entries: x, leading: self.channels, transposed: false };
                    product([self.kernels, self.channels, outputs], a, b, T::of(1.0), &mut dw, self.channels);
                    continue;
                }
                if self.is_depthwise() {
                    depthwise::by_weight(&self.window, dy, x, &mut dw);
                    continue;
                }
                for first in (0..outputs).step_by(block) {
                    let rows = block.min(outputs - first);
                    for g in 0..self.groups {
                        self.gather(x, g, first, rows, &mut patches);
                        let dy = &dy[first * self.kernels + g * to..];
                        let a = Mat { entries: dy, leading: self.kernels, transposed: true };
                        let b = Mat { entries: &patches, leading: patch, transposed: false };
                        product([to, patch, rows], a, b, T::of(1.0), &mut dw[g * to * patch..], patch);
                    }
                }
            }
            dw
        };
        let lanes: Vec<Vec<T>> = (0..LANES.min(self.images)).into_par_iter().map(one).collect();
        let mut sum = zeros(size);
        for lane in lanes {
            sum.iter_mut().zip(lane).for_each(|(s, v)| *s += v);
        }
        if self.is_depthwise() { depthwise::by_channel(&sum, self.channels) } else { sum }
    }

    /// Writes the patches of group g at output positions `first..first + rows` as rows of `patches`.
    fn gather<T: Real>(&self, x: &[T], g: usize, first: usize, rows: usize, patches: &mut [T]) {
        let (win, c, (from, _)) = (&self.window, self.channels, self.group());
        let [_, h, w] = win.input;
        let [kd, kh, kw] = win.kernel;
        let run = kw * from;
        let mut at = win.place(first);
        for row in patches.chunks_exact_mut(self.patch()).take(rows) {
            let taps = win.valid_taps(2, at[2]);
            for d in 0..kd {
                let plane = win.entry(0, at[0], d);
                for k in 0..kh {
                    let to = &mut row[(d * kh + k) * run..][..run];
                    let (Some(plane), Some(line), false) = (plane, win.entry(1, at[1], k), taps.is_empty())
                    else {
                        to.fill(T::of(0.0));
                        continue;
                    };
                    to[..taps.start * from].fill(T::of(0.0));
                    to[taps.end * from..].fill(T::of(0.0));
                    // The first valid tap's entry exists.
                    let entry = at[2] * win.stride[2] + taps.start * win.dilation[2] - win.padding[2];
                    let mut source = ((plane * h + line) * w + entry) * c + g * from;
                    let to = &mut to[taps.start * from..taps.end * from];
                    if from == c && win.dilation[2] == 1 {
                        to.copy_from_slice(&x[source..source + to.len()]);
                    } else {
                        for tap in to.chunks_exact_mut(from) {
                            tap.copy_from_slice(&x[source..source + from]);
                            source += win.dilation[2] * c;
                        }
                    }
                }
            }
            advance(&mut at, &win.output);
        }
    }

    /// Adds the rows of `patches` to the entries they were gathered from.
    fn scatter<T: Real>(&self, patches: &[T], g: usize, first: usize, rows: usize, dx: &mut [T]) {
        let (win, c, (from, _)) = (&self.window, self.channels, self.group());
        let [_, h, w] = win.input;
        let [kd, kh, kw] = win.kernel;
        let run = kw * from;
        let mut at = win.place(first);
        let add = |to: &mut [T], from: &[T]| to.iter_mut().zip(from).for_each(|(t, f)| *t += *f);
        for row in patches.chunks_exact(self.patch()).take(rows) {
            let taps = win.valid_taps(2, at[2]);
            for d in 0..kd {
                let Some(plane) = win.entry(0, at[0], d) else { continue };
                for k in 0..kh {
                    let Some(line) = win.entry(1, at[1], k).filter(|_| !taps.is_empty()) else { continue };
                    let entry = at[2] * win.stride[2] + taps.start * win.dilation[2] - win.padding[2];
                    let mut target = ((plane * h + line) * w + entry) * c + g * from;
                    let own = &row[(d * kh + k) * run..][taps.start * from..taps.end * from];
                    if from == c && win.dilation[2] == 1 {
                        add(&mut dx[target..target + own.len()], own);
                    } else {
                        for tap in own.chunks_exact(from) {
                            add(&mut dx[target..target + from], tap);
                            target += win.dilation[2] * c;
                        }
                    }
                }
            }
            advance(&mut at, &win.output);
        }
    }
}

/// The next position in C order.
fn advance(at: &mut [usize; 3], sizes: &[usize; 3]) {
    for j in (0..3).rev() {
        at[j] += 1;
        if at[j] < sizes[j] {
            return;
        }
        at[j] = 0;
    }
}
