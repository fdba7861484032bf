//! Samples cut, mirrored, normalised and blanked on the GPU. A store in memory is held there whole, if it takes at most a
//! quarter of what is free; of others, what the views show is sent batch by batch.

use std::sync::Arc;

use candle_core::{DType, Tensor};

use super::Cuda;
use super::conv::suffix;
use super::gpu::Arg::{At, Long, Size, Struct};
use super::gpu::{Plain, bytes_of, pointer};
use crate::data::{Images, Loader, Make, Normalisation, Recipe, View};
use crate::engine::{Feed, Inputs, Prepared};
use crate::{Result, TrainError};

// SAFETY: integers only, without padding.
unsafe impl Plain for View {}

/// Samples of one store.
pub struct Samples<'a> {
    cuda: &'a Cuda,
    /// The whole store, if it is held.
    held: Option<Tensor>,
    /// Value of each byte, for each channel.
    table: Tensor,
    shape: Vec<usize>,
}

impl<'a> Samples<'a> {
    pub fn new(cuda: &'a Cuda, images: &Images, normalisation: &Normalisation) -> Result<Self> {
        let held = if images.is_mapped() { None } else { cuda.store(images)? };
        let rows = normalisation.table();
        let table = cuda.gpu.empty(DType::F32, &[rows.len(), 256])?;
        cuda.gpu.upload(&table, bytes_of(rows.as_flattened()))?;
        Ok(Self { cuda, held, table, shape: images.shape.clone() })
    }
}

impl Cuda {
    /// The bytes of a store on the GPU, sent once; none if they would take most of its memory.
    fn store(&self, images: &Images) -> Result<Option<Tensor>> {
        let mut all = self.stores.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((_, held)) = all.iter().find(|(store, _)| Arc::ptr_eq(store, images.store())) {
            return Ok(Some(held.clone()));
        }
        let bytes = images.bytes();
        if bytes.len() > self.gpu.memory().0 / 4 {
            return Ok(None);
        }
        let held = self.gpu.empty(DType::U8, &[bytes.len()])?;
        self.gpu.upload(&held, bytes)?;
        all.push((images.store().clone(), held.clone()));
        Ok(Some(held))
    }
}

impl Feed for Samples<'_> {
    fn maker(&self) -> Make<Prepared> {
        let held = self.held.is_some();
        Arc::new(move |loader: &Loader, recipe: Recipe| {
            if held {
                return Prepared::Recipe { bytes: None, views: recipe.views, labels: recipe.labels };
            }
            let (bytes, views) = loader.gather(&recipe);
            Prepared::Recipe { bytes: Some(bytes), views, labels: recipe.labels }
        })
    }

    fn load(&self, batch: Prepared, previous: Option<Inputs>) -> Result<Inputs> {
        let Prepared::Recipe { bytes, views, labels } = batch else {
            return Err(TrainError::shape("CUDA backend", "a batch that is made already"));
        };
        let _beside = super::record::beside();
        let (gpu, dtype) = (&self.cuda.gpu, self.cuda.dtype());
        let (n, dims) = (views.len(), [&[views.len()], self.shape.as_slice()].concat());
        let inputs = match previous.filter(|p| p.x.dims() == dims && p.x.dtype() == dtype) {
            Some(inputs) => inputs,
            None => Inputs { x: gpu.empty(dtype, &dims)?, labels: gpu.empty(DType::U32, &[n])? },
        };
        gpu.upload(&inputs.labels, bytes_of(&labels))?;
        let places = gpu.empty(DType::U8, &[n * size_of::<View>()])?;
        gpu.upload(&places, bytes_of(&views))?;
        let source = match (bytes, &self.held) {
            (None, Some(held)) => held.clone(),
            (Some(bytes), _) => {
                let sent = gpu.empty(DType::U8, &[bytes.len()])?;
                gpu.upload(&sent, &bytes)?;
                sent
            }
            (None, None) => return Err(TrainError::shape("CUDA backend", "a batch without its bytes")),
        };
        let Some((&channels, spatial)) = self.shape.split_last() else {
            return Err(TrainError::shape("CUDA backend", "samples without axes"));
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
