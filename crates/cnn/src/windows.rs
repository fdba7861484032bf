//! The map `X → Z = X ×_j U_F^{(j)⊤}` by windows: each feature averages `q` input rows a mode, so no
//! dense `U_F` product is formed.

use convstat_tensor::algebra::{c_order, entries, shaped};
use ndarray::{Array2, ArrayD, ArrayView2, ArrayViewD, ArrayViewMut2, Axis, IxDyn};
use rayon::prelude::*;

use crate::{CnnError, Result};

/// Samples transformed together; keeps a block of features in cache.
const BLOCK: usize = 256;

/// The windows of one geometry, ready to transform blocks of inputs.
#[derive(Debug, Clone)]
pub struct Windows {
    modes: Vec<ModeWindows>,
    /// Place in the order (positions, taps) of each interleaved feature.
    place: Vec<usize>,
    input_shape: Vec<usize>,
}

/// The windows of one mode.
#[derive(Debug, Clone)]
pub(crate) struct ModeWindows {
    /// Input size.
    pub input: usize,
    /// Weight of each row that a feature averages.
    pub weight: f64,
    /// For each pooled position and tap: the input rows it averages.
    pub rows: Vec<Vec<usize>>,
}

impl Windows {
    /// Windows of these modes; `place` says where each interleaved feature stands in the order (positions, taps).
    pub(crate) fn new(modes: Vec<ModeWindows>, place: Vec<usize>, input_shape: Vec<usize>) -> Self {
        Self { modes, place, input_shape }
    }

    /// Number of features `D`.
    pub fn features(&self) -> usize {
        self.place.len()
    }

    /// Transforms a feature-major block: `∏d × b` inputs (one column a sample) to `D × b` features.
    pub fn apply(&self, x: &ArrayView2<f64>) -> Array2<f64> {
        let mut z = Array2::zeros((self.features(), x.ncols()));
        self.apply_into(x, &mut z.view_mut(), &mut Scratch::default());
        z
    }

    /// As [`Windows::apply`], into `z` (`D × b`), with memory kept between calls.
    pub fn apply_into(&self, x: &ArrayView2<f64>, z: &mut ArrayViewMut2<f64>, scratch: &mut Scratch) {
        let b = x.ncols();
        let x = x.as_standard_layout();
        let x = c_order(&x);
        let (mut outer, mut inner) = (1, x.len());
        let Scratch { current, previous } = scratch;
        for (j, mode) in self.modes.iter().enumerate() {
            inner /= mode.input;
            std::mem::swap(current, previous);
            let source = if j == 0 { x } else { previous.as_slice() };
            current.resize(outer * mode.rows.len() * inner, 0.0);
            mode.average(source, current, outer, inner);
            outer *= mode.rows.len();
        }
        let data = &*current;
        for (row, &place) in data.chunks_exact(b.max(1)).zip(&self.place) {
            z.row_mut(place).assign(&ndarray::aview1(row));
        }
    }

    /// Transforms `n × d_1 × … × d_N` inputs to `n × D` rows, in parallel over blocks of samples.
    ///
    /// # Errors
    /// Inputs of another shape, or too many features for the memory.
    pub fn transform(&self, x: &ArrayViewD<f64>) -> Result<Array2<f64>> {
        let n = x.shape().first().copied().unwrap_or(0);
        if x.ndim() == 0 || x.shape()[1..] != self.input_shape[..] {
            return Err(CnnError::Shape {
                what: "X",
                found: x.shape().to_vec(),
                expected: format!("n x {:?}, the geometry's input after the samples", self.input_shape),
            });
        }
        convstat_tensor::memory::check("the transformed inputs", &[n, self.features()])?;
        let mut z = Array2::zeros((n, self.features()));
        z.axis_chunks_iter_mut(Axis(0), BLOCK).into_par_iter().enumerate().for_each(|(k, mut out)| {
            let rows = out.nrows();
            let block = x.slice_axis(Axis(0), ndarray::Slice::from(k * BLOCK..k * BLOCK + rows));
            let flat = shaped((rows, self.input_shape.iter().product()), entries(&block));
            out.assign(&self.apply(&flat.t()).t());
        });
        Ok(z)
    }

    /// `W_X = W ×_j U_F^{(j)}`: pulls coefficients `D × M` back to the input, `d_1 × … × d_N × M`.
    pub fn pull_back(&self, w: &ArrayView2<f64>) -> ArrayD<f64> {
        let m = w.ncols();
        // Interleaved order, then the adjoint of each mode from the last to the first.
        let mut data: Vec<f64> = self.place.iter().flat_map(|&p| w.row(p).to_vec()).collect();
        let mut inner = m;
        for mode in self.modes.iter().rev() {
            let width = mode.rows.len() * inner;
            let outer = data.len().checked_div(width).unwrap_or(0);
            let mut next = vec![0.0; outer * mode.input * inner];
            for o in 0..outer {
                for (f, rows) in mode.rows.iter().enumerate() {
                    let source = &data[(o * mode.rows.len() + f) * inner..][..inner];
                    for &row in rows {
                        let target = &mut next[(o * mode.input + row) * inner..][..inner];
                        target.iter_mut().zip(source).for_each(|(t, s)| *t += mode.weight * s);
                    }
                }
            }
            inner *= mode.input;
            data = next;
        }
        let shape: Vec<usize> = self.input_shape.iter().copied().chain([m]).collect();
        shaped(IxDyn(&shape), data)
    }
}

/// Memory that [`Windows::apply_into`] keeps between calls.
#[derive(Debug, Clone, Default)]
pub struct Scratch {
    current: Vec<f64>,
    previous: Vec<f64>,
}

impl ModeWindows {
    /// Contracts this mode: `outer × input × inner` to `outer × (positions · taps) × inner`.
    fn average(&self, source: &[f64], target: &mut [f64], outer: usize, inner: usize) {
        for o in 0..outer {
            let source = &source[o * self.input * inner..][..self.input * inner];
            for (f, rows) in self.rows.iter().enumerate() {
                let target = &mut target[(o * self.rows.len() + f) * inner..][..inner];
                average_rows(target, source, rows, self.weight);
            }
        }
    }
}

/// `target = weight · Σ source[row]`, each row a contiguous run of `target.len()`; 0 without rows.
fn average_rows(target: &mut [f64], source: &[f64], rows: &[usize], weight: f64) {
    let n = target.len();
    let Some((&first, rest)) = rows.split_first() else { return target.fill(0.0) };
    target.copy_from_slice(&source[first * n..][..n]);
    for &row in rest {
        target.iter_mut().zip(&source[row * n..][..n]).for_each(|(t, s)| *t += s);
    }
    if weight != 1.0 {
        target.iter_mut().for_each(|t| *t *= weight);
    }
}
