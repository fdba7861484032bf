//! A stated limit on the memory of one array, so that a huge size is an error and not a crash.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::{Result, TensorError};

static LIMIT: AtomicU64 = AtomicU64::new(8 << 30);

/// The limit in bytes for one array (8 GiB unless set).
pub fn limit() -> u64 {
    LIMIT.load(Ordering::Relaxed)
}

/// The largest limit: BLAS and LAPACK count entries in 32 bits.
pub const LARGEST_LIMIT: u64 = 8 * i32::MAX as u64;

/// Sets the limit in bytes for one array; more than [`LARGEST_LIMIT`] is that.
pub fn set_limit(bytes: u64) {
    LIMIT.store(bytes.min(LARGEST_LIMIT), Ordering::Relaxed);
}

/// Number of entries of an `f64` array of shape `dims`.
///
/// # Errors
/// [`TensorError::TooLarge`] if the product overflows or the array passes [`limit`].
pub fn check(what: &str, dims: &[usize]) -> Result<usize> {
    let entries = dims.iter().try_fold(1usize, |acc, &d| acc.checked_mul(d));
    match entries {
        Some(e) if (e as u64).checked_mul(8).is_some_and(|b| b <= limit()) => Ok(e),
        _ => Err(TensorError::TooLarge {
            what: what.to_owned(),
            dims: dims.to_vec(),
            needed_gib: dims.iter().map(|&d| d as f64).product::<f64>() * 8.0 / (1u64 << 30) as f64,
            limit_gib: limit() as f64 / (1u64 << 30) as f64,
        }),
    }
}
