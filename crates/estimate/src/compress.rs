//! QR compression of a sample in one pass, blockwise (THEORY §3).

use convstat_tensor::linalg::{
    add_gram, cholesky, condition_number, pivoted_cholesky, qr_r, solve_upper_transposed, symmetrise,
};
use convstat_tensor::{TensorError, memory};
use ndarray::linalg::general_mat_mul;
use ndarray::{Array2, ArrayView2, Axis, concatenate, s};

use crate::scale::{Scale, times_power};
use crate::{EstimateError, Result, Sample};

/// Pivots of a Gram matrix below this share of the largest, for each feature, are rounding.
const RANK_TOLERANCE: f64 = 16.0 * f64::EPSILON;

/// When the fast pass, Gram + Cholesky, is repeated with blocked QR.
#[derive(Debug, Clone, Copy)]
struct Care {
    /// Gram + Cholesky loses `cond(R)²` of the precision; above this condition number of `R` (estimated in the 1-norm,
    /// which is up to `√D` times the 2-norm's) the pass is repeated.
    max_condition: f64,
    /// The residual is a difference of sums of squares; where it is a smaller share of them than this, it has lost as
    /// many digits and the pass is repeated.
    min_residual: f64,
    /// Whether a Gram matrix of lower rank will do: directions below `√ε` are lost then, rounding or not.
    lower_rank: bool,
}

impl Care {
    /// For the many samples of a study, whose dependent features are those of the geometry: six digits of `Ŵ` remain,
    /// and half the digits of the residual.
    const FAST: Self = Self { max_condition: 1e5, min_residual: 1e-8, lower_rank: true };
    /// For data of any kind: ten digits of `Ŵ` remain, and twelve of the residual.
    const ACCURATE: Self = Self { max_condition: 1e3, min_residual: 1e-3, lower_rank: false };
}

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
    /// Upper triangle of `ZᵀZ` (`D × D`), `Zᵀy` (`D × M`) and `‖y‖²`.
    Gram { moment: Array2<f64>, cross: Array2<f64>, total: f64 },
    /// `R` of the QR factorisation of `[Z y]` so far, and rows still to be factored.
    Triangle { r: Array2<f64>, pending: Vec<Array2<f64>>, rows: usize },
}

impl Compressor {
    fn new(features: usize, outputs: usize, gram: bool) -> Result<Self> {
        let width = features + outputs;
        memory::check("the compressed sample", &[width, width])?;
        let state = if gram {
            State::Gram {
                moment: Array2::zeros((features, features)),
                cross: Array2::zeros((features, outputs)),
                total: 0.0,
            }
        } else {
            State::Triangle { r: Array2::zeros((0, width)), pending: Vec::new(), rows: 0 }
        };
        Ok(Self { features, outputs, rows: 0.0, state })
    }

    /// Adds a block of b observations: features `z` (`b × D`) with contiguous rows or columns, responses `y` (`b × M`).
    ///
    /// # Errors
    /// Another number of columns, or of rows.
    pub fn add(&mut self, z: &ArrayView2<f64>, y: &ArrayView2<f64>) -> Result<()> {
        if (z.ncols(), y.ncols()) != (self.features, self.outputs) {
            let (found, expected) = (z.ncols() + y.ncols(), self.features + self.outputs);
            return Err(EstimateError::BlockColumns { found, expected });
        }
        if z.nrows() != y.nrows() {
            return Err(EstimateError::RowMismatch { x: z.nrows(), y: y.nrows() });
        }
        self.rows += z.nrows() as f64;
        match &mut self.state {
            State::Gram { moment, cross, total } => {
                if z.strides().contains(&1) {
                    add_gram(moment, z);
                } else {
                    add_gram(moment, &z.to_owned().view());
                }
                general_mat_mul(1.0, &z.t(), y, 1.0, cross);
                *total += y.iter().map(|v| v * v).sum::<f64>();
            }
            State::Triangle { r, pending, rows } => {
                pending.push(concatenate![Axis(1), *z, *y]);
                *rows += z.nrows();
                // A factorisation costs as much for the rows of R as for new ones: wait for as many.
                if *rows >= self.features + self.outputs {
                    *r = factored(r, pending)?;
                    *rows = 0;
                }
            }
        }
        Ok(())
    }

