//! Training of compressed convolutional networks.

pub mod ablation;
pub mod blocks;
pub mod checkpoint;
pub mod data;
pub mod engine;
pub mod error;
pub mod events;
pub mod layer;
pub mod network;
pub mod optimiser;
pub mod parameters;
pub mod schedule;
pub mod train;

pub use error::TrainError;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, TrainError>;

/// Keeps freed memory for the next step: activations are too large for what the C library keeps by itself, and giving
/// them back to the system after every operation costs a page fault for every 4 KiB. Call it once, at the start.
pub fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only changes thresholds of the allocator.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}
