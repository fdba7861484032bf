//! The catalogue against PyTorch (`data/make_catalogue.py`), the papers, and its own rules.

#![cfg(test)]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use convstat_graph::catalogue::{CatalogueOptions, find, names, network, networks};
use convstat_graph::{Graph, GraphError, Node, Op};
use serde_json::Value;

fn pytorch() -> serde_json::Map<String, Value> {
    let all: Value = serde_json::from_str(include_str!("data/catalogue.json")).unwrap();
    all["networks"].as_object().unwrap().clone()
}

fn default(name: &str) -> Graph {
    network(name, &CatalogueOptions::default()).unwrap()
}

fn numbers(value: &Value) -> Vec<usize> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn every_entry_is_checked() {
    let ours: BTreeSet<String> = names().into_iter().map(str::to_owned).collect();
    assert_eq!(ours.len(), names().len());
    assert_eq!(ours, pytorch().keys().cloned().collect());
}

#[test]
fn totals_agree_with_pytorch() {
    for (name, expected) in pytorch() {
        let graph = default(&name);
        assert_eq!(graph.parameters() as u64, expected["parameters"].as_u64().unwrap(), "{name}");
        assert_eq!(graph.macs(), expected["macs"].as_u64().unwrap(), "{name}");
        if let Some(published) = expected["published"].as_f64() {
            assert_eq!((graph.macs() as f64 / 1e6).round() / 1e3, published, "{name}");
        }
    }
}

/// Odd sizes tell floors from ceilings at every window.
#[test]
fn other_inputs_and_classes_agree_with_pytorch() {
    for (name, expected) in pytorch() {
        let input = if find(&name).unwrap().input.len() == 3 { vec![9, 61, 83] } else { vec![97, 131] };
        let graph = network(&name, &CatalogueOptions { input: Some(input), classes: Some(10) }).unwrap();
        assert_eq!((graph.parameters(), graph.macs() as usize), pair(&expected["other"]), "{name}");
    }
}

