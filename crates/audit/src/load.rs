//! A model by its file or its name.

use std::path::Path;

use convstat_graph::catalogue::{self, CatalogueOptions};
use convstat_graph::{Graph, GraphError, Op, Result, safetensors_file, toml_file};
use convstat_onnx::{InputSize, OnnxOptions};

/// What a safetensors file alone leaves open.
const NAMES_ONLY: &str = "the file holds names and shapes, not the network: order, groups and residual joins follow from \
                          names; sizes, MACs and all counts with P are not known (give --architecture)";

/// How a model is read.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Shapes of inputs, channels first, and sizes of named modes (ONNX); the one without a name is the shape of the network's input.
    pub inputs: Vec<InputSize>,
    /// Network whose layers a safetensors file fills, of the catalogue or an architecture file (default: what a `config.json`
    /// beside the file names).
    pub architecture: Option<String>,
    /// Classes of a network of the catalogue.
    pub classes: Option<usize>,
}

/// That a file lacks weights of its architecture, if it does.
fn without_weight(graph: &Graph) -> Option<String> {
    let is_empty = |op: &Op| match op {
        Op::Conv(c) => c.weight.is_none(),
        Op::Linear(l) => l.weight.is_none(),
        _ => false,
    };
    let lacking: Vec<&str> =
        graph.nodes.iter().filter(|n| is_empty(&n.op)).map(|n| n.name.as_str()).collect();
    let first = lacking.first()?;
    Some(format!(
        "the file has no weights for {} layers, the first {first}: is --architecture right?",
        lacking.len()
    ))
}

impl LoadOptions {
    /// Fails on options that a model of this extension (none: a name) does not take.
    fn check(&self, extension: Option<&str>) -> Result<()> {
        let bad = |option: &'static str, value: String, mend: &str| {
            Err(GraphError::BadOption { option, value, mend: mend.to_owned() })
        };
        if let Some(name) =
            self.architecture.as_ref().filter(|_| !matches!(extension, Some("safetensors" | "json")))
        {
            return bad(
                "--architecture",
                name.clone(),
                "it says what a safetensors file holds; leave it out here",
            );
        }
        if let Some(classes) = self.classes.filter(|_| matches!(extension, Some("onnx" | "toml"))) {
            return bad("--classes", classes.to_string(), "the file says them; leave it out here");
        }
        match (extension, self.inputs.as_slice()) {
            (Some("onnx"), _) | (_, []) => Ok(()),
            (Some("toml"), [first, ..]) => {
                bad("--input", first.to_string(), "an architecture file says its input itself (key input)")
            }
            (_, [only]) if only.name.is_none() => Ok(()),
            (_, [.., last]) => {
                bad("--input", last.to_string(), "give one shape without a name, for instance 3x224x224")
            }
        }
    }

    /// The shape without a name.
    fn input(&self) -> Option<&[usize]> {
        self.inputs.iter().find(|i| i.name.is_none()).map(|i| i.sizes.as_slice())
    }
}

/// A network as it was read.
#[derive(Debug, Clone)]
pub struct Model {
    /// The network.
    pub graph: Graph,
    /// What was assumed, or is not known.
    pub notes: Vec<String>,
}

impl From<Graph> for Model {
    fn from(graph: Graph) -> Self {
        Self { graph, notes: Vec::new() }
    }
}

/// Reads a model file by its extension (`.onnx`, `.safetensors`, `.toml`), or takes a network of the catalogue by its name.
///
/// # Errors
/// A file that cannot be read, or a name that is not in the catalogue.
pub fn load(model: &str, options: &LoadOptions) -> Result<Model> {
    let path = Path::new(model);
    let extension = path.extension().map(|e| e.to_string_lossy().to_lowercase());
    let extension = extension.as_deref();
    options.check(extension)?;
    match extension {
        Some("onnx") => {
            let read = convstat_onnx::open(path, &OnnxOptions { inputs: options.inputs.clone() })?;
            Ok(Model { graph: read.graph, notes: read.notes })
        }
        Some("toml") => Ok(toml_file::read(path)?.into()),
        Some("safetensors" | "json") => {
            let known = |name: String| catalogue::find(&name).is_ok().then_some(name);
            let name = options
                .architecture
                .clone()
                .or_else(|| safetensors_file::architecture_name(path).and_then(known));
            match name {
                Some(name) => {
                    let architecture = Path::new(&name);
                    let is_file = architecture.extension().is_some_and(|e| e.eq_ignore_ascii_case("toml"));
                    let network =
                        if is_file { toml_file::read(architecture)? } else { named(&name, options)? };
                    let graph = safetensors_file::read_into(path, network)?;
                    let notes = without_weight(&graph).into_iter().collect();
                    Ok(Model { graph, notes })
                }
                None => Ok(Model {
                    graph: safetensors_file::read(path, options.input())?,
                    notes: vec![NAMES_ONLY.to_owned()],
                }),
            }
        }
        _ if path.exists() => Err(GraphError::BadModel {
            path: path.to_owned(),
            reason: "what it is cannot be told from its name; give .onnx, .safetensors or .toml".to_owned(),
        }),
        Some(_) => {
            Err(GraphError::BadModel { path: path.to_owned(), reason: "there is no such file".to_owned() })
        }
        None => Ok(named(model, options)?.into()),
    }
}

/// A network of the catalogue; they read images and clips of three channels.
fn named(name: &str, options: &LoadOptions) -> Result<Graph> {
    let sizes = options.input().map(|shape| match shape {
        [3, sizes @ ..] if !sizes.is_empty() => sizes.to_vec(),
        other => other.to_vec(),
    });
    catalogue::network(name, &CatalogueOptions { input: sizes, classes: options.classes })
}
