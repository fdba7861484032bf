//! Checkpoints: one safetensors file with all tensors, and the state in its metadata; and weights alone, for other programs.
//! Files are written aside, synced and renamed.

// What a file says decides no index.
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::Path;

use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, TensorView};
use safetensors::{SafeTensors, serialize};

use crate::{Result, TrainError};

/// Key of the state in the metadata.
const STATE: &str = "convstat";

fn bytes_of(t: &Tensor) -> Result<(Dtype, Vec<u8>)> {
    let flat = t.flatten_all()?.to_device(&Device::Cpu)?;
    match t.dtype() {
        DType::F32 => Ok((Dtype::F32, flat.to_vec1::<f32>()?.iter().flat_map(|v| v.to_le_bytes()).collect())),
        DType::F64 => Ok((Dtype::F64, flat.to_vec1::<f64>()?.iter().flat_map(|v| v.to_le_bytes()).collect())),
        other => Err(TrainError::shape("checkpoint", format!("numbers of type {other:?}"))),
    }
}

/// Writes named tensors and a state.
///
/// # Errors
/// A file that cannot be written; the one before then stays as it was.
pub fn write(path: &Path, tensors: &[(String, Tensor)], state: &str) -> Result<()> {
    write_with(path, tensors, STATE, state)
}

/// Writes named tensors as PyTorch's users do, without a state.
///
/// # Errors
/// See [`write`](fn@write).
pub fn write_weights(path: &Path, tensors: &[(String, Tensor)]) -> Result<()> {
    write_with(path, tensors, "format", "pt")
}

fn write_with(path: &Path, tensors: &[(String, Tensor)], key: &str, value: &str) -> Result<()> {
    let mut bytes = Vec::with_capacity(tensors.len());
    for (_, t) in tensors {
        bytes.push(bytes_of(t)?);
    }
    let format = |e: safetensors::SafeTensorError| TrainError::data(path, e.to_string());
    let mut views = Vec::with_capacity(tensors.len());
    for ((name, t), (dtype, bytes)) in tensors.iter().zip(&bytes) {
        views.push((name.as_str(), TensorView::new(*dtype, t.dims().to_vec(), bytes).map_err(format)?));
    }
    let metadata = HashMap::from([(key.to_owned(), value.to_owned())]);
    let all = serialize(views, Some(metadata)).map_err(format)?;
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(TrainError::io("create", folder))?;
    }
    let aside = path.with_extension("tmp");
    let mut file = File::create(&aside).map_err(TrainError::io("write", &aside))?;
    std::io::Write::write_all(&mut file, &all).map_err(TrainError::io("write", &aside))?;
    file.sync_all().map_err(TrainError::io("sync", &aside))?;
    fs::rename(&aside, path).map_err(TrainError::io("write", path))
}

/// Reads what [`write`](fn@write) wrote: tensors by name, and the state.
///
/// # Errors
/// A file that is missing, cut short or no checkpoint of this program.
pub fn read(path: &Path, device: &Device) -> Result<(HashMap<String, Tensor>, String)> {
    let bytes = fs::read(path).map_err(TrainError::io("read", path))?;
    let format = |e: safetensors::SafeTensorError| {
        TrainError::data(
            path,
            format!(
                "not a checkpoint, or cut short ({e}); if it is of train or ablate, remove it to start afresh"
            ),
        )
    };
    let (_, metadata) = SafeTensors::read_metadata(&bytes).map_err(format)?;
    let state = metadata.metadata().as_ref().and_then(|m| m.get(STATE)).cloned();
    let Some(state) = state else {
        return Err(TrainError::data(path, "safetensors without the state of a training run"));
    };
    let mut tensors = HashMap::new();
    for (name, view) in SafeTensors::deserialize(&bytes).map_err(format)?.tensors() {
        let (shape, data) = (view.shape().to_vec(), view.data());
        let tensor = match view.dtype() {
            Dtype::F32 => {
                let v: Vec<f32> = data.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
                Tensor::from_vec(v, shape, device)?
            }
            Dtype::F64 => {
                let v: Vec<f64> = data.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
                Tensor::from_vec(v, shape, device)?
            }
            other => {
                return Err(TrainError::data(path, format!("tensor {name} has numbers of type {other:?}")));
            }
        };
        tensors.insert(name, tensor);
    }
    Ok((tensors, state))
}
