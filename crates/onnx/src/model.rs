//! A file on its way to a graph.

use std::path::Path;

use bytes::Bytes;
use convstat_graph::{Graph, GraphError, Result};

use crate::inputs::inputs;
use crate::options::OnnxOptions;
use crate::proto;
use crate::reader::Reader;
use crate::tidy::tidy;

/// A network with what its file says of itself.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct OnnxModel {
    /// The network.
    pub graph: Graph,
    /// Version of ONNX's own operator set.
    pub opset: i64,
    /// Version of the format.
    pub ir_version: i64,
    /// Program that made the file, and its version.
    pub producer: String,
    /// Trained parameters, those that layers share counted once.
    pub parameters: usize,
    /// What was assumed or left out.
    pub notes: Vec<String>,
}

/// Reads an ONNX file as a graph.
///
/// # Errors
/// [`GraphError::Io`] if it can't be read, [`GraphError::BadModel`] if it is damaged or no network,
/// [`GraphError::BadOption`] if a size doesn't fit its inputs.
pub fn read(path: &Path, options: &OnnxOptions) -> Result<Graph> {
    Ok(open(path, options)?.graph)
}

/// Reads an ONNX file with what it says of itself, and notes on what was assumed.
///
/// # Errors
/// As of [`read`].
pub fn open(path: &Path, options: &OnnxOptions) -> Result<OnnxModel> {
    let io = |source| GraphError::Io { path: path.to_owned(), source };
    let bytes = Bytes::from(std::fs::read(path).map_err(io)?);
    let bad = |reason| GraphError::BadModel { path: path.to_owned(), reason };
    let model = proto::model(bytes).map_err(|e| bad(format!("no ONNX file, or a damaged one: {e}")))?;
    let Some(graph) = &model.graph else {
        return Err(bad("no ONNX file, or one without a graph".to_owned()));
    };
    let mut notes = Vec::new();
    let inputs = inputs(graph, options, &mut notes)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut reader = Reader::new(&model, folder, &inputs);
    let outputs = reader.read(graph, inputs).map_err(bad)?;
    let (opset, builder) = (reader.opset, reader.builder);
    let shared = builder.shared;
    notes.append(&mut reader.constants.notes);
    let name = path.file_stem().map_or(String::new(), |s| s.to_string_lossy().into_owned());
    let graph = tidy(name, builder.nodes, builder.facts, outputs);
    let parameters = graph.parameters().saturating_sub(shared);
    if shared > 0 {
        notes.push(format!(
            "layers share {shared} parameters, which count at each of them; {parameters} if each counts once"
        ));
    }
    let producer = format!("{} {}", model.producer, model.producer_version).trim().to_owned();
    Ok(OnnxModel { graph, opset, ir_version: model.ir_version, producer, parameters, notes })
}
