//! The tensors of a file, as slices of its bytes.

use std::collections::BTreeSet;
use std::path::Path;

use bytes::Bytes;
use safetensors::Dtype;
use safetensors::tensor::Metadata;

use crate::{GraphError, Numbers, Result, Weight};

/// Longest header, as the format's own reader has it.
const MOST_HEADER: u64 = 100_000_000;

/// Longest name, and most modes.
const MOST_NAME: usize = 1000;
const MOST_MODES: usize = 16;

/// Most shards of one network.
const MOST_SHARDS: usize = 10_000;

/// One tensor.
#[derive(Debug, Clone)]
pub(super) struct Tensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub entries: usize,
    /// None for numbers that weights are not made of here (8-bit floats and shorter).
    pub numbers: Option<Numbers>,
    bytes: Bytes,
}

impl Tensor {
    /// As the weight of a layer.
    pub fn weight(&self) -> Option<Weight> {
        Weight::new(&self.name, self.shape.clone(), self.numbers?, self.bytes.clone()).ok()
    }
}

/// Reads a file, or all shards of an index. Tensors of whole numbers and of truth values (counters, positions) are left out.
pub(super) fn open(path: &Path) -> Result<Vec<Tensor>> {
    if path.extension().is_none_or(|e| e != "json") {
        return tensors(path, read(path)?);
    }
    let index: serde_json::Value = serde_json::from_slice(&read(path)?)
        .map_err(|e| GraphError::bad_model(path, format!("no index of a safetensors file: {e}")))?;
    let map = index.get("weight_map").and_then(serde_json::Value::as_object);
    let map = map.ok_or_else(|| {
        GraphError::bad_model(path, "no \"weight_map\"; give a .safetensors file or its index".to_owned())
    })?;
    let shards: BTreeSet<&str> = map.values().filter_map(serde_json::Value::as_str).collect();
    if shards.len() > MOST_SHARDS {
        return Err(GraphError::bad_model(
            path,
            format!("{} shards; at most {MOST_SHARDS} are read", shards.len()),
        ));
    }
    let mut all = Vec::new();
    for shard in shards {
        // Only files beside the index.
        if shard.contains(['/', '\\']) || shard.starts_with('.') || shard.ends_with(".json") {
            return Err(GraphError::bad_model(
                path,
                format!("shard \"{shard}\" is no file beside the index"),
            ));
        }
        let file = path.with_file_name(shard);
        all.extend(tensors(&file, read(&file)?)?);
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = all.iter().find(|t| !names.insert(t.name.as_str())) {
        return Err(GraphError::bad_model(path, format!("\"{}\" stands in two shards", twice.name)));
    }
    Ok(all)
}

fn read(path: &Path) -> Result<Bytes> {
    let io = GraphError::io(path);
    if !std::fs::metadata(path).map_err(&io)?.is_file() {
        return Err(GraphError::bad_model(
            path,
            "this is no file; give a .safetensors file or its .index.json".to_owned(),
        ));
    }
    std::fs::read(path).map(Bytes::from).map_err(io)
}

/// The tensors in the bytes of one file: eight bytes with the header's length, a JSON header, the numbers. Every offset is
/// checked, also against overflow.
fn tensors(path: &Path, bytes: Bytes) -> Result<Vec<Tensor>> {
    let length = match bytes.first_chunk::<8>() {
        Some(first) => u64::from_le_bytes(*first),
        None => {
            return Err(GraphError::bad_model(
                path,
                format!("{} bytes are no safetensors file; it is cut off", bytes.len()),
            ));
        }
    };
    let end = usize::try_from(length).ok().filter(|_| length <= MOST_HEADER).and_then(|n| n.checked_add(8));
    let (Some(header), Some(end)) = (end.and_then(|end| bytes.get(8..end)), end) else {
        let reason = format!(
            "its header would have {length} bytes, the file has {}: no safetensors file, or cut off",
            bytes.len()
        );
        return Err(GraphError::bad_model(path, reason));
    };
    let header: Metadata = serde_json::from_slice(header)
        .map_err(|e| GraphError::bad_model(path, format!("no safetensors header: {e}")))?;
    let data = bytes.slice(end..);
    if header.data_len() != data.len() {
        let reason = format!(
            "its tensors need {} bytes, {} follow the header: the file is cut off or was changed",
            header.data_len(),
            data.len()
        );
        return Err(GraphError::bad_model(path, reason));
    }
    let mut all = Vec::new();
    for name in header.offset_keys() {
        let Some(info) = header.info(&name) else { continue };
        if name.len() > MOST_NAME || info.shape.len() > MOST_MODES {
            let reason = format!(
                "a name of {} bytes or a tensor of {} modes; at most {MOST_NAME} and {MOST_MODES} are read",
                name.len(),
                info.shape.len()
            );
            return Err(GraphError::bad_model(path, reason));
        }
        let numbers = match info.dtype {
            Dtype::F64 => Some(Numbers::F64),
            Dtype::F32 => Some(Numbers::F32),
            Dtype::F16 => Some(Numbers::F16),
            Dtype::BF16 => Some(Numbers::BF16),
            Dtype::I8 => Some(Numbers::I8),
            Dtype::U8 => Some(Numbers::U8),
            Dtype::BOOL | Dtype::I16 | Dtype::U16 | Dtype::I32 | Dtype::U32 | Dtype::I64 | Dtype::U64 => {
                continue;
            }
            _ => None,
        };
        let (from, to) = info.data_offsets;
        if from > to || to > data.len() {
            return Err(GraphError::bad_model(path, format!("\"{name}\" lies outside the file")));
        }
        let entries = info.shape.iter().try_fold(1usize, |n, &s| n.checked_mul(s));
        let entries = entries.ok_or_else(|| {
            GraphError::bad_model(path, format!("\"{name}\" of shape {:?}: too large", info.shape))
        })?;
        all.push(Tensor { name, shape: info.shape.clone(), entries, numbers, bytes: data.slice(from..to) });
    }
    Ok(all)
}
