//! ONNX files that are damaged or made to harm: an error that names the file, or a graph; never a panic, a hang or memory
//! that the file does not account for.

#![cfg(test)]

#[path = "../../../tests/support/long.rs"]
mod long;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use convstat_graph::Op;
use convstat_onnx::{OnnxModel, OnnxOptions, open};
use tempfile::TempDir;

/// Longest time that a file of these tests may take.
const LONGEST: Duration = Duration::from_secs(5);
/// Memory of all these tests together, in KiB: 2²¹ parts of a hostile file at 250 bytes, and 64 MiB.
const MOST_KIB: u64 = 564 << 10;

fn varint(mut v: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while v >= 0x80 {
        bytes.push(v as u8 | 0x80);
        v >>= 7;
    }
    bytes.push(v as u8);
    bytes
}

fn piece(field: u64, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [varint(field << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

fn number(field: u64, v: i64) -> Vec<u8> {
    [varint(field << 3), varint(v.cast_unsigned())].concat()
}

fn node(kind: &str, inputs: &[&str], outputs: &[&str], attributes: &[Vec<u8>]) -> Vec<u8> {
    let inputs = inputs.iter().map(|i| piece(1, i));
    let outputs = outputs.iter().map(|o| piece(2, o));
    let attributes = attributes.iter().map(|a| piece(5, a));
    inputs.chain(outputs).chain(attributes).chain([piece(4, kind)]).flatten().collect()
}

fn attribute(name: &str, value: Vec<u8>) -> Vec<u8> {
    [piece(1, name), value].concat()
}

fn tensor(name: &str, dims: &[i64], data: &[u8]) -> Vec<u8> {
    let dims = dims.iter().flat_map(|&d| number(1, d));
    dims.chain(number(2, 1)).chain(piece(8, name)).chain(piece(9, data)).collect()
}

fn value(name: &str, dims: &[i64]) -> Vec<u8> {
    let dims: Vec<u8> = dims.iter().flat_map(|&d| piece(1, number(1, d))).collect();
    let kind = [number(1, 1), piece(2, dims)].concat();
    [piece(1, name), piece(2, piece(1, kind))].concat()
}

/// A graph of input `x` (1×2×8×8) and output `y`.
fn graph(nodes: &[Vec<u8>], tensors: &[Vec<u8>]) -> Vec<u8> {
    let nodes = nodes.iter().flat_map(|n| piece(1, n));
    let tensors = tensors.iter().flat_map(|t| piece(5, t));
    let ends = [piece(11, value("x", &[1, 2, 8, 8])), piece(12, piece(1, "y"))].concat();
    nodes.chain(tensors).chain(ends).collect()
}

fn model(graph: &[u8], functions: &[Vec<u8>]) -> Vec<u8> {
    let functions: Vec<u8> = functions.iter().flat_map(|f| piece(25, f)).collect();
    [number(1, 8), piece(8, number(2, 17)), piece(7, graph), functions].concat()
}

fn read_in(folder: &Path, bytes: &[u8]) -> Result<OnnxModel, String> {
    let path = folder.join("model.onnx");
    fs::write(&path, bytes).unwrap();
    let started = Instant::now();
    let model = open(&path, &OnnxOptions::default()).map_err(|e| e.to_string());
    assert!(started.elapsed() < LONGEST, "{} bytes took {:?}", bytes.len(), started.elapsed());
    if let Err(message) = &model {
        assert!(message.contains("model.onnx"), "{message}");
    }
    model
}

fn refused(bytes: &[u8], because: &str) {
    let message = read_in(TempDir::new().unwrap().path(), bytes).unwrap_err();
    assert!(message.contains(because), "{message}");
}

#[test]
fn a_convolution_of_bytes_is_read() {
    let conv = node("Conv", &["x", "w"], &["y"], &[]);
    let weight = tensor("w", &[3, 2, 1, 1], &[0; 24]);
    let model = read_in(TempDir::new().unwrap().path(), &model(&graph(&[conv], &[weight]), &[])).unwrap();
    assert_eq!((model.parameters, model.graph.macs()), (6, 6 * 64));
    assert_eq!(model.graph.nodes[1].shape, [3, 8, 8]);
}

#[test]
fn nodes_in_any_order_are_read() {
    let nodes = [node("Relu", &["h"], &["y"], &[]), node("Sigmoid", &["x"], &["h"], &[])];
    let model = read_in(TempDir::new().unwrap().path(), &model(&graph(&nodes, &[]), &[])).unwrap();
    assert!(matches!(&model.graph.nodes[2].op, Op::Activation { kind, .. } if kind == "relu"));
}

#[test]
fn functions_are_written_out() {
    let conv = node("Conv", &["x", "w"], &["y"], &[attribute("strides", piece(21, "by"))]);
    let function = [piece(1, "halve"), piece(4, "x"), piece(4, "w"), piece(5, "y"), piece(7, conv)].concat();
    let call = node("halve", &["x", "w"], &["y"], &[attribute("by", [number(8, 2), number(8, 2)].concat())]);
    let weight = tensor("w", &[3, 2, 1, 1], &[0; 24]);
    let bytes = model(&graph(&[call], &[weight]), &[function]);
    let graph = read_in(TempDir::new().unwrap().path(), &bytes).unwrap().graph;
    assert_eq!((&graph.nodes[1].name[..], &graph.nodes[1].shape[..]), ("y/y", &[3, 4, 4][..]));
    assert_eq!(graph.macs(), 6 * 16);
}

#[test]
fn graphs_that_are_none_are_refused() {
    let circle = [node("Add", &["x", "b"], &["a"], &[]), node("Relu", &["a"], &["b"], &[])];
    refused(&model(&graph(&circle, &[]), &[]), "circle");
    let twice = [node("Relu", &["x"], &["y"], &[]), node("Relu", &["x"], &["y"], &[])];
    refused(&model(&graph(&twice, &[]), &[]), "names of values have to differ");
    refused(&model(&graph(&[node("Relu", &["x"], &["x"], &[])], &[]), &[]), "\"x\"");
    refused(&model(&graph(&[node("Relu", &["z"], &["y"], &[])], &[]), &[]), "nothing makes its input \"z\"");
    refused(&model(&graph(&[], &[]), &[]), "nothing makes its input \"y\"");
    refused(b"", "without a graph");
    refused(b"not a model", "no ONNX file");
}

#[test]
fn tensors_of_wrong_sizes_are_refused() {
    let conv = |t| model(&graph(&[node("Conv", &["x", "w"], &["y"], &[])], &[t]), &[]);
    refused(&conv(tensor("w", &[3, -2, 1, 1], &[0; 24])), "a size of -2");
    refused(&conv(tensor("w", &[3, 2, 1, 1], &[0; 23])), "23 bytes of data");
    refused(&conv(tensor("w", &[1 << 40, 1 << 40], &[])), "larger than any network's");
    refused(&conv(tensor("w", &[i64::MAX, 0], &[])), "larger than any network's");
    refused(&conv(tensor("w", &[3], &[0; 12])), "");
}

#[test]
fn attributes_without_meaning_are_refused() {
    let conv = |a: Vec<u8>| {
        let weight = tensor("w", &[3, 2, 1, 1], &[0; 24]);
        model(&graph(&[node("Conv", &["x", "w"], &["y"], &[a])], &[weight]), &[])
    };
    refused(&conv(attribute("group", number(3, 0))), "group = 0");
    refused(&conv(attribute("group", number(3, 2))), "group = 2");
    refused(&conv(attribute("strides", [number(8, 0), number(8, 1)].concat())), "strides = [0, 1]");
    refused(&conv(attribute("strides", number(8, 1))), "it needs 2 positive numbers");
    refused(&conv(attribute("pads", vec![number(8, -1); 4].concat())), "pads = ");
}

#[test]
fn graphs_inside_one_another_have_an_end() {
    let mut inner = graph(&[node("Relu", &["x"], &["y"], &[])], &[]);
    for _ in 0..2000 {
        let branch = |name| attribute(name, piece(6, &inner));
        inner = graph(&[node("If", &["x"], &["y"], &[branch("then_branch")])], &[]);
    }
    refused(&model(&inner, &[]), "deep");
}

fn function(name: &str, nodes: &[Vec<u8>]) -> Vec<u8> {
    let nodes = nodes.iter().flat_map(|n| piece(7, n));
    nodes.chain(piece(1, name)).chain(piece(4, "x")).chain(piece(5, "y")).collect()
}

#[test]
fn functions_have_an_end() {
    let call = |name: &str| node(name, &["x"], &["y"], &[]);
    refused(&model(&graph(&[call("f")], &[]), &[function("f", &[call("f")])]), "deep");
    // Each calls the next twice: 2^25 operations.
    let double = |i: usize| {
        let name = format!("f{}", i + 1);
        let nodes = [node(&name, &["x"], &["h"], &[]), node(&name, &["h"], &["y"], &[])];
        function(&format!("f{i}"), &nodes)
    };
    let mut functions: Vec<Vec<u8>> = (0..25).map(double).collect();
    functions.push(function("f25", &[call("Relu")]));
    refused(&model(&graph(&[call("f0")], &[]), &functions), "operations");
}

#[test]
fn a_file_of_empty_parts_is_refused() {
    refused(&piece(7, [0x0a, 0].repeat(5 << 20)), "parts");
}

#[test]
fn external_data_stays_in_its_folder() {
    let folder = TempDir::new().unwrap();
    let inside = folder.path().join("inside");
    fs::create_dir(&inside).unwrap();
    fs::write(folder.path().join("secret"), [0; 64]).unwrap();
    fs::write(inside.join("weights"), [0; 64]).unwrap();
    let conv = |location: &str, offset: &str| {
        let entry = |k: &str, v: &str| piece(13, [piece(1, k), piece(2, v)].concat());
        let dims = [3, 2, 1, 1].map(|d| number(1, d)).concat();
        let weight = [
            dims,
            number(2, 1),
            piece(8, "w"),
            number(14, 1),
            entry("location", location),
            entry("offset", offset),
        ];
        model(&graph(&[node("Conv", &["x", "w"], &["y"], &[])], &[weight.concat()]), &[])
    };
    let model = read_in(&inside, &conv("weights", "40")).unwrap();
    assert!(matches!(&model.graph.nodes[1].op, Op::Conv(c) if c.weight.is_some()));
    let absent = read_in(&inside, &conv("elsewhere", "0")).unwrap();
    assert_eq!((absent.parameters, absent.notes.len()), (6, 1));
    for (location, offset, because) in [
        ("../secret", "0", "outside"),
        ("/etc/passwd", "0", "outside"),
        ("a/../../secret", "0", "outside"),
        ("", "0", "outside"),
        ("weights", "41", "needs 24 bytes"),
        ("weights", "18446744073709551615", "needs 24 bytes"),
        ("weights", "-1", "offset"),
    ] {
        let message = read_in(&inside, &conv(location, offset)).unwrap_err();
        assert!(message.contains(because), "{message}");
    }
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(folder.path().join("secret"), inside.join("link")).unwrap();
        assert!(read_in(&inside, &conv("link", "0")).unwrap_err().contains("links to outside"));
    }
}

/// Random choices (splitmix64).
struct Source(u64);

impl Source {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }

    fn damage(&mut self, bytes: &mut Vec<u8>) {
        let (len, kind) = (bytes.len(), self.below(12));
        let at = self.below(len);
        let end = (at + 1 + self.below(32)).min(len);
        match kind {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let copy = bytes[at..end].to_vec();
                let to = self.below(len);
                bytes.splice(to..to, copy);
            }
            3 => {
                let edges = [0, 1, 127, 255, 65535, 1 << 31, i64::MAX as u64, u64::MAX];
                bytes.splice(at..end.min(at + 2), varint(edges[self.below(edges.len())]));
            }
            _ => {
                for _ in 0..=self.below(4) {
                    let at = self.below(len);
                    if let Some(b) = bytes.get_mut(at) {
                        *b ^= 1 << self.below(8);
                    }
                }
            }
        }
    }
}

