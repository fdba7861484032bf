//! A model by its file or its name.

use std::path::Path;

use crate::catalogue::{self, CatalogueOptions};
use crate::graph::Graph;
use crate::{AuditError, Result, safetensors_file, toml_file};

/// How a model is read.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Shape of the input without the batch, channels first.
    pub input: Option<Vec<usize>>,
    /// Network of the catalogue whose layers a safetensors file fills (default: what a `config.json` beside it names).
    pub architecture: Option<String>,
    /// Classes of a network of the catalogue.
    pub classes: Option<usize>,
}

/// Reads a model file by its extension (`.onnx`, `.safetensors`, `.toml`), or takes a network of the catalogue by its name.
///
/// # Errors
/// A file that cannot be read, or a name that is not in the catalogue.
pub fn load(model: &str, options: &LoadOptions) -> Result<Graph> {
    let path = Path::new(model);
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("toml") => toml_file::read(path),
        Some("safetensors" | "json") => {
            let known = |name: String| catalogue::find(&name).is_ok().then_some(name);
            let name = options
                .architecture
                .clone()
                .or_else(|| safetensors_file::architecture_name(path).and_then(known));
            match name {
                Some(name) => safetensors_file::read_into(path, named(&name, options)?),
                None => safetensors_file::read(path, options.input.as_deref()),
            }
        }
        _ if path.exists() => Err(AuditError::BadModel {
            path: path.to_owned(),
            reason: "what it is cannot be told from its name; give .onnx, .safetensors or .toml".to_owned(),
        }),
        _ => named(model, options),
    }
}

/// A network of the catalogue; they read images and clips of three channels.
fn named(name: &str, options: &LoadOptions) -> Result<Graph> {
    let sizes = options.input.as_deref().map(|shape| match shape {
        [3, sizes @ ..] if !sizes.is_empty() => sizes.to_vec(),
        other => other.to_vec(),
    });
    catalogue::network(name, &CatalogueOptions { input: sizes, classes: options.classes })
}
