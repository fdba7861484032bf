//! Average and maximum pools.

use rayon::prelude::*;

use super::real::{Real, unwritten};
use crate::Window;

/// Calls `visit(output, input)` for every entry of every window of one image.
fn over_windows(win: &Window, mut visit: impl FnMut(usize, usize)) {
    let [_, h, w] = win.input;
    for output in 0..win.outputs() {
        let at = win.place(output);
        for a in win.valid_taps(0, at[0]) {
            let plane = at[0] * win.stride[0] + a - win.padding[0];
            for b in win.valid_taps(1, at[1]) {
                let line = at[1] * win.stride[1] + b - win.padding[1];
                for c in win.valid_taps(2, at[2]) {
                    let entry = at[2] * win.stride[2] + c - win.padding[2];
                    visit(output, (plane * h + line) * w + entry);
                }
            }
        }
    }
}

/// Means of the windows, padding counted as zeros.
pub fn average<T: Real>(win: &Window, x: &[T], channels: usize, images: usize) -> Vec<T> {
    let (inputs, outputs) = (win.inputs() * channels, win.outputs() * channels);
    // SAFETY: each image is filled with zeros first.
    let mut y = unsafe { unwritten(images * outputs) };
    let share = T::of(1.0 / win.taps() as f64);
    y.par_chunks_mut(outputs).zip(x.par_chunks(inputs)).for_each(|(y, x)| {
        y.fill(T::of(0.0));
        over_windows(win, |output, input| {
            let from = &x[input * channels..(input + 1) * channels];
            y[output * channels..(output + 1) * channels].iter_mut().zip(from).for_each(|(y, x)| *y += *x);
        });
        y.iter_mut().for_each(|y| *y *= share);
    });
    y
}

/// Backward of [`average`].
pub fn average_backward<T: Real>(win: &Window, dy: &[T], channels: usize, images: usize) -> Vec<T> {
    let (inputs, outputs) = (win.inputs() * channels, win.outputs() * channels);
    // SAFETY: each image is filled with zeros first.
    let mut dx = unsafe { unwritten(images * inputs) };
    let share = T::of(1.0 / win.taps() as f64);
    dx.par_chunks_mut(inputs).zip(dy.par_chunks(outputs)).for_each(|(dx, dy)| {
        dx.fill(T::of(0.0));
        over_windows(win, |output, input| {
            let from = &dy[output * channels..(output + 1) * channels];
            let to = &mut dx[input * channels..(input + 1) * channels];
            to.iter_mut().zip(from).for_each(|(x, y)| *x += *y * share);
        });
    });
    dx
}

/// Maxima of the windows and the input positions where they are.
pub fn maximum<T: Real>(win: &Window, x: &[T], channels: usize, images: usize) -> (Vec<T>, Vec<u32>) {
    let (inputs, outputs) = (win.inputs() * channels, win.outputs() * channels);
    let mut y = vec![T::neg_infinity(); images * outputs];
    let mut winners = vec![0u32; images * outputs];
    let all = y.par_chunks_mut(outputs).zip(winners.par_chunks_mut(outputs)).zip(x.par_chunks(inputs));
    all.for_each(|((y, winners), x)| {
        over_windows(win, |output, input| {
            for c in 0..channels {
                let (v, at) = (x[input * channels + c], output * channels + c);
                // NaN wins, so that it shows.
                if v > y[at] || v.is_nan() {
                    y[at] = v;
                    winners[at] = input as u32;
                }
            }
        });
    });
    (y, winners)
}

/// Backward of [`maximum`].
pub fn maximum_backward<T: Real>(
    win: &Window,
    dy: &[T],
    winners: &[u32],
    channels: usize,
    images: usize,
) -> Vec<T> {
    let (inputs, outputs) = (win.inputs() * channels, win.outputs() * channels);
    // SAFETY: each image is filled with zeros first.
    let mut dx = unsafe { unwritten(images * inputs) };
    let all = dx.par_chunks_mut(inputs).zip(dy.par_chunks(outputs)).zip(winners.par_chunks(outputs));
    all.for_each(|((dx, dy), winners)| {
        dx.fill(T::of(0.0));
        for (i, (dy, winner)) in dy.iter().zip(winners).enumerate() {
            dx[*winner as usize * channels + i % channels] += *dy;
        }
    });
    dx
}
