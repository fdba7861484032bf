//! Architecture files: a network in TOML, in the field's terms, for networks that are still being designed.
//!
//! ```
//! let graph = convstat_graph::toml_file::parse(r#"
//!     name = "my-net"
//!     input = [3, 32, 32]             # channels, then one to three spatial modes; [features] for vectors
//!
//!     [[layer]]
//!     conv = { out = 64, kernel = [3, 3], stride = 1, padding = "same", norm = "batch", activation = "relu" }
//!     [[layer]]
//!     bottleneck = { out = 256, r = 64, stride = 2, repeat = 3 }
//!     [[layer]]
//!     pool = { kind = "average", global = true }
//!     [[layer]]
//!     linear = { out = 10 }
//! "#)?;
//! assert_eq!(graph.nodes.last().map(|n| n.shape.clone()), Some(vec![10]));
//! # Ok::<(), convstat_graph::GraphError>(())
//! ```
//!
//! At the top: `name`, `input` (shape without the batch), `outputs` (names of layers; default: the last layer).
//! Each `[[layer]]` has one of the kinds below, a `name` (default: the kind and the layer's number, as in `conv3`) and `from`,
//! the name of the layer that it reads, or a list of names where it joins branches (default: the layer before; `"input"` is
//! the network's input).
//!
//! Sizes of windows (`kernel`, `stride`, `dilation`) are one number for all spatial modes or a list of one each. `padding` is
//! `"same"` (`dilation (kernel − 1)` in all, so that a mode of n leaves `⌈n / stride⌉`), `"valid"` (none), or numbers.
//!
//! | Kind | Keys (default) | Operations |
//! |---|---|---|
//! | `conv` | `out`, `kernel`, `stride` (1), `padding` ("same"), `dilation` (1), `groups` (1), `transposed` (false), `bias` (unless `norm`), `norm`, `activation` | convolution, then normalisation and activation if named |
//! | `depthwise` | `kernel` (3), `multiplier` (1), `stride`, `padding`, `dilation`, `bias`, `norm`, `activation` | each channel filtered alone |
//! | `depthwise_separable` | `out`, `kernel` (3), `stride`, `repeat` (1), `norm` ("batch"), `activation` ("relu") | depthwise, then 1×1 (MobileNet) |
//! | `basic` | `out`, `kernel` (3), `stride`, `repeat`, `residual` (true), `norm`, `activation` | two convolutions and a shortcut (ResNet-18) |
//! | `bottleneck` | `out`, `r`, `kernel` (3), `stride`, `groups` (1), `repeat`, `residual` (true), `norm`, `activation` | 1×1 to `r` channels, kernel, 1×1 to `out`, and a shortcut (ResNet-50, ResNeXt); the stride is the kernel's |
//! | `inverted_residual` | `out`, `expand`, `kernel` (3), `stride`, `repeat`, `norm`, `activation` ("relu6") | 1×1 to `expand` times the channels (none for 1), depthwise, 1×1; a shortcut where shapes agree (MobileNetV2) |
//! | `tucker` | `out`, `ranks` (of inputs, of outputs), `kernel` (3), `stride`, `norm`, `activation` | 1×1, kernel, 1×1 with nothing between (Tucker-2, Kim et al. 2016) |
//! | `squeeze_excitation` | `r`, `activation` ("relu") | a gate on each channel from `r` features of all (SENet) |
//! | `pool` | `kind` ("max", "average"), `global` (false), `kernel`, `stride` (the kernel), `padding` (0) | windows; the last one is never partial |
//! | `linear` | `out`, `bias` (true), `flatten` (true), `activation` | fully connected; feature maps are flattened first, or with `flatten = false` it works on the last mode |
//! | `norm`, `activation` | a name: `norm = "batch"`, `activation = "relu"` | batch, layer, group, instance; any activation (`"none"` in blocks for none) |
//! | `add`, `multiply`, `concat` | `{}` or `activation` | joins the branches in `from`; `concat` along the channels |
//! | `flatten`, `shuffle` | `{}`, `groups` | all modes into one; channels of groups mixed (ShuffleNet) |
//!
//! `stride` of a repeated block is the first one's. A shortcut is the identity where shapes agree, otherwise 1×1 with the
//! block's stride and normalisation. Operations are named as in torchvision: layer `stage1` with two bottlenecks has
//! `stage1.0.conv1`, `stage1.0.downsample.0` and so on; a layer of one convolution has its own name.

mod blocks;
mod build;
mod keys;
mod layers;
mod place;
mod windows;

use std::path::Path;

use place::Place;

use crate::{Graph, GraphError, Result};

/// Files longer than this are not architecture files.
const MOST_BYTES: u64 = 4 << 20;

/// Reads an architecture file.
///
/// # Errors
/// A file that cannot be read; TOML that is wrong, with line and column; unknown keys, with the nearest one; layers that do
/// not fit together, with their line.
pub fn read(path: &Path) -> Result<Graph> {
    let io = GraphError::io(path);
    let file = std::fs::metadata(path).map_err(&io)?;
    if !file.is_file() || file.len() > MOST_BYTES {
        let reason =
            format!("{} bytes, or no file; an architecture file has at most {MOST_BYTES}", file.len());
        return Err(GraphError::BadModel { path: path.to_owned(), reason });
    }
    let bytes = std::fs::read(path).map_err(io)?;
    let text = String::from_utf8(bytes).map_err(|e| GraphError::BadModel {
        path: path.to_owned(),
        reason: format!(
            "byte {} is not UTF-8 text; an architecture file is TOML",
            e.utf8_error().valid_up_to()
        ),
    })?;
    parse_as(&text, path)
}

/// Reads the text of an architecture file.
///
/// # Errors
/// As [`read`].
pub fn parse(text: &str) -> Result<Graph> {
    parse_as(text, Path::new("architecture"))
}

fn parse_as(text: &str, path: &Path) -> Result<Graph> {
    let place = Place { text, path: path.to_owned() };
    let file: keys::File = toml::from_str(text).map_err(|e| place.toml_error(&e))?;
    layers::build(file, &place)
}
