//! Safetensors files: real networks' names against torch.fx traces (`data/make_names.py`), real weights, and hostile files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use convstat_audit::graph::{Graph, NodeId, Op};
use convstat_audit::safetensors_file::{architecture_name, read, read_into};
use convstat_audit::toml_file;
use serde_json::{Value, json};

/// A file of bytes that are all zero, with these names and shapes.
fn file(tensors: &[(&str, &str, Vec<usize>)]) -> Vec<u8> {
    let width = |dtype: &str| match dtype {
        "F64" | "I64" => 8,
        "F32" => 4,
        "F16" | "BF16" => 2,
        _ => 1,
    };
    let mut header = serde_json::Map::new();
    let mut at = 0;
    for (name, dtype, shape) in tensors {
        let end = at + width(dtype) * shape.iter().product::<usize>();
        header
            .insert((*name).to_owned(), json!({ "dtype": dtype, "shape": shape, "data_offsets": [at, end] }));
        at = end;
    }
    let header = Value::Object(header).to_string();
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.resize(bytes.len() + at, 0);
    bytes
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("folder"))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, bytes).expect("file");
        path
    }
}

fn networks() -> BTreeMap<String, Value> {
    serde_json::from_str(include_str!("data/names.json")).expect("JSON")
}

fn tensors(network: &Value) -> Vec<(&str, &str, Vec<usize>)> {
    let list = network["tensors"].as_array().expect("list").iter();
    list.map(|t| {
        let shape =
            t[1].as_array().expect("shape").iter().map(|n| n.as_u64().expect("size") as usize).collect();
        (t[0].as_str().expect("name"), "U8", shape)
    })
    .collect()
}

/// What a layer reads, in the words of `make_names.py`.
fn source(graph: &Graph, id: NodeId) -> String {
    let node = &graph.nodes[id];
    match &node.op {
        Op::Input => "input".to_owned(),
        Op::Conv(_) | Op::Linear(_) => node.name.clone(),
        Op::Add => "add".to_owned(),
        Op::Multiply => "mul".to_owned(),
        Op::Concat { .. } => "cat".to_owned(),
        Op::Other { kind, .. } if kind == "unknown" => "unknown".to_owned(),
        _ => source(graph, node.inputs[0]),
    }
}

#[test]
fn names_tell_layers_groups_and_sources() {
    let folder = Folder::new();
    for (name, network) in networks() {
        let path = folder.write("model.safetensors", &file(&tensors(&network)));
        let graph = read(&path, Some(&[3, 224, 224])).expect("graph");
        assert_eq!(graph.parameters() as u64, network["parameters"].as_u64().expect("number"), "{name}");
        let mut ours = BTreeMap::new();
        for node in &graph.nodes {
            let groups = match &node.op {
                Op::Conv(c) => c.groups,
                Op::Linear(_) => 1,
                _ => continue,
            };
            ours.insert(node.name.clone(), json!([groups, source(&graph, node.inputs[0])]));
        }
        let theirs = network["layers"].as_object().expect("layers");
        assert_eq!(ours.len(), theirs.len(), "{name}");
        let differ: Vec<&str> = ours
            .iter()
            .filter(|(layer, value)| theirs.get(*layer) != Some(value))
            .map(|(l, _)| l.as_str())
            .collect();
        // A block of equal channels with stride 2, which the file does not tell.
        let known: &[&str] = match name.as_str() {
            "torchvision mobilenet_v3_small" => &["features.2.block.0.0"],
            _ => &[],
        };
        assert_eq!(
            differ,
            known,
            "{name}: {:?}",
            differ.iter().map(|d| (&ours[*d], &theirs[*d])).collect::<Vec<_>>()
        );
        assert!(graph.nodes.iter().enumerate().all(|(id, n)| n.inputs.iter().all(|&i| i < id)), "{name}");
    }
}
