//! One NVIDIA GPU with its libraries.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use candle_core::{DType, Tensor};

use super::gpu::Arg::{At, Long};
use super::gpu::{Arg, Gpu, pointer, suffix};
use super::{dnn, gemm, record};
use crate::{Activation, Backend, EngineError, Precision, Result, Step};

/// Bytes of samples in main memory.
pub type Bytes = Arc<dyn AsRef<[u8]> + Send + Sync>;

/// An NVIDIA GPU.
pub struct Cuda {
    // Libraries go before the stream they run on.
    pub(super) dnn: dnn::Dnn,
    pub(super) blas: gemm::Blas,
    /// Numbers of the step, see [`Step::numbers`].
    pub(super) numbers: Tensor,
    pub(super) constants: Mutex<HashMap<Vec<u64>, Tensor>>,
    /// Stores that are held here, see [`feed`].
    pub(super) stores: Mutex<Vec<(Bytes, Tensor)>>,
    pub(super) precision: Precision,
    pub(super) records: bool,
    pub(super) libraries: bool,
    pub(super) gpu: Gpu,
    /// Last, so that it is given back when all else is gone: nobody may record while libraries close.
    closing: Option<record::Shared>,
}

impl Drop for Cuda {
    fn drop(&mut self) {
        let _ = self.gpu.wait();
        self.closing = Some(record::shared());
    }
}

impl std::fmt::Debug for Cuda {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {:?}", self.gpu.name(), self.precision)
    }
}

impl Cuda {
    /// GPU number `ordinal`.
    ///
    /// # Errors
    /// No driver, no such GPU, libraries that do not load.
    pub fn new(ordinal: usize, precision: Precision) -> Result<Self> {
        let _shared = record::shared();
        let gpu = Gpu::new(ordinal)?;
        let (dnn, blas) = (dnn::Dnn::new(&gpu, precision)?, gemm::Blas::new(&gpu, precision)?);
        let numbers = gpu.empty(DType::F32, &[Step::NUMBERS])?;
        gpu.clear(&numbers)?;
        Ok(Self {
            dnn,
            blas,
            numbers,
            constants: Mutex::default(),
            stores: Mutex::default(),
            precision,
            records: true,
            libraries: true,
            gpu,
            closing: None,
        })
    }

    /// The same without CUDA graphs.
    pub fn without_graphs(mut self) -> Self {
        self.records = false;
        self
    }

    /// The same with convolutions by columns in place of cuDNN's.
    pub fn without_dnn(mut self) -> Self {
        self.libraries = false;
        self
    }

    /// Waits until all work is done.
    ///
    /// # Errors
    /// A call of CUDA that fails, for instance for want of memory.
    pub fn wait(&self) -> Result<()> {
        self.gpu.wait()
    }

    /// Free and total memory in bytes.
    pub fn memory_left(&self) -> (usize, usize) {
        self.gpu.memory()
    }

    /// Type of activations.
    pub fn dtype(&self) -> DType {
        if self.precision == Precision::Bf16 { DType::BF16 } else { DType::F32 }
    }

    /// `t` as numbers of another type.
    ///
    /// # Errors
    /// A call of CUDA that fails, for instance for want of memory.
    pub fn cast(&self, t: &Tensor, dtype: DType) -> Result<Tensor> {
        if t.dtype() == dtype {
            return Ok(t.clone());
        }
        let to = self.gpu.empty(dtype, t.dims())?;
        let n = t.elem_count();
        let name = format!("cast_{}_{}", suffix(t.dtype())?, suffix(dtype)?);
        self.gpu.over(&name, n, 4, &[At(pointer(t)?), At(pointer(&to)?), Long(n)])?;
        Ok(to)
    }

    /// A tensor of no axes that is 1.
    ///
    /// # Errors
    /// A call of CUDA that fails, for instance for want of memory.
    pub fn constant_one(&self) -> Result<Tensor> {
        Ok(self.constant(&[1.0], DType::F32)?.reshape(())?)
    }

    /// An operation on every entry of `inputs`.
    ///
    /// # Errors
    /// A call of CUDA that fails, for instance for want of memory.
    pub fn entries(&self, name: &str, inputs: &[&Tensor], more: &[Arg]) -> Result<Tensor> {
        let like = inputs[0];
        if inputs.iter().any(|t| t.dims() != like.dims() || t.dtype() != like.dtype()) {
            return Err(EngineError::shape("CUDA backend", format!("{name}: tensors that differ")));
        }
        let (y, n) = (self.gpu.empty(like.dtype(), like.dims())?, like.elem_count());
        let mut args = Vec::with_capacity(6);
        for t in inputs {
            args.push(At(pointer(t)?));
        }
        args.extend([At(pointer(&y)?), Long(n)]);
        args.extend_from_slice(more);
        self.gpu.over(&format!("{name}_{}", suffix(like.dtype())?), n, 4, &args)?;
        Ok(y)
    }
}

/// Rows and channels of activations.
pub fn sides(x: &Tensor) -> (usize, usize) {
    let channels = x.dims().last().copied().unwrap_or(1);
    (x.elem_count() / channels.max(1), channels)
}

/// The functions' numbers in the kernels.
pub fn number_of(activation: Activation) -> i32 {
    match activation {
        Activation::Identity => 0,
        Activation::Relu => 1,
        Activation::Relu6 => 2,
        Activation::Silu => 3,
        Activation::Tanh => 4,
        Activation::Sigmoid => 5,
        Activation::Gelu => 6,
    }
}