fn pair(value: &Value) -> (usize, usize) {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn joins_pools_and_activations_agree_with_pytorch() {
    for (name, expected) in pytorch() {
        let mut counts = BTreeMap::<String, usize>::new();
        for node in &default(&name).nodes {
            let kind = match &node.op {
                Op::Activation { kind, .. } | Op::Pool { kind, .. } => kind,
                Op::Move { kind } if kind != "flatten" => kind,
                Op::Add => "add",
                Op::Multiply => "multiply",
                Op::Concat { axis: 0 } => "concat",
                _ => continue,
            };
            *counts.entry(kind.to_owned()).or_default() += 1;
        }
        let expected: BTreeMap<String, usize> =
            serde_json::from_value(expected["operations"].clone()).unwrap();
        assert_eq!(counts, expected, "{name}");
    }
}

/// For each node the layers with parameters that its inputs come from, through nodes without; −1 is the input.
fn sources(graph: &Graph, rows: &HashMap<&str, i64>) -> Vec<BTreeSet<i64>> {
    let own = |id: usize, through: &[BTreeSet<i64>]| match &graph.nodes[id] {
        Node { op: Op::Input, .. } => BTreeSet::from([-1]),
        node if node.parameters() > 0 => BTreeSet::from([rows[node.name.as_str()]]),
        _ => through[id].clone(),
    };
    let mut reads: Vec<BTreeSet<i64>> = Vec::new();
    for node in &graph.nodes {
        reads.push(node.inputs.iter().flat_map(|&i| own(i, &reads)).collect());
    }
    reads
}

#[test]
fn layers_and_edges_agree_with_pytorch() {
    let mut checked = 0;
    for (name, expected) in pytorch() {
        let Some(layers) = expected["layers"].as_array() else { continue };
        let graph = default(&name);
        let rows: HashMap<&str, i64> = layers.iter().map(|r| r[0].as_str().unwrap()).zip(0..).collect();
        let trained = graph.nodes.iter().filter(|n| n.parameters() > 0);
        assert_eq!(trained.map(|n| n.name.as_str()).collect::<BTreeSet<_>>(), rows.keys().copied().collect());
        let reads = sources(&graph, &rows);
        for (id, node) in graph.nodes.iter().enumerate().filter(|(_, n)| n.parameters() > 0) {
            let place = rows[node.name.as_str()];
            let row = layers[place as usize].as_array().unwrap();
            let fields = check_layer(node, row);
            let expected = match row.get(fields) {
                Some(listed) => serde_json::from_value(listed.clone()).unwrap(),
                None => BTreeSet::from([place - 1]),
            };
            assert_eq!(reads[id], expected, "{name}: {}", node.name);
            checked += 1;
        }
    }
    assert!(checked > 2000, "{checked}");
}

/// Compares a layer with its row, and returns the number of fields before `reads`.
fn check_layer(node: &Node, row: &[Value]) -> usize {
    let (name, kind) = (&node.name, row[1].as_str().unwrap());
    let channels = |r: &[Value]| (r[2].as_u64().unwrap() as usize, r[3].as_u64().unwrap() as usize);
    match &node.op {
        Op::Conv(c) => {
            assert_eq!(kind, "conv", "{name}");
            assert_eq!((c.inputs, c.outputs), channels(row), "{name}");
            assert_eq!(c.kernel, numbers(&row[4]), "{name}");
            assert_eq!(c.stride, numbers(&row[5]), "{name}");
            let padding: Vec<_> = numbers(&row[6]).into_iter().map(|p| (p, p)).collect();
            assert_eq!(c.padding, padding, "{name}");
            assert!(c.dilation.iter().all(|&d| d == 1) && c.dilation.len() == c.kernel.len(), "{name}");
            assert_eq!(
                (c.groups as u64, u64::from(c.bias)),
                (row[7].as_u64().unwrap(), row[8].as_u64().unwrap())
            );
            assert_eq!(node.shape, numbers(&row[9]), "{name}");
            10
        }
        Op::Linear(l) => {
            assert_eq!(kind, "linear", "{name}");
            assert_eq!((l.inputs, l.outputs), channels(row), "{name}");
            assert_eq!(u64::from(l.bias), row[8].as_u64().unwrap(), "{name}");
            assert_eq!(node.shape, numbers(&row[9]), "{name}");
            10
        }
        Op::Norm { kind: ours, parameters } => {
            assert_eq!((ours.as_str(), *parameters as u64), (kind, row[2].as_u64().unwrap()), "{name}");
            3
        }
        op => panic!("{name} has parameters: {op:?}"),
    }
}

#[test]
fn shapes_fit_along_every_edge() {
    for name in names() {
        let graph = default(name);
        let mut seen = BTreeSet::new();
        for (id, node) in graph.nodes.iter().enumerate() {
            let at = format!("{name}: {}", node.name);
            assert!(seen.insert(&node.name), "{at} twice");
            assert!(node.inputs.iter().all(|&i| i < id), "{at}");
            let from: Vec<&[usize]> = node.inputs.iter().map(|&i| graph.nodes[i].shape.as_slice()).collect();
            match (&node.op, from.as_slice()) {
                (Op::Input, []) => assert_eq!(id, 0, "{at}"),
                (Op::Conv(c), [x]) => {
                    assert_eq!((c.inputs, c.outputs), (x[0], node.shape[0]), "{at}");
                    assert!(c.inputs % c.groups == 0 && c.outputs % c.groups == 0, "{at}");
                    assert_eq!((c.kernel.len(), node.shape.len()), (x.len() - 1, x.len()), "{at}");
                }
                (Op::Linear(l), [x]) => {
                    assert_eq!((&[l.inputs][..], &node.shape), (*x, &vec![l.outputs]), "{at}");
                }
                (Op::Add, [a, b]) => {
                    assert!(a == b && *a == node.shape && node.inputs[0] != node.inputs[1], "{at}");
                }
                (Op::Multiply, [gate, x]) => {
                    assert_eq!((gate[0], *x), (x[0], node.shape.as_slice()), "{at}");
                    assert!(gate[1..].iter().all(|&s| s == 1), "{at}");
                }
                (Op::Concat { axis: 0 }, branches) if branches.len() > 1 => {
                    assert_eq!(branches.iter().map(|b| b[0]).sum::<usize>(), node.shape[0], "{at}");
                    assert!(branches.iter().all(|b| b[1..] == node.shape[1..]), "{at}");
                }
                (Op::Pool { global, .. }, [x]) => {
                    assert_eq!(x[0], node.shape[0], "{at}");
                    assert_eq!(*global, node.shape[1..].iter().all(|&s| s == 1), "{at}");
                }
                (Op::Norm { .. } | Op::Activation { .. }, [x]) => assert_eq!(*x, node.shape, "{at}"),
                (Op::Move { kind }, [x]) if kind == "shuffle" => assert_eq!(*x, node.shape, "{at}"),
                (Op::Move { kind }, [x]) if kind == "split" => assert_eq!(x[0], 2 * node.shape[0], "{at}"),
                (Op::Move { kind }, [x]) if kind == "flatten" => {
                    assert_eq!(vec![x.iter().product::<usize>()], node.shape, "{at}");
                }
                (op, inputs) => panic!("{at}: {op:?} reads {inputs:?}"),
            }
        }
        let readers = graph.readers();
        let unread: Vec<usize> = (0..graph.nodes.len()).filter(|&i| readers[i].is_empty()).collect();
        assert_eq!(unread, graph.outputs, "{name}");
        assert_eq!(graph.nodes[graph.outputs[0]].shape, [find(name).unwrap().classes], "{name}");
    }
}

/// Figures that the papers print.
#[test]
fn totals_agree_with_the_papers() {
    // Zhang et al. 2018, table 1, "Complexity" in millions, for 1, 2, 3, 4 and 8 groups; it leaves out the classifier.
    for (groups, published) in [(1, 143), (2, 140), (3, 137), (4, 133), (8, 137)] {
        let graph = default(&format!("shufflenet_v1_g{groups}"));
        let classifier = graph.nodes.last().unwrap();
        let millions = (graph.macs() - classifier.macs()) as f64 / 1e6;
        assert_eq!(millions.round() as i32, published, "{groups} groups");
    }
    // Howard et al. 2017, table 4: 569 million multiply–adds, 4.2 million parameters.
    let mobilenet = default("mobilenet_v1");
    assert_eq!((mobilenet.macs() as f64 / 1e6).round(), 569.0);
    assert_eq!((mobilenet.parameters() as f64 / 1e5).round(), 42.0);
}

/// "The number of bottleneck channels is 1/4 of the output channels."
#[test]
fn shuffle_units_have_a_quarter_of_their_channels_inside() {
    for groups in [1, 2, 3, 4, 8] {
        let graph = default(&format!("shufflenet_v1_g{groups}"));
        let mut units = 0;
        for node in graph.nodes.iter().filter(|n| n.name.ends_with(".conv3")) {
            let Op::Conv(c) = &node.op else { panic!("{}", node.name) };
            if !node.name.ends_with(".0.conv3") {
                assert_eq!((c.outputs, c.groups), (4 * c.inputs, groups), "{}", node.name);
                units += 1;
            }
        }
        assert_eq!(units, 13);
    }
}

#[test]
fn names_and_aliases() {
    for (given, name) in [
        ("resnext50", "resnext50_32x4d"),
        ("ResNet-50", "resnet50"),
        ("MobileNet V2", "mobilenet_v2"),
        ("SqueezeNet1.0", "squeezenet1_0"),
        ("shufflenet_v1", "shufflenet_v1_g3"),
    ] {
        assert_eq!(find(given).unwrap().name, name);
    }
    let mut all = BTreeSet::new();
    for entry in networks() {
        assert!(!entry.title.is_empty() && !entry.source.is_empty(), "{}", entry.name);
        for name in entry.aliases.iter().chain([&entry.name]) {
            // Names differ in more than what the look-up passes over.
            assert!(all.insert(name.replace('_', "")), "{name} twice");
            assert_eq!(find(name).unwrap().name, entry.name);
        }
    }
    let message = network("resnet5O", &CatalogueOptions::default()).unwrap_err().to_string();
    assert!(message.starts_with("no network \"resnet5O\"; did you mean \"resnet5"), "{message}");
    assert!(message.ends_with("(audit --list names all)"), "{message}");
}

#[test]
fn bad_options_name_the_value_and_the_mend() {
    let message = |name: &str, input: &[usize], classes: Option<usize>| {
        let options = CatalogueOptions { input: (!input.is_empty()).then(|| input.to_vec()), classes };
        network(name, &options).unwrap_err().to_string()
    };
    assert_eq!(
        message("alexnet", &[30, 40], None),
        "input = 30x40: the window of features.5 is 3 wide over 2 positions, choose larger sizes"
    );
    assert_eq!(
        message("r3d_18", &[112, 112], None),
        "input = 112x112: r3d_18 takes frames, height and width, 16x112x112"
    );
    assert_eq!(
        message("vgg16", &[3, 224, 224], None),
        "input = 3x224x224: vgg16 takes height and width, 224x224 or 224"
    );
    assert_eq!(message("vgg16", &[0], None), "input = 0: choose sizes from 1 to 8192");
    assert_eq!(message("vgg16", &[], Some(0)), "classes = 0: choose a number of classes from 1 to 16777216");
}

/// Neither end of the allowed sizes overflows or panics.
#[test]
fn extreme_options() {
    for entry in networks() {
        let modes = entry.input.len();
        for side in [1, 2, 7, 8192] {
            let options = CatalogueOptions { input: Some(vec![side; modes]), classes: Some(1 << 24) };
            match entry.graph(&options) {
                Ok(graph) => {
                    assert!(graph.macs() > graph.nodes.last().unwrap().macs() && graph.macs() < 1 << 62);
                }
                Err(GraphError::BadOption { option: "input", .. }) => assert!(side < 8192),
                Err(e) => panic!("{}: {e}", entry.name),
            }
        }
    }
}
