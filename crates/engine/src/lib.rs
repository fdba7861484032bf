//! The engine: operations of convolutional networks forward and backward, and a tape that differentiates.
//!
//! Tensors are candle's, channels last: activations `(N, spatial…, C)`, convolution weights `(O, taps…, C / groups)`. The
//! derivatives are ours: candle's own are wrong for some of these operations and slow for others. [`Backend`] is
//! one device's way to compute them; [`cpu::Cpu`] is the portable one, and the oracle for others. `cuda::Cuda` (feature
//! `cuda`) is an NVIDIA GPU.
//!
//! ```
//! use candle_core::{Device, Tensor};
//! use convstat_engine::cpu::Cpu;
//! use convstat_engine::{Activation, Tape};
//!
//! # fn main() -> convstat_engine::Result<()> {
//! let mut tape = Tape::new(&Cpu, true);
//! let x = tape.parameter(0, Tensor::from_slice(&[-1.0f32, 2.0], (1, 2), &Device::Cpu)?);
//! let y = tape.activate(x, Activation::Relu)?;
//! let ones = Tensor::from_slice(&[1.0f32, 1.0], (1, 2), &Device::Cpu)?;
//! let gradients = tape.propagate(y, ones)?;
//! assert_eq!(gradients[&0].to_vec2::<f32>()?, [[0.0, 1.0]]);
//! # Ok(())
//! # }
//! ```

mod activation;
mod backend;
pub mod cpu;
#[cfg(feature = "cuda")]
pub mod cuda;
mod device;
pub mod error;
mod feed;
mod normalisation;
pub mod optimiser;
#[cfg(any(test, feature = "cuda"))]
mod pairs;
mod precision;
mod step;
pub mod tape;
pub mod window;

pub use activation::{Activation, Pool};
pub use backend::{Backend, Gradients, Recorder};
pub use device::DeviceSpec;
pub use error::{EngineError, Result};
pub use feed::{Cut, Feed, Form, Inputs, Prepared, Samples};
pub use normalisation::{EPSILON, NORM_MOMENTUM, NormGradients, NormState, Normalised};
pub use optimiser::{Method, OptimiserSpec};
pub use precision::Precision;
pub use step::Step;
pub use tape::{Tape, Var};
pub use window::{ConvSpec, PoolSpec, Window};
