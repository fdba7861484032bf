//! Safetensors files: real networks' names against torch.fx traces (`data/make_names.py`), real weights, and hostile files.

#![cfg(test)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use convstat_graph::safetensors_file::{architecture_name, read, read_into};
use convstat_graph::toml_file;
use convstat_graph::{Graph, NodeId, Op, Weight};
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

fn weight(op: &Op) -> Option<&Weight> {
    match op {
        Op::Conv(c) => c.weight.as_ref(),
        Op::Linear(l) => l.weight.as_ref(),
        _ => None,
    }
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

#[test]
fn real_weights_are_read() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pnet.safetensors");
    let graph = read(&path, None).expect("P-Net");
    let node = |name: &str| graph.nodes.iter().find(|n| n.name == name).unwrap_or_else(|| panic!("{name}"));
    // The layers of P-Net: 10, 16 and 32 kernels of 3×3, two heads of 1×1 (Zhang et al. 2016, figure 2).
    for (name, outputs, inputs, k) in [
        ("conv1", 10, 3, 3),
        ("conv2", 16, 10, 3),
        ("conv3", 32, 16, 3),
        ("conv4_1", 2, 32, 1),
        ("conv4_2", 4, 32, 1),
    ] {
        let Op::Conv(conv) = &node(name).op else { panic!("{name}") };
        assert_eq!((conv.outputs, conv.inputs, conv.groups, conv.bias), (outputs, inputs, 1, true), "{name}");
        let weight = conv.weight.as_ref().expect("weight");
        assert_eq!(weight.shape(), [outputs, inputs, k, k], "{name}");
    }
    assert!(matches!(&node("prelu2").op, Op::Activation { parameters: 16, .. }));
    // The second head does not read the first; the names do not say what it reads.
    let unknown = node("conv4_2").inputs[0];
    assert!(matches!(&graph.nodes[unknown].op, Op::Other { kind, .. } if kind == "unknown"));
}

/// A network of two stages as torchvision names it.
const SMALL: &str = r#"
    name = "small"
    input = [3, 32, 32]
    [[layer]]
    name = "conv1"
    conv = { out = 8, kernel = 3, norm = "batch", activation = "relu" }
    [[layer]]
    name = "layer1"
    basic = { out = 8 }
    [[layer]]
    name = "layer2"
    basic = { out = 16, stride = 2 }
    [[layer]]
    pool = { kind = "average", global = true }
    [[layer]]
    name = "fc"
    linear = { out = 10 }
"#;

fn small(name: impl Fn(&str) -> String, classes: usize) -> Vec<u8> {
    let layers = [
        ("conv1", vec![8, 3, 3, 3]),
        ("layer1.0.conv1", vec![8, 8, 3, 3]),
        ("layer1.0.conv2", vec![8, 8, 3, 3]),
        ("layer2.0.conv1", vec![16, 8, 3, 3]),
        ("layer2.0.conv2", vec![16, 16, 3, 3]),
        ("layer2.0.downsample.0", vec![16, 8, 1, 1]),
        ("fc", vec![classes, 16]),
    ];
    let names: Vec<String> = layers.iter().map(|(l, _)| name(l)).collect();
    let tensors: Vec<_> =
        names.iter().zip(&layers).map(|(n, (_, shape))| (n.as_str(), "F32", shape.clone())).collect();
    file(&tensors)
}

#[test]
fn weights_go_into_a_known_architecture() {
    let folder = Folder::new();
    let weights = |graph: &Graph| {
        let held = |n: &&convstat_graph::Node| match &n.op {
            Op::Conv(c) => c.weight.is_some(),
            Op::Linear(l) => l.weight.is_some(),
            _ => false,
        };
        graph.nodes.iter().filter(held).count()
    };
    let into = |bytes: &[u8]| {
        let path = folder.write("w.safetensors", bytes);
        read_into(&path, toml_file::parse(SMALL).expect("architecture"))
    };
    let graph = into(&small(|l| format!("{l}.weight"), 10)).expect("same names");
    assert_eq!(weights(&graph), 7);
    assert_eq!(graph.macs(), toml_file::parse(SMALL).expect("architecture").macs());
    assert_eq!(weights(&into(&small(|l| format!("model.net.{l}.weight"), 10)).expect("a prefix")), 7);
    // Another number of classes.
    let graph = into(&small(|l| format!("{l}.weight"), 3)).expect("three classes");
    assert_eq!(graph.nodes.last().map(|n| (n.shape.clone(), n.parameters())), Some((vec![3], 51)));
    // Hugging Face's names: by order.
    let face = |l: &str| {
        let name = match l {
            "conv1" => "resnet.embedder.embedder.convolution".to_owned(),
            "fc" => "classifier.1".to_owned(),
            _ => {
                let stage = usize::from(!l.starts_with("layer1"));
                let rest = match l.rsplit_once("conv") {
                    Some((_, k)) => format!("layer.{}.convolution", k.parse::<usize>().expect("digit") - 1),
                    None => "shortcut.convolution".to_owned(),
                };
                format!("resnet.encoder.stages.{stage}.layers.0.{rest}")
            }
        };
        format!("{name}.weight")
    };
    assert_eq!(weights(&into(&small(face, 10)).expect("other names")), 7);
    // The same file without an architecture.
    let path = folder.write("w.safetensors", &small(face, 10));
    let graph = read(&path, None).expect("names");
    assert_eq!(graph.nodes.iter().filter(|n| matches!(n.op, Op::Add)).count(), 2);
    assert!(!graph.nodes.iter().any(|n| matches!(&n.op, Op::Other { .. })));
    // Of another network.
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pnet.safetensors");
    let error =
        read_into(&path, toml_file::parse(SMALL).expect("architecture")).expect_err("P-Net").to_string();
    assert!(error.contains("\"conv1.weight\" has shape [10, 3, 3, 3]"), "{error}");
    let error = into(&file(&[("a.weight", "F32", vec![2, 3])])).expect_err("another").to_string();
    assert!(error.contains("share no name of a layer, and have 1 and 7 layers"), "{error}");
}