    /// The compressed sample; `None` if a Gram matrix turned out too ill-conditioned for Cholesky.
    fn finish(self, care: &Care, n: f64) -> Result<Option<Sample>> {
        let d = self.features;
        match self.state {
            State::Gram { mut moment, cross, total } => {
                symmetrise(&mut moment);
                let regular = match cholesky(&moment.view()) {
                    Ok(r) => Some(r),
                    Err(TensorError::NotPositiveDefinite { .. }) => None,
                    Err(e) => return Err(e.into()),
                };
                // A failed attempt is let go before the next one takes as much memory.
                let regular = match regular {
                    Some(r) if condition_number(&r.view())? <= care.max_condition => Some(r),
                    _ => None,
                };
                let (z, c) = if let Some(r) = regular {
                    let c = solve_upper_transposed(&r.view(), &cross.view());
                    (r, c)
                } else if !care.lower_rank {
                    return Ok(None);
                } else {
                    let Some(reduced) = of_lower_rank(&moment, &cross, care)? else { return Ok(None) };
                    reduced
                };
                let explained: f64 = c.iter().map(|v| v * v).sum();
                if total - explained < care.min_residual * total {
                    return Ok(None);
                }
                Ok(Some(Sample { z, y: c, rss: (total - explained).max(0.0), n }))
            }
            State::Triangle { r, mut pending, .. } => {
                let r = factored(&r, &mut pending)?;
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

/// `R` of the rows of `r` and of all that are pending.
fn factored(r: &Array2<f64>, pending: &mut Vec<Array2<f64>>) -> Result<Array2<f64>> {
    let mut parts: Vec<ArrayView2<f64>> = vec![r.view()];
    parts.extend(pending.iter().map(|p| p.view()));
    let all = concatenate(Axis(0), &parts).map_err(|_| EstimateError::NoRows)?;
    pending.clear();
    Ok(qr_r(&all.view())?)
}

/// The compressed sample of `ZᵀZ` and `Zᵀy` whose `Z` has dependent columns, as windows that overlap make them, and is
/// well-conditioned else. `None` where the pivots do not fall in one step.
fn of_lower_rank(
    moment: &Array2<f64>,
    cross: &Array2<f64>,
    care: &Care,
) -> Result<Option<(Array2<f64>, Array2<f64>)>> {
    let (d, outputs) = cross.dim();
    let (r, order) = pivoted_cholesky(&moment.view(), RANK_TOLERANCE * d as f64)?;
    let rank = r.nrows();
    if rank == 0 || condition_number(&r.slice(s![.., ..rank]))? > care.max_condition {
        return Ok(None);
    }
    let mut h = Array2::zeros((rank, outputs));
    let mut z = Array2::zeros((rank, d));
    for (place, &column) in order.iter().enumerate() {
        z.column_mut(column).assign(&r.column(place));
        if place < rank {
            h.row_mut(place).assign(&cross.row(column));
        }
    }
    let c = solve_upper_transposed(&r.slice(s![.., ..rank]), &h.view());
    Ok(Some((z, c)))
}

/// Compresses the observations that `generate` feeds to the sink, `n` of them.
///
/// `generate` has to produce the same blocks when it is called again: an ill-conditioned Gram matrix
/// makes a second pass with blocked QR. Memory is O((D + M)²) whatever n is.
///
/// # Errors
/// No rows, blocks of another width, memory over the limit, what `generate` fails with.
pub fn compress(
    features: usize,
    outputs: usize,
    n: f64,
    generate: impl FnMut(&mut Compressor) -> Result<()>,
) -> Result<Sample> {
    compress_with(&Care::FAST, features, outputs, n, generate)
}

/// As [`compress`], with this care.
fn compress_with(
    care: &Care,
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
        if let Some(sample) = sink.finish(care, n)? {
            return Ok(sample);
        }
    }
    Err(EstimateError::NoRows)
}

/// Rows compressed together.
const BLOCK: usize = 512;

impl Sample {
    /// The QR-compressed sample with the same objective; the sample itself where it has no more rows than features.
    ///
    /// For one fit: where the condition number of Z is above 1000 or Z is singular, by QR of the rows, which keeps
    /// directions that `ZᵀZ` loses (nearly collinear features), else by `ZᵀZ`.
    ///
    /// # Errors
    /// Responses so large or small that their squares leave the range of `f64`; use [`Scale`] first.
    pub fn compressed(&self) -> Result<Self> {
        if self.z.nrows() <= self.features() {
            return Ok(self.clone());
        }
        let scale = Scale::of(self, 1);
        if !scale.is_one() {
            let unit = scale.to_unit(self).compressed()?;
            let rss = scale.square(unit.rss);
            if !rss.is_finite() || (rss == 0.0 && unit.rss > 0.0) {
                return Err(EstimateError::Overflow);
            }
            return Ok(Self {
                z: unit.z.mapv(|v| times_power(v, scale.z)),
                y: unit.y.mapv(|v| times_power(v, scale.y)),
                rss,
                n: unit.n,
            });
        }
        let mut small = compress_with(&Care::ACCURATE, self.features(), self.outputs(), self.n, |sink| {
            for (z, y) in self.z.axis_chunks_iter(Axis(0), BLOCK).zip(self.y.axis_chunks_iter(Axis(0), BLOCK))
            {
                sink.add(&z, &y)?;
            }
            Ok(())
        })?;
        small.rss += self.rss;
        Ok(small)
    }
}
