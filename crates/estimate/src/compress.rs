//! QR compression of a sample in one pass, blockwise (THEORY §3).

use convstat_tensor::linalg::{add_outer_gram, cholesky, qr_r, solve_upper_transposed, symmetrise};
use convstat_tensor::{TensorError, memory};
use ndarray::{Array2, ArrayView2, Axis, concatenate, s};

use crate::{EstimateError, Result, Sample};

/// Gram + Cholesky loses `cond(R)²` of the precision; above this condition number of `R` the pass is
/// repeated with blocked QR, so that at least half the digits remain.
const MAX_CONDITION: f64 = 1e4;

/// The residual is a difference of sums of squares; where it is a smaller share of them than this, half its digits
/// are gone and the pass is repeated with blocked QR too.
const MIN_RESIDUAL: f64 = 1e-8;

/// Below this many observations a feature the Gram matrix is taken to be ill-conditioned at once
/// (a Wishart matrix with n = 1.2 D has a condition number of about 500).
const MIN_ROWS_A_FEATURE: f64 = 1.2;

/// Takes blocks of observations and keeps only what the objective needs.
#[derive(Debug)]
pub struct Compressor {
    features: usize,
    outputs: usize,
    rows: f64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Upper triangle of the Gram matrix of `[Z y]`.
    Gram(Array2<f64>),
    /// `R` of the QR factorisation of `[Z y]` so far.
    Triangle(Array2<f64>),
}

impl Compressor {
    fn new(features: usize, outputs: usize, gram: bool) -> Result<Self> {
        let width = features + outputs;
        memory::check("the compressed sample", &[width, width])?;
        let state = if gram {
            State::Gram(Array2::zeros((width, width)))
        } else {
            State::Triangle(Array2::zeros((0, width)))
        };
        Ok(Self { features, outputs, rows: 0.0, state })
    }

    /// Adds a feature-major block of b observations, `(D + M) × b`: features, then responses.
    pub fn add(&mut self, block: &ArrayView2<f64>) -> Result<()> {
        let width = self.features + self.outputs;
        if block.nrows() != width {
            return Err(EstimateError::BlockRows { found: block.nrows(), expected: width });
        }
        self.rows += block.ncols() as f64;
        match &mut self.state {
            State::Gram(gram) => add_outer_gram(gram, block),
            State::Triangle(r) => *r = qr_r(&concatenate![Axis(0), r.view(), block.t()].view())?,
        }
        Ok(())
    }

    /// The compressed sample; `None` if a Gram matrix turned out too ill-conditioned for Cholesky.
    fn finish(self, n: f64) -> Result<Option<Sample>> {
        let d = self.features;
        match self.state {
            State::Gram(mut gram) => {
                symmetrise(&mut gram);
                let r = match cholesky(&gram.slice(s![..d, ..d])) {
                    Ok(r) if condition(&r) <= MAX_CONDITION => r,
                    Ok(_) | Err(TensorError::NotPositiveDefinite { .. }) => return Ok(None),
                    Err(e) => return Err(e.into()),
                };
                let c = solve_upper_transposed(&r.view(), &gram.slice(s![..d, d..]));
                let total: f64 = (d..gram.nrows()).map(|i| gram[[i, i]]).sum();
                let explained: f64 = c.iter().map(|v| v * v).sum();
                if total - explained < MIN_RESIDUAL * total {
                    return Ok(None);
                }
                Ok(Some(Sample { z: r, y: c, rss: (total - explained).max(0.0), n }))
            }
            State::Triangle(r) => {
                let k = r.nrows().min(d);
                let rss = r.slice(s![k.., d..]).iter().map(|v| v * v).sum();
                Ok(Some(Sample {
                    z: r.slice(s![..k, ..d]).to_owned(),
                    y: r.slice(s![..k, d..]).to_owned(),
                    rss,
                    n,
                }))
            }
        }
    }
}

/// Ratio of the extreme diagonal entries of a triangular matrix, a lower bound of its condition
/// number that is within a small factor of it for the matrices met here.
fn condition(r: &Array2<f64>) -> f64 {
    let (mut low, mut high) = (f64::INFINITY, 0.0f64);
    for &v in r.diag() {
        low = low.min(v.abs());
        high = high.max(v.abs());
    }
    if high == 0.0 { 1.0 } else { high / low }
}

/// Compresses the observations that `generate` feeds to the sink, `n` of them.
///
/// `generate` has to produce the same blocks when it is called again: an ill-conditioned Gram matrix
/// makes a second pass with blocked QR. Memory is O((D + M)²) whatever n is.
pub fn compress(
    features: usize,
    outputs: usize,
    n: f64,
    mut generate: impl FnMut(&mut Compressor) -> Result<()>,
) -> Result<Sample> {
    let passes: &[bool] = if n >= MIN_ROWS_A_FEATURE * features as f64 { &[true, false] } else { &[false] };
    for &gram in passes {
        let mut sink = Compressor::new(features, outputs, gram)?;
        generate(&mut sink)?;
        if sink.rows == 0.0 {
            return Err(EstimateError::NoRows);
        }
        if let Some(sample) = sink.finish(n)? {
            return Ok(sample);
        }
    }
    Err(EstimateError::NoRows)
}
