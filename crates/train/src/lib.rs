//! Training of compressed convolutional networks, and the K/R ablation.
//!
//! A guided tour:
//!
//! * [`engine`]: operations of convolutional networks forward and backward on candle tensors, channels last, behind one
//!   trait ([`engine::Backend`]), and a tape that differentiates. [`engine::cpu::Cpu`] is the portable backend.
//! * [`blocks`]: bottleneck, depthwise, Tucker, CP, tensor train, any einsum …, each with its K and R; [`layer`] and
//!   [`network`] put them together and count parameters, multiply–accumulates and d_M (THEORY §2).
//! * [`data`]: images in memory and videos in a mapped file, read from the formats they are distributed in, and batches
//!   made ahead of the compute; [`score`] by clip and by video.
//! * [`train`](mod@train): steps, epochs, evaluation; [`checkpoint`]s from which a run goes on to the same numbers;
//!   [`optimiser`], [`schedule`], [`events`] for TensorBoard.
//! * [`fetch`](mod@fetch): downloads the data sets that are not built in.
//! * [`ablation`]: blocks × K/R × seeds, stored and resumed as studies are, with table and figure.
//!
//! ```
//! use candle_core::DType;
//! use convstat_train::engine::cpu::Cpu;
//! use convstat_train::network::{Network, NetworkSpec};
//! use convstat_train::train::{Trainer, TrainingSpec};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! convstat_tensor::blas::single_thread()?;
//! let spec: NetworkSpec = toml::from_str("block = 'bottleneck'\nstages = [{ r = 4 }, { r = 8 }]")?;
//! let network = Network::new(&spec, &[8, 8, 1], 10, 4.0)?;
//! println!("{} parameters, d_M {}", network.counts().parameters, network.counts().d_m);
//!
//! let data = convstat_train::data::load("digits", None, 1)?;
//! let training: TrainingSpec = toml::from_str("epochs = 1\nbatch = 32\noptimiser = { kind = 'sgd', rate = 0.1 }")?;
//! let mut trainer = Trainer::new(&network, &Cpu, &training, 1, DType::F32)?;
//! let score = convstat_train::train::test(&mut trainer, &data, 1)?;
//! assert!(score.accuracy < 0.5);
//! # Ok(())
//! # }
//! ```

pub mod ablation;
pub mod blocks;
pub mod checkpoint;
pub mod data;
pub mod engine;
pub mod error;
pub mod events;
pub mod fetch;
pub mod layer;
pub mod network;
pub mod optimiser;
pub mod parameters;
pub mod schedule;
pub mod score;
pub mod train;

pub use error::TrainError;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, TrainError>;

/// Keeps freed memory for the next step: activations are large, and giving them back to the system after every operation
/// costs a page fault for every 4 KiB. Call it once, at the start.
pub fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only changes thresholds of the allocator.
    unsafe {
        libc::mallopt(libc::M_MMAP_MAX, 0);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}
