//! ONNX files of PyTorch's exporters against what PyTorch says of its networks (`make_onnx.py`).
//!
//! `CONVSTAT_ONNX=DIR` checks every file of a folder: those in its `expected.tsv` against PyTorch, others for being read; and
//! prints a table.

#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use convstat_graph::{Graph, Op};
use convstat_onnx::{OnnxModel, OnnxOptions, open};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/onnx")
}

fn model(name: &str, inputs: &[&str]) -> OnnxModel {
    let inputs = inputs.iter().map(|i| i.parse().unwrap()).collect();
    open(&data().join(name), &OnnxOptions { inputs }).unwrap()
}

/// Kinds of operations and how many there are.
fn kinds(graph: &Graph) -> BTreeMap<String, usize> {
    let mut kinds = BTreeMap::new();
    for node in &graph.nodes {
        let kind = match &node.op {
            Op::Norm { kind, .. } => format!("norm {kind}"),
            Op::Activation { kind, .. } => kind.clone(),
            Op::Pool { kind, global } => format!("pool {kind}{}", if *global { " global" } else { "" }),
            Op::Move { kind } => format!("move {kind}"),
            Op::Other { kind, .. } => format!("other {kind}"),
            op => format!("{op:?}").split([' ', '(', '{']).next().unwrap_or_default().to_lowercase(),
        };
        *kinds.entry(kind).or_default() += 1;
    }
    kinds
}

/// Multiply–accumulates of convolutions and linear layers, and the number of convolutions.
fn layers(graph: &Graph) -> (u64, usize) {
    let layer = graph.nodes.iter().filter(|n| matches!(n.op, Op::Conv(_) | Op::Linear(_)));
    let convolutions = graph.nodes.iter().filter(|n| matches!(n.op, Op::Conv(_))).count();
    (layer.map(convstat_graph::Node::macs).sum(), convolutions)
}

fn check(folder: &Path) -> Vec<String> {
    let expected = fs::read_to_string(folder.join("expected.tsv")).unwrap_or_default();
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "onnx"));
    files.sort();
    assert!(!files.is_empty(), "no files in {}", folder.display());
    let mut wrong = Vec::new();
    for file in files {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        let started = Instant::now();
        let model = match open(&file, &OnnxOptions::default()) {
            Ok(model) => model,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        let seconds = started.elapsed().as_secs_f64();
        let (macs, convolutions) = layers(&model.graph);
        println!(
            "{name}: {} bytes, {}, opset {}, {} parameters, {macs} + {} multiply-accumulates, {seconds:.3} s\n  {:?}\n  {:?}",
            fs::metadata(&file).unwrap().len(),
            model.producer,
            model.opset,
            model.parameters,
            model.graph.macs() - macs,
            kinds(&model.graph),
            model.notes
        );
        for (id, node) in model.graph.nodes.iter().enumerate() {
            assert!(node.inputs.iter().all(|&i| i < id), "{name}: {}", node.name);
        }
        let Some(line) = expected.lines().find(|l| l.split('\t').next() == Some(&name)) else { continue };
        let fields: Vec<&str> = line.split('\t').collect();
        let found = [model.graph.parameters() as u64, macs, convolutions as u64, model.graph.macs()];
        let found = found.map(|n| n.to_string());
        for ((what, found), &expected) in
            ["parameters", "macs", "convolutions", "macs in all"].iter().zip(&found).zip(&fields[1..])
        {
            if !expected.is_empty() && expected != found {
                wrong.push(format!("{name}: {found} {what}, PyTorch has {expected}"));
            }
        }
    }
    wrong
}

#[test]
fn small_exports_count_as_pytorch_does() {
    assert_eq!(check(&data()), Vec::<String>::new());
}

#[test]
fn files_of_a_folder_count_as_pytorch_does() {
    let Some(folder) = std::env::var_os("CONVSTAT_ONNX") else { return };
    assert_eq!(check(Path::new(&folder)), Vec::<String>::new());
}

#[test]
fn sizes_of_inputs_are_the_users() {
    let named = model("residual-symbolic.onnx", &["x=1x3x32x32"]);
    let modes = model("residual-symbolic.onnx", &["height=32", "width=32"]);
    let first = model("residual-symbolic.onnx", &["3x32x32"]);
    let batch = model("residual-symbolic.onnx", &["8x3x32x32"]);
    for model in [&named, &modes, &first, &batch] {
        assert_eq!((model.graph.macs(), model.notes.len()), (90_184, 0));
        assert_eq!(model.graph.nodes[1].shape, [8, 16, 16]);
    }
    let wrong = |text: &str| {
        let options = OnnxOptions { inputs: vec![text.parse().unwrap()] };
        open(&data().join("residual-symbolic.onnx"), &options).unwrap_err().to_string()
    };
    assert!(wrong("y=1x3x32x32").contains("the inputs are x"), "{}", wrong("y=1x3x32x32"));
    assert!(wrong("x=1x2").contains("has 4 sizes"));
}

#[test]
fn formulas_of_exporters_are_one_operation() {
    let found = kinds(&model("residual-opset9.onnx", &[]).graph);
    for kind in ["silu", "hardswish", "gelu", "move shuffle"] {
        assert_eq!(found.get(kind), Some(&1), "{kind}: {found:?}");
    }
    let found = kinds(&model("sequence-opset11.onnx", &[]).graph);
    assert_eq!((found.get("norm layer"), found.get("gelu")), (Some(&1), Some(&1)), "{found:?}");
    let found = kinds(&model("volume.onnx", &[]).graph);
    assert_eq!((found.get("norm group"), found.get("mish")), (Some(&1), Some(&1)), "{found:?}");
}

#[test]
fn weights_stand_as_outputs_by_inputs() {
    for name in ["residual.onnx", "sequence.onnx", "volume.onnx"] {
        for node in model(name, &[]).graph.nodes {
            let (weight, outputs, inputs) = match &node.op {
                Op::Conv(c) if c.transposed => (&c.weight, c.inputs, c.outputs / c.groups),
                Op::Conv(c) => (&c.weight, c.outputs, c.inputs / c.groups),
                Op::Linear(l) => (&l.weight, l.outputs, l.inputs),
                _ => continue,
            };
            let array = weight.as_ref().unwrap().to_array().unwrap();
            assert_eq!(array.shape()[..2], [outputs, inputs], "{name}: {}", node.name);
            // The exporting script draws all parameters from 0.5 to 1.5.
            assert!(array.iter().all(|v| (0.5..1.5).contains(v)), "{name}: {}", node.name);
        }
    }
}
