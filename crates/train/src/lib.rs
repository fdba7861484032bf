//! Training of compressed convolutional networks, and the K/R ablation.
//!
//! A guided tour:
//!
//! * [`blocks`]: bottleneck, depthwise, Tucker, CP, tensor train, any einsum …, each with its K and R; [`layer`] and
//!   [`network`] put them together and count parameters, multiply–accumulates and d_M (THEORY §2).
//! * [`training`]: steps, epochs, evaluation; [`checkpoint`]s from which a run goes on to the same numbers;
//!   [`schedule`], [`events`] for TensorBoard; [`score`] by clip and by video.
//! * [`ablation`]: blocks × K/R × seeds, stored and resumed as studies are, with table and figure.
//!
//! Tensors, their operations and derivatives are [`convstat_engine`], samples and batches [`convstat_data`].
//!
//! ```
//! use candle_core::DType;
//! use convstat_engine::cpu::Cpu;
//! use convstat_train::network::{Network, NetworkSpec};
//! use convstat_train::training::{Trainer, TrainingSpec};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! convstat_tensor::blas::single_thread()?;
//! let spec: NetworkSpec = toml::from_str("block = 'bottleneck'\nstages = [{ r = 4 }, { r = 8 }]")?;
//! let network = Network::new(&spec, &[8, 8, 1], 10, 4.0)?;
//! println!("{} parameters, d_M {}", network.counts().parameters, network.counts().d_m);
//!
//! let data = convstat_data::load("digits", None, 1)?;
//! let training: TrainingSpec = toml::from_str("epochs = 1\nbatch = 32\noptimiser = { kind = 'sgd', rate = 0.1 }")?;
//! let mut trainer = Trainer::new(&network, &Cpu, &training, 1, DType::F32)?;
//! let score = convstat_train::training::test(&mut trainer, &data, 1)?;
//! assert!(score.accuracy < 0.5);
//! # Ok(())
//! # }
//! ```

pub mod ablation;
pub mod blocks;
pub mod checkpoint;
pub mod error;
pub mod events;
pub mod feed;
pub mod layer;
pub mod network;
pub mod parameters;
pub mod schedule;
pub mod score;
pub mod training;

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
