//! Samples cut, mirrored, normalised and blanked on the GPU. A store in memory is held there whole, if it takes at most a
//! quarter of what is free; of others, what the cuts read is sent batch by batch.

use std::sync::{Arc, PoisonError};

use candle_core::{DType, Tensor};

use super::device::Cuda;
use super::gpu::Arg::{At, Long, Size, Struct};
use super::gpu::{Plain, bytes_of, pointer, suffix};
use crate::{Cut, EngineError, Feed, Form, Inputs, Prepared, Result, Samples};

// SAFETY: integers only, without padding.
unsafe impl Plain for Cut {}

/// Batches of the samples of one store.
pub struct CudaFeed<'a> {
    cuda: &'a Cuda,
    /// The whole store, if it is resident.
    resident: Option<Tensor>,
    /// Value of each byte, for each channel.
    table: Tensor,
    shape: Vec<usize>,
}

impl<'a> CudaFeed<'a> {
    pub fn new(cuda: &'a Cuda, samples: &Samples) -> Result<Self> {
        let resident = if samples.is_mapped { None } else { cuda.store(samples)? };
        let rows = &samples.table;
        let table = cuda.gpu.empty(DType::F32, &[rows.len(), 256])?;
        cuda.gpu.upload(&table, bytes_of(rows.as_flattened()))?;
        Ok(Self { cuda, resident, table, shape: samples.shape.clone() })
    }
}

impl Cuda {
    /// The bytes of a store on the GPU, sent once; none if they would take most of its memory.
    fn store(&self, samples: &Samples) -> Result<Option<Tensor>> {
        let mut all = self.stores.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, resident)) =
            all.iter().find(|(store, _)| std::ptr::addr_eq(Arc::as_ptr(store), Arc::as_ptr(&samples.bytes)))
        {
            return Ok(Some(resident.clone()));
        }
        let bytes = (*samples.bytes).as_ref();
        if bytes.len() > self.gpu.memory().0 / 4 {
            return Ok(None);
        }
        let resident = self.gpu.empty(DType::U8, &[bytes.len()])?;
        self.gpu.upload(&resident, bytes)?;
        all.push((samples.bytes.clone(), resident.clone()));
        Ok(Some(resident))
    }
}

impl Feed for CudaFeed<'_> {
    fn form(&self) -> Form {
        if self.resident.is_some() { Form::Cuts } else { Form::Bytes }
    }

    fn load(&self, batch: Prepared, previous: Option<Inputs>) -> Result<Inputs> {
        let Prepared::Cuts { bytes, cuts, labels } = batch else {
            return Err(EngineError::shape("CUDA backend", "a batch of values in main memory"));
        };
        let _shared = super::record::shared();
        let (gpu, dtype) = (&self.cuda.gpu, self.cuda.dtype());
        let (n, dims) = (cuts.len(), [&[cuts.len()], self.shape.as_slice()].concat());
        let inputs = match previous.filter(|p| p.x.dims() == dims && p.x.dtype() == dtype) {
            Some(inputs) => inputs,
            None => Inputs { x: gpu.empty(dtype, &dims)?, labels: gpu.empty(DType::U32, &[n])? },
        };
        gpu.upload(&inputs.labels, bytes_of(&labels))?;
        let places = gpu.empty(DType::U8, &[n * size_of::<Cut>()])?;
        gpu.upload(&places, bytes_of(&cuts))?;
        let source = match (bytes, &self.resident) {
            (None, Some(resident)) => resident.clone(),
            (Some(bytes), _) => {
                let sent = gpu.empty(DType::U8, &[bytes.len()])?;
                gpu.upload(&sent, &bytes)?;
                sent
            }
            (None, None) => return Err(EngineError::shape("CUDA backend", "a batch without its bytes")),
        };
        let Some((&channels, spatial)) = self.shape.split_last() else {
            return Err(EngineError::shape("CUDA backend", "samples without axes"));
        };
        let mut sizes = [1i32; 3];
        sizes[3 - spatial.len()..].iter_mut().zip(spatial).for_each(|(s, v)| *s = *v as i32);
        let positions = n * spatial.iter().product::<usize>();
        let args = [
            At(pointer(&source)?),
            At(pointer(&places)?),
            At(pointer(&self.table)?),
            At(pointer(&inputs.x)?),
            Long(positions),
            Struct(bytes_of(std::slice::from_ref(&sizes))),
            Size(channels as u32),
        ];
        gpu.over(&format!("samples_{}", suffix(dtype)?), positions, 1, &args)?;
        Ok(inputs)
    }
}
