//! Safetensors files: trained weights by name, and what their names and shapes tell about the network.
//!
//! A safetensors file holds names, shapes and numbers, nothing else. Known from it: kernels, channels, biases, trained
//! parameters, spectra. From names (torchvision's, timm's, Hugging Face's) follow the order of layers, groups (where a kernel
//! reads fewer channels than the layer before makes), blocks with their shortcuts, and squeeze-and-excitation gates.
//!
//! **Not in the file, so not in the graph of [`read`]:** strides, padding and dilation (set to 1, 0 and 1), spatial sizes
//! (shapes stay empty, so multiply–accumulates are 0), pools, activations without parameters, reshapes. And guessed from
//! names, so sometimes wrong: a block with as many channels at its end as at its start has an identity shortcut, also where a
//! stride forbids one; normalisation without running statistics is called "layer" (it may be group or instance); a
//! classifier (`fc`, `head`, `classifier`) after a convolution reads a globally pooled map, or a flattened one if it has a
//! multiple of its channels as features. Where a layer cannot read what stands before it, an operation of kind "unknown"
//! stands between them: the names do not tell what it reads.
//!
//! [`read_into`] has none of these gaps: it puts the weights into the graph of a known architecture, whose name
//! [`architecture_name`] finds in a `config.json` beside the file.

mod chain;
mod fill;
mod modules;
mod order;
mod tensors;

use std::path::Path;

use crate::{Graph, GraphError, Result};

/// Entries of an input shape, at most.
const MOST_INPUT: usize = 1 << 30;

/// Longest configuration that is read.
const MOST_CONFIG_BYTES: u64 = 4 << 20;

/// Reads a safetensors file, or the `….safetensors.index.json` of one in shards, by the conventions of names. `input` is the
/// shape of the network's input without the batch; it is checked against the first layer, and sizes are followed from it
/// through layers that keep them (linear layers on sequences or vectors).
///
/// The weights of the graph are slices of the file's bytes, which are read once.
///
/// # Errors
/// A file that cannot be read or is no safetensors file, an input of other channels than the first layer reads, no layers.
pub fn read(path: &Path, input: Option<&[usize]>) -> Result<Graph> {
    if let Some(shape) = input {
        let entries = shape.iter().try_fold(1usize, |n, &s| n.checked_mul(s));
        if shape.is_empty() || !entries.is_some_and(|n| (1..=MOST_INPUT).contains(&n)) {
            return Err(GraphError::BadOption {
                option: "input",
                value: format!("{shape:?}"),
                mend: format!("give sizes above 0 and at most {MOST_INPUT} entries, for instance 3,224,224"),
            });
        }
    }
    let tensors = tensors::open(path)?;
    if tensors.iter().any(|t| t.name.starts_with("moment0:")) {
        let reason = "it is a checkpoint of convstat-train, with moments of the optimiser; audit the weights beside it";
        return Err(GraphError::bad_model(path, reason.to_owned()));
    }
    let modules = modules::modules(tensors);
    let name = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    chain::graph(name, modules, input).map_err(|reason| GraphError::bad_model(path, reason))
}

/// Puts a file's weights into the convolutions and linear layers of an architecture: by name (`NAME.weight`, also behind a
/// prefix such as `model.`) and shape, or if no name is known, in order, if all shapes agree. The last layer may have another
/// number of outputs in the file (another number of classes); the graph then has it. Layers that the file lacks stay without
/// weight.
///
/// # Errors
/// A file that cannot be read, a layer of another shape than the architecture's, none of its layers.
pub fn read_into(path: &Path, architecture: Graph) -> Result<Graph> {
    fill::fill(architecture, tensors::open(path)?).map_err(|reason| GraphError::bad_model(path, reason))
}

/// Name of the architecture in the `config.json` beside a file, as torchvision spells it where it has the network: timm's
/// `architecture`, or of Hugging Face's configurations the kind and depth of a ResNet, otherwise `model_type`. None without
/// such a file or key.
pub fn architecture_name(path: &Path) -> Option<String> {
    let config = path.parent()?.join("config.json");
    if std::fs::metadata(&config).ok()?.len() > MOST_CONFIG_BYTES {
        return None;
    }
    let config: serde_json::Value = serde_json::from_slice(&std::fs::read(config).ok()?).ok()?;
    let text = |key: &str| config.get(key).and_then(serde_json::Value::as_str);
    if let Some(name) = text("architecture") {
        // Behind a dot stands what it was trained on.
        let name = name.split('.').next().unwrap_or(name);
        let spelling = match name {
            "mobilenetv2_100" => "mobilenet_v2",
            "mobilenetv3_large_100" => "mobilenet_v3_large",
            "mobilenetv3_small_100" => "mobilenet_v3_small",
            other => other,
        };
        return Some(spelling.to_owned());
    }
    let kind = text("model_type")?;
    if kind != "resnet" {
        return Some(kind.to_owned());
    }
    let depths: Option<Vec<u64>> =
        config.get("depths")?.as_array()?.iter().map(serde_json::Value::as_u64).collect();
    let depth = match (text("layer_type").unwrap_or("bottleneck"), depths?.as_slice()) {
        ("basic", [2, 2, 2, 2]) => 18,
        ("basic", [3, 4, 6, 3]) => 34,
        ("bottleneck", [3, 4, 6, 3]) => 50,
        ("bottleneck", [3, 4, 23, 3]) => 101,
        ("bottleneck", [3, 8, 36, 3]) => 152,
        _ => return None,
    };
    Some(format!("resnet{depth}"))
}
