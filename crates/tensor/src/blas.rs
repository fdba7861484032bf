//! The one place that decides how many threads BLAS uses.
//!
//! Parallelism is outermost: rayon over replicates, BLAS on one thread inside. Call
//! [`single_thread`] first in every binary and test.

use crate::{Result, TensorError};

#[cfg(any(feature = "openblas-system", feature = "openblas-static"))]
unsafe extern "C" {
    fn openblas_get_parallel() -> std::ffi::c_int;
    fn openblas_set_num_threads(n: std::ffi::c_int);
    fn openblas_get_config() -> *const std::ffi::c_char;
    fn openblas_get_corename() -> *const std::ffi::c_char;
}

/// Puts BLAS on one thread; safe to call many times.
///
/// # Errors
/// [`TensorError::WrongBlas`] if the linked OpenBLAS is its serial or OpenMP build: the first gives
/// wrong answers under rayon, the second ignores the setting in other threads.
pub fn single_thread() -> Result<()> {
    set_threads(1)
}

/// Puts BLAS on `threads` threads, for one large fit that runs alone.
///
/// # Errors
/// As [`single_thread`].
pub fn set_threads(threads: usize) -> Result<()> {
    #[cfg(any(feature = "openblas-system", feature = "openblas-static"))]
    {
        // SAFETY: it takes nothing, returns an integer and reads only OpenBLAS's own state.
        match unsafe { openblas_get_parallel() } {
            1 => {
                let threads = std::ffi::c_int::try_from(threads.max(1)).unwrap_or(std::ffi::c_int::MAX);
                // SAFETY: it takes an integer and changes only OpenBLAS's own state, under its own lock.
                unsafe { openblas_set_num_threads(threads) }
            }
            0 => return Err(TensorError::WrongBlas { found: "serial" }),
            _ => return Err(TensorError::WrongBlas { found: "OpenMP" }),
        }
    }
    #[cfg(not(any(feature = "openblas-system", feature = "openblas-static")))]
    let _ = (threads, TensorError::WrongBlas { found: "" });
    Ok(())
}

/// Name, version and kernel of the linked BLAS, for provenance.
pub fn description() -> String {
    #[cfg(any(feature = "openblas-system", feature = "openblas-static"))]
    {
        let text = |p: *const std::ffi::c_char| {
            // SAFETY: OpenBLAS returns pointers to NUL-terminated strings that live as long as the process.
            unsafe { std::ffi::CStr::from_ptr(p) }.to_string_lossy().into_owned()
        };
        // SAFETY: both take nothing and return such a string.
        let (config, core) = unsafe { (openblas_get_config(), openblas_get_corename()) };
        let (config, core) = (text(config), text(core));
        let version: Vec<&str> = config.split_whitespace().take(2).collect();
        format!("{} ({core})", version.join(" "))
    }
    #[cfg(not(any(feature = "openblas-system", feature = "openblas-static")))]
    "unknown BLAS".to_owned()
}