#[test]
fn configurations_name_architectures() {
    let folder = Folder::new();
    let path = folder.write("model.safetensors", &[]);
    assert_eq!(architecture_name(&path), None);
    let cases = [
        (r#"{"architecture": "resnet50.a1_in1k"}"#, Some("resnet50")),
        (r#"{"architecture": "mobilenetv2_100", "num_classes": 1000}"#, Some("mobilenet_v2")),
        (r#"{"model_type": "resnet", "depths": [3, 4, 6, 3], "layer_type": "bottleneck"}"#, Some("resnet50")),
        (r#"{"model_type": "resnet", "depths": [2, 2, 2, 2], "layer_type": "basic"}"#, Some("resnet18")),
        (r#"{"model_type": "resnet", "depths": [1, 1]}"#, None),
        (r#"{"model_type": "vit"}"#, Some("vit")),
        ("{", None),
    ];
    for (config, name) in cases {
        folder.write("config.json", config.as_bytes());
        assert_eq!(architecture_name(&path).as_deref(), name, "{config}");
    }
}

#[test]
fn shards_and_attention() {
    let folder = Folder::new();
    let block = |i: usize, part: &str| format!("encoder.layer.{i}.{part}");
    let mut names = Vec::new();
    for i in [0, 1, 10] {
        for (part, shape) in [
            ("attention.self.key.weight", vec![8, 8]),
            ("attention.self.query.weight", vec![8, 8]),
            ("attention.self.value.weight", vec![8, 8]),
            ("attention.output.dense.weight", vec![8, 8]),
            ("intermediate.dense.weight", vec![32, 8]),
            ("output.dense.weight", vec![8, 32]),
        ] {
            names.push((block(i, part), shape));
        }
    }
    names.push(("embeddings.position_ids".to_owned(), vec![1, 4]));
    let tensors: Vec<_> = names
        .iter()
        .map(|(n, s)| (n.as_str(), if n.ends_with("ids") { "I64" } else { "BF16" }, s.clone()))
        .collect();
    folder.write("m-1.safetensors", &file(&tensors[..7]));
    folder.write("m-2.safetensors", &file(&tensors[7..]));
    let map: serde_json::Map<String, Value> = tensors
        .iter()
        .enumerate()
        .map(|(i, (n, ..))| {
            ((*n).to_owned(), json!(if i < 7 { "m-1.safetensors" } else { "m-2.safetensors" }))
        })
        .collect();
    let index = folder.write("m.safetensors.index.json", json!({ "weight_map": map }).to_string().as_bytes());
    let graph = read(&index, Some(&[5, 8])).expect("shards");
    let layers: Vec<&str> =
        graph.nodes.iter().filter(|n| matches!(n.op, Op::Linear(_))).map(|n| n.name.as_str()).collect();
    let parts = [
        "attention.self.query",
        "attention.self.key",
        "attention.self.value",
        "attention.output.dense",
        "intermediate.dense",
        "output.dense",
    ];
    let expected: Vec<String> = [0, 1, 10].iter().flat_map(|&i| parts.map(|p| block(i, p))).collect();
    assert_eq!(layers, expected);
    // Queries, keys and values read the same; sizes are known throughout.
    let reads = |name: &str| graph.nodes.iter().find(|n| n.name == block(1, name)).map(|n| n.inputs.clone());
    assert!(reads(parts[0]).is_some());
    assert_eq!(reads(parts[0]), reads(parts[1]));
    assert_eq!(reads(parts[0]), reads(parts[2]));
    assert_eq!(graph.nodes.last().map(|n| n.shape.clone()), Some(vec![5, 8]));
    assert_eq!(graph.macs(), 3 * 5 * (4 * 64 + 2 * 256));
    let error = read(&index, Some(&[8, 5])).expect_err("input").to_string();
    assert!(error.contains("reads 8 channels, the input [8, 5] has 5"), "{error}");
    // An index must not lead elsewhere.
    for shard in ["../m-1.safetensors", "/etc/passwd", "m.safetensors.index.json", "missing.safetensors"] {
        let path =
            folder.write("bad.index.json", json!({ "weight_map": { "a": shard } }).to_string().as_bytes());
        assert!(read(&path, None).is_err(), "{shard}");
    }
}

#[test]
fn wrong_files_are_errors() {
    let folder = Folder::new();
    let message = |bytes: &[u8]| {
        let path = folder.write("m.safetensors", bytes);
        read(&path, None).expect_err("wrong file").to_string()
    };
    let good = small(|l| format!("{l}.weight"), 10);
    assert!(message(&[]).contains("cut off"));
    assert!(message(&good[..good.len() - 1]).contains("the file is cut off or was changed"));
    assert!(message(&[&good[..], &[0]].concat()).contains("the file is cut off or was changed"));
    assert!(message(&[0xff; 64]).contains("its header would have"));
    assert!(message(b"PK\x03\x04 a zip file of PyTorch").contains("its header would have"));
    assert!(message(&file(&[])).contains("no layers"));
    assert!(
        message(&file(&[("a.weight", "F32", vec![0, 3]), ("b.bias", "F32", vec![4])])).contains("no layers")
    );
    // Headers whose sums overflow.
    let hostile = |header: &str| [&(header.len() as u64).to_le_bytes()[..], header.as_bytes()].concat();
    let half = (1u64 << 61) - 8;
    let mut entries = Vec::new();
    for i in 0..8u64 {
        entries.push(format!(
            r#""t{i}.weight":{{"dtype":"U8","shape":[{half}],"data_offsets":[{},{}]}}"#,
            i * half,
            (i + 1) * half
        ));
    }
    assert!(message(&hostile(&format!("{{{}}}", entries.join(",")))).contains("the file is cut off"));
    let huge = r#"{"a.weight":{"dtype":"F32","shape":[4611686018427387904,4611686018427387904],"data_offsets":[0,8]}}"#;
    assert!(message(&hostile(huge)).contains("no safetensors header"));
    let empty = r#"{"a.weight":{"dtype":"F32","shape":[0,4611686018427387904,4611686018427387904],"data_offsets":[0,0]}}"#;
    assert!(message(&hostile(empty)).contains("no layers"));
    assert!(message(&hostile(&"[".repeat(100_000))).contains("no safetensors header"));
    let dots = format!(r#"{{"{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}}}}"#, ".".repeat(5000));
    assert!(message(&hostile(&dots)).contains("a name of 5000 bytes"));
    let good = folder.write("m.safetensors", &good);
    assert!(read(&good, Some(&[4, 8, 8])).expect_err("channels").to_string().contains("reads 3 channels"));
    assert!(read(&good, Some(&[])).is_err());
    assert!(read(&good, Some(&[3, usize::MAX, 2])).is_err());
    assert!(read(folder.0.path(), None).expect_err("a folder").to_string().contains("this is no file"));
}

/// Changed bytes: an error or a graph, never a panic.
#[test]
fn mutated_files_do_not_panic() {
    let folder = Folder::new();
    let mut state = 3u64;
    let mut next = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let all = networks();
    let names: Vec<&Value> = all.values().collect();
    let words = [
        "weight",
        "bias",
        "0",
        "1",
        "layer1",
        "conv1",
        "conv",
        "se",
        "fc1",
        "fc2",
        "downsample",
        "value",
        "key",
        "",
        "18446744073709551615",
        "denseblock1",
        "norm0",
    ];
    let mut fine = 0;
    for round in 0..2000 {
        // Names and small shapes at random, of real names' pieces; then bytes of the header changed.
        let network = tensors(names[next(names.len())]);
        let start = next(network.len());
        let mut renamed: Vec<(String, &str, Vec<usize>)> = Vec::new();
        for (name, ..) in network.iter().skip(start).take(1 + next(30)) {
            let mut pieces: Vec<&str> = name.split('.').collect();
            if next(3) == 0 {
                let at = next(pieces.len());
                pieces[at] = words[next(words.len())];
            }
            let shape = (0..next(6)).map(|_| next(5)).collect();
            renamed.push((pieces.join("."), ["F32", "F16", "U8", "I64", "F8_E4M3"][next(5)], shape));
        }
        renamed.sort();
        renamed.dedup_by(|a, b| a.0 == b.0);
        let list: Vec<_> = renamed.iter().map(|(n, d, s)| (n.as_str(), *d, s.clone())).collect();
        let mut bytes = file(&list);
        if round % 2 == 0 {
            for _ in 0..=next(3) {
                let at = next(bytes.len());
                bytes[at] = [b'0', b'9', b'[', b'"', b'}', 0, 0xff, bytes[next(bytes.len())]][next(8)];
            }
        }
        let path = folder.write("m.safetensors", &bytes);
        let input = [vec![3, 8, 8], vec![4], vec![2, 3]];
        let given = (next(3) > 0).then(|| input[next(3)].as_slice());
        if let Ok(graph) = read(&path, given) {
            let _ = (graph.macs(), graph.parameters());
            graph.nodes.iter().filter_map(|n| weight(&n.op)).for_each(|w| drop(w.to_array()));
            fine += 1;
        }
        let _ = read_into(&path, toml_file::parse(SMALL).expect("architecture"));
    }
    assert!(fine > 200, "{fine}");
}
