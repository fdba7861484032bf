//! EVBMF on the unfolding of the unstructured estimate (Nakajima et al. 2013; as Kim et al. 2016 choose ranks).
//!
//! A reference, not a recommendation. The model of EVBMF is white noise on the `P × L` unfolding of `Ŵ`, but the noise of
//! least squares has covariance `σ²(ZᵀZ)⁻¹`, and windows that overlap and are averaged make that far from white: the rank
//! it finds is too large or too small even at large n. Of an `l × m` matrix, `l ≤ m`, it keeps at most `⌈l/(1 + l/m)⌉ − 1`
//! components, so that it never finds a rank near min(P, L). It knows no structure of the kernels either.

use convstat_cnn::Structure;
use convstat_tensor::algebra::shaped;
use convstat_tensor::linalg::{gram, rank, rank_tolerance, svd};
use convstat_tensor::{evbmf, memory};
use ndarray::{Array2, ArrayView2};

use super::evidence::{Evidence, Verdict, least};
use crate::unstructured::{pilot, ridge};
use crate::{Result, Sample};

/// Singular values below this share of the largest are rounding.
const RESOLUTION: f64 = 1e-10;

/// `W` of `D × M` as a matrix of `P M × L`, the head against the kernels; `D = P L`.
fn unfolded(w: &ArrayView2<f64>, positions: usize) -> Array2<f64> {
    let (features, outputs) = w.dim();
    let taps = features / positions.max(1);
    Array2::from_shape_fn((positions * outputs, taps), |(row, tap)| {
        w[[row / outputs * taps + tap, row % outputs]]
    })
}

/// The unstructured estimate: least squares where the features are independent in the sample, else the ridge estimate of
/// the spectral start.
fn unstructured(sample: &Sample) -> Result<Array2<f64>> {
    let z = &sample.z;
    if z.nrows() >= z.ncols() && rank(&z.view(), rank_tolerance(z.dim()))? == z.ncols() {
        return ridge(sample, 0.0);
    }
    let d = sample.features();
    memory::check("the second moment of the features", &[d, d])?;
    let w = pilot(sample, (z.nrows() >= d).then(|| gram(&z.view())).as_ref())?;
    Ok(shaped((d, sample.outputs()), w.to_vec()))
}

/// The rank of the `P M × L` unfolding of a structure's `W` at a generic point: its R.
///
/// # Errors
/// A failure of LAPACK.
pub fn unfolding_rank(structure: &Structure, positions: usize) -> Result<usize> {
    let w = structure.coefficient_matrix(&structure.generic_point())?;
    Ok(rank(&unfolded(&w.view(), positions).view(), RESOLUTION)?)
}

/// The distance of each candidate's rank from that of EVBMF (at least 1).
pub(super) fn judge(evidence: &Evidence) -> Result<Verdict> {
    let matrix = unfolded(&unstructured(evidence.sample)?.view(), evidence.positions);
    let (_, values, _) = svd(&matrix.view())?;
    let found = evbmf(&values.to_vec(), matrix.nrows(), matrix.ncols(), RESOLUTION).rank.max(1);
    let values = evidence
        .structures
        .iter()
        .map(|s| Ok(unfolding_rank(s, evidence.positions)?.abs_diff(found) as f64))
        .collect::<Result<Vec<f64>>>()?;
    let chosen = evidence.most_parsimonious(&values, least(&values))?;
    Ok(Verdict { values, errors: Vec::new(), chosen })
}
