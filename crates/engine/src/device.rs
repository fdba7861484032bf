//! Devices as a user names them.

use crate::backend::Backend;
use crate::cpu::Cpu;
use crate::precision::Precision;
use crate::{EngineError, Result};

/// A device and how it computes, as a user names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeviceSpec {
    /// Number of the GPU; none for the processor.
    pub gpu: Option<usize>,
    /// Arithmetic.
    pub precision: Precision,
}

impl DeviceSpec {
    /// From `cpu`, `cuda` or `cuda:N`, and a precision (default: f32 on the processor, tf32 on a GPU).
    ///
    /// # Errors
    /// Another name; a precision that the device does not have.
    pub fn parse(device: &str, precision: Option<&str>) -> Result<Self> {
        let gpu = match device.split_once(':') {
            None if device == "cpu" => None,
            None if device == "cuda" => Some(0),
            Some(("cuda", number)) if number.parse::<usize>().is_ok() => number.parse().ok(),
            _ => return Err(EngineError::bad("--device", device, "use cpu, cuda or cuda:N")),
        };
        let usual = if gpu.is_some() { Precision::Tf32 } else { Precision::F32 };
        let precision = match precision {
            None => usual,
            Some(name) => Precision::ALL
                .into_iter()
                .find(|p| p.name() == name)
                .ok_or_else(|| EngineError::bad("--precision", name, "use f32, tf32 or bf16"))?,
        };
        if gpu.is_none() && precision != Precision::F32 {
            let mend = "the processor computes in f32; use --device cuda";
            return Err(EngineError::bad("--precision", precision.name(), mend));
        }
        Ok(Self { gpu, precision })
    }

    /// The backend, with a stream of its own on a GPU.
    ///
    /// # Errors
    /// A GPU that is not there, or that this program was built without.
    pub fn open(&self) -> Result<Box<dyn Backend>> {
        match self.gpu {
            None => Ok(Box::new(Cpu)),
            #[cfg(feature = "cuda")]
            Some(number) => Ok(Box::new(crate::cuda::Cuda::new(number, self.precision)?)),
            #[cfg(not(feature = "cuda"))]
            Some(number) => {
                let mend = "this program is built without CUDA; build it with: cargo build --release --bin convstat-train \
                            --features cuda";
                Err(EngineError::bad("--device", format!("cuda:{number}"), mend))
            }
        }
    }
}
