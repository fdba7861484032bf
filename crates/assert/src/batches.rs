//! Errors of replicates, in order, computed in parallel.

use convstat_theory::ErrorNorm;
use rayon::prelude::*;

use crate::{AssertError, Replicates, Result};

/// Errors of replicates `range` at each n of `ns`: one list a replicate, n in order. The same for any number of threads.
///
/// # Errors
/// Of the first replicate that failed, or whose error is NaN or negative.
pub(crate) fn errors(
    source: &(impl Replicates + ?Sized),
    norm: ErrorNorm,
    ns: &[u64],
    range: std::ops::Range<usize>,
) -> Result<Vec<Vec<f64>>> {
    let tasks: Vec<(u64, u64)> =
        range.flat_map(|replicate| ns.iter().map(move |&n| (n, replicate as u64))).collect();
    let found: Vec<Result<f64>> = tasks
        .into_par_iter()
        .map(|(n, replicate)| {
            let failed = |source| AssertError::Replicate { n, replicate, source };
            let error = source.error(norm, n, replicate).map_err(failed)?;
            if error >= 0.0 { Ok(error) } else { Err(failed(format!("its error norm is {error}").into())) }
        })
        .collect();
    let flat = found.into_iter().collect::<Result<Vec<f64>>>()?;
    Ok(flat.chunks(ns.len().max(1)).map(<[f64]>::to_vec).collect())
}

/// Fails unless squares are finite.
pub(crate) fn finite_square(error: f64, n: u64, replicate: usize) -> Result<f64> {
    let square = error * error;
    if square.is_finite() {
        return Ok(square);
    }
    let source = format!("the square of its error norm {error:e} is not finite; scale the data").into();
    Err(AssertError::Replicate { n, replicate: replicate as u64, source })
}
