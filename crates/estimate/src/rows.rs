//! Where a solver's rows come from: memory, or windows of inputs made block by block.

use std::ops::Range;

use convstat_cnn::{Scratch, Windows};
use convstat_tensor::algebra::c_order;
use ndarray::{Array2, ArrayView2};

use crate::{EstimateError, Family, Result, Sample};

/// A regression problem in blocks of rows; solvers can't tell where they come from.
pub trait Rows: Sync {
    /// Rows that there are.
    fn rows(&self) -> usize;
    /// Features `D`.
    fn features(&self) -> usize;
    /// Responses `M`.
    fn outputs(&self) -> usize;
    /// Observations behind the rows.
    fn observations(&self) -> f64;
    /// The part of the objective that no `W` reaches.
    fn rss(&self) -> f64;
    /// `‖y‖²` of the rows.
    fn sum_of_squares(&self) -> f64;
    /// Features (`rows × D`) and responses (`rows × M`) of some rows, in C order; `memory` holds what has to be made.
    fn block<'a>(&'a self, rows: Range<usize>, memory: &'a mut RowMemory) -> (&'a [f64], &'a [f64]);
    /// The rows as a sample in memory, if they are one.
    fn in_memory(&self) -> Option<&Sample>;
    /// Law of the responses.
    fn family(&self) -> Family {
        Family::Gaussian
    }
}

/// Memory for blocks that are made.
#[derive(Debug, Default)]
pub struct RowMemory {
    features: Array2<f64>,
    rows: Vec<f64>,
    scratch: Scratch,
}

impl Rows for Sample {
    fn rows(&self) -> usize {
        self.z.nrows()
    }

    fn features(&self) -> usize {
        self.z.ncols()
    }

    fn outputs(&self) -> usize {
        self.y.ncols()
    }

    fn observations(&self) -> f64 {
        self.n
    }

    fn rss(&self) -> f64 {
        self.rss
    }

    fn sum_of_squares(&self) -> f64 {
        self.y.iter().map(|v| v * v).sum()
    }

    fn block<'a>(&'a self, rows: Range<usize>, _memory: &'a mut RowMemory) -> (&'a [f64], &'a [f64]) {
        let (z, y) = (c_order(&self.z), c_order(&self.y));
        let (d, m) = (self.z.ncols(), self.y.ncols());
        (&z[rows.start * d..rows.end * d], &y[rows.start * m..rows.end * m])
    }

    fn in_memory(&self) -> Option<&Sample> {
        Some(self)
    }
}

/// Inputs in memory whose features are made block by block: for geometries with so many features that neither `Z` nor
/// its compression fits into memory.
#[derive(Debug)]
pub struct WindowedSample {
    windows: Windows,
    /// `n × ∏d`.
    x: Array2<f64>,
    /// `n × M`.
    y: Array2<f64>,
}

impl WindowedSample {
    /// From `n × ∏d` inputs in C order and `n × M` responses.
    ///
    /// # Errors
    /// No rows, or different numbers of rows.
    pub fn new(windows: Windows, x: Array2<f64>, y: Array2<f64>) -> Result<Self> {
        if x.nrows() != y.nrows() {
            return Err(EstimateError::RowMismatch { x: x.nrows(), y: y.nrows() });
        }
        if x.nrows() == 0 {
            return Err(EstimateError::NoRows);
        }
        let standard =
            |a: Array2<f64>| if a.is_standard_layout() { a } else { a.as_standard_layout().into_owned() };
        Ok(Self { windows, x: standard(x), y: standard(y) })
    }
}

impl Rows for WindowedSample {
    fn rows(&self) -> usize {
        self.x.nrows()
    }

    fn features(&self) -> usize {
        self.windows.features()
    }

    fn outputs(&self) -> usize {
        self.y.ncols()
    }

    fn observations(&self) -> f64 {
        self.x.nrows() as f64
    }

    fn rss(&self) -> f64 {
        0.0
    }

    fn sum_of_squares(&self) -> f64 {
        self.y.iter().map(|v| v * v).sum()
    }

    fn block<'a>(&'a self, rows: Range<usize>, memory: &'a mut RowMemory) -> (&'a [f64], &'a [f64]) {
        let (b, d, m) = (rows.len(), self.windows.features(), self.y.ncols());
        if memory.features.dim() != (d, b) {
            memory.features = Array2::zeros((d, b));
            memory.rows = vec![0.0; d * b];
        }
        let x = self.x.slice(ndarray::s![rows.clone(), ..]);
        self.windows.apply_into(&x.t(), &mut memory.features.view_mut(), &mut memory.scratch);
        transpose(&memory.features.view(), &mut memory.rows);
        let y = c_order(&self.y);
        (&memory.rows, &y[rows.start * m..rows.end * m])
    }

    fn in_memory(&self) -> Option<&Sample> {
        None
    }
}

/// Writes `aᵀ` in C order, tile by tile.
fn transpose(a: &ArrayView2<f64>, out: &mut [f64]) {
    const TILE: usize = 16;
    let (n, m) = a.dim();
    for first in (0..n).step_by(TILE) {
        let last = n.min(first + TILE);
        for j in 0..m {
            for i in first..last {
                out[j * n + i] = a[[i, j]];
            }
        }
    }
}