#[test]
fn damaged_files_are_read_or_refused() {
    let cases = long::size(3_000, 40_000);
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/onnx");
    let mut files: Vec<PathBuf> = fs::read_dir(data).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|f| f.extension().is_some_and(|e| e == "onnx"));
    files.sort();
    let files: Vec<Vec<u8>> = files.iter().map(|f| fs::read(f).unwrap()).collect();
    let folder = TempDir::new().unwrap();
    let (mut source, mut read) = (Source(20201122), 0);
    for _ in 0..cases {
        let mut bytes = files[source.below(files.len())].clone();
        for _ in 0..=source.below(3) {
            source.damage(&mut bytes);
        }
        if let Ok(model) = read_in(folder.path(), &bytes) {
            read += 1;
            let graph = model.graph;
            let _ = (graph.parameters(), graph.macs(), graph.readers());
            for (id, node) in graph.nodes.iter().enumerate() {
                assert!(node.inputs.iter().all(|&i| i < id), "{} reads what comes after it", node.name);
                let weight = match &node.op {
                    Op::Conv(conv) => &conv.weight,
                    Op::Linear(linear) => &linear.weight,
                    _ => &None,
                };
                if let Some(weight) = weight {
                    assert_eq!(weight.to_array().unwrap().shape(), weight.shape());
                }
            }
        }
    }
    println!("{read} of {cases} damaged files are read");
    assert!(read > cases / 20 && read < cases);
    if let Ok(status) = fs::read_to_string("/proc/self/status") {
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let peak: u64 = peak.and_then(|p| p.split_whitespace().next()?.parse().ok()).unwrap_or(0);
        assert!(peak < MOST_KIB, "{peak} KiB at most at once");
    }
}
