//! Architecture files: counts against torchvision's published ones, shapes, and errors with their places.

#![cfg(test)]

use std::path::Path;

use convstat_graph::Op;
use convstat_graph::catalogue::{CatalogueOptions, network};
use convstat_graph::toml_file::{parse, read};

/// Head, stages and classifier of an ImageNet network.
fn imagenet(stages: &str) -> String {
    format!(
        r#"
        name = "net"
        input = [3, 224, 224]
        [[layer]]
        conv = {{ out = 64, kernel = 7, stride = 2, norm = "batch", activation = "relu" }}
        [[layer]]
        pool = {{ kind = "max", kernel = 3, stride = 2, padding = 1 }}
        {stages}
        [[layer]]
        pool = {{ kind = "average", global = true }}
        [[layer]]
        linear = {{ out = 1000 }}
        "#
    )
}

fn stage(keys: &str) -> String {
    format!("[[layer]]\n{keys}\n")
}

fn counts(text: &str) -> (usize, u64) {
    let graph = parse(text).expect("architecture");
    (graph.parameters(), graph.macs())
}

/// torchvision's weight tables: `num_params` and `_ops` (in 10^9, three digits after the point). The catalogue, which is
/// compared with PyTorch layer by layer, has the same multiply–accumulates to the last one.
#[test]
fn counts_are_torchvisions() {
    let resnet = |kind: &str, rest: &str, widths: [&str; 4]| {
        let repeats = if kind == "basic" { [2, 2, 2, 2] } else { [3, 4, 6, 3] };
        let stages: String = (0..4)
            .map(|i| {
                let stride = if i == 0 { 1 } else { 2 };
                stage(&format!(
                    "{kind} = {{ {}, repeat = {}, stride = {stride}{rest} }}",
                    widths[i], repeats[i]
                ))
            })
            .collect();
        counts(&imagenet(&stages))
    };
    let wide = ["out = 256, r = 64", "out = 512, r = 128", "out = 1024, r = 256", "out = 2048, r = 512"];
    let next = ["out = 256, r = 128", "out = 512, r = 256", "out = 1024, r = 512", "out = 2048, r = 1024"];
    let mobile: String = [
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ]
    .map(|(t, c, n, s)| {
        stage(&format!("inverted_residual = {{ expand = {t}, out = {c}, repeat = {n}, stride = {s} }}"))
    })
    .concat();
    let mobile = format!(
        "name = 'mobilenet_v2'\ninput = [3, 224, 224]\n{}{mobile}{}{}{}",
        stage("conv = { out = 32, kernel = 3, stride = 2, norm = 'batch', activation = 'relu6' }"),
        stage("conv = { out = 1280, kernel = 1, norm = 'batch', activation = 'relu6' }"),
        stage("pool = { kind = 'average', global = true }"),
        stage("linear = { out = 1000 }")
    );
    let video: String = (0..4)
        .map(|i| {
            stage(&format!(
                "basic = {{ out = {}, repeat = 2, stride = {} }}",
                64 << i,
                if i == 0 { 1 } else { 2 }
            ))
        })
        .collect();
    let video = format!(
        "name = 'r3d_18'\ninput = [3, 16, 112, 112]\n{}{video}{}{}",
        stage(
            "conv = { out = 64, kernel = [3, 7, 7], stride = [1, 2, 2], norm = 'batch', activation = 'relu' }"
        ),
        stage("pool = { kind = 'average', global = true }"),
        stage("linear = { out = 400 }")
    );
    let cases = [
        (
            "resnet18",
            resnet("basic", "", ["out = 64", "out = 128", "out = 256", "out = 512"]),
            11_689_512,
            1.814,
        ),
        ("resnet50", resnet("bottleneck", "", wide), 25_557_032, 4.089),
        ("resnext50_32x4d", resnet("bottleneck", ", groups = 32", next), 25_028_904, 4.230),
        ("mobilenet_v2", counts(&mobile), 3_504_872, 0.301),
        ("r3d_18", counts(&video), 33_371_472, 40.697),
    ];
    for (name, (parameters, macs), expected, ops) in cases {
        assert_eq!(parameters, expected, "{name}");
        assert_eq!(format!("{:.3}", macs as f64 / 1e9), format!("{ops:.3}"), "{name}");
        assert_eq!(macs, network(name, &CatalogueOptions::default()).unwrap().macs(), "{name}");
    }
}

#[test]
fn the_example_file_is_resnet20() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/architectures/small-resnet.toml");
    let graph = read(&path).expect("example");
    // 3·3·(3·16 + 6·16² + 16·32 + 5·32² + 32·64 + 5·64²) weights, 16·32 + 32·64 in shortcuts, two of each normalised
    // channel, 65·10 at the end.
    let kernels = 9 * (3 * 16 + 6 * 256 + 512 + 5 * 1024 + 2048 + 5 * 4096);
    let norms = 2 * (7 * 16 + 6 * 32 + 6 * 64 + 32 + 64);
    assert_eq!(graph.parameters(), kernels + 512 + 2048 + norms + 650);
    let shape = |name: &str| graph.nodes.iter().find(|n| n.name == name).map(|n| n.shape.clone());
    assert_eq!(shape("stage2.0.downsample.0"), Some(vec![32, 16, 16]));
    assert_eq!(shape("stage3.2.add"), Some(vec![64, 8, 8]));
    assert_eq!(shape("classifier"), Some(vec![10]));
    assert!(graph.nodes.iter().enumerate().all(|(id, n)| n.inputs.iter().all(|&i| i < id)));
}

#[test]
fn branches_and_other_kinds() {
    let graph = parse(
        r#"
        name = "branches"
        input = [6, 40]
        outputs = ["gated", "side"]
        [[layer]]
        name = "a"
        conv = { out = 8, kernel = 4, stride = 2 }
        [[layer]]
        name = "b"
        from = "input"
        pool = { kind = "max", kernel = 2 }
        [[layer]]
        name = "both"
        from = ["a", "b"]
        concat = { activation = "gelu" }
        [[layer]]
        name = "mixed"
        shuffle = { groups = 2 }
        [[layer]]
        name = "core"
        tucker = { out = 12, ranks = [3, 4], kernel = 5 }
        [[layer]]
        name = "up"
        conv = { out = 14, kernel = 4, stride = 2, padding = 1, transposed = true, bias = false }
        [[layer]]
        name = "filtered"
        depthwise = { multiplier = 2, padding = "valid", dilation = 3, norm = "group", activation = "prelu" }
        [[layer]]
        name = "gated"
        squeeze_excitation = { r = 5 }
        [[layer]]
        name = "side"
        from = "both"
        linear = { out = 3, flatten = false, activation = "softmax" }
        "#,
    )
    .expect("architecture");
    let node = |name: &str| graph.nodes.iter().find(|n| n.name == name).unwrap_or_else(|| panic!("{name}"));
    assert_eq!(node("a").shape, [8, 20]);
    assert_eq!(node("both").shape, [14, 20]);
    assert_eq!(node("core.2").shape, [12, 20]);
    // 3·14 + 4·3·5 + 12·4 and a bias.
    let tucker: usize = ["core.0", "core.1", "core.2"].iter().map(|n| node(n).parameters()).sum();
    assert_eq!(tucker, 42 + 60 + 48 + 12);
    assert_eq!(node("up").shape, [14, 40]);
    assert_eq!(node("up").macs(), 20 * 12 * 14 * 4);
    assert_eq!(node("filtered").shape, [28, 34]);
    assert!(matches!(&node("filtered").op, Op::Conv(c) if c.groups == 14 && !c.bias && c.weights() == 84));
    assert_eq!(node("filtered.prelu").parameters(), 1);
    assert_eq!(node("gated.multiply").shape, [28, 34]);
    assert_eq!(node("side").shape, [14, 3]);
    let outputs: Vec<&str> = graph.outputs.iter().map(|&o| graph.nodes[o].name.as_str()).collect();
    assert_eq!(outputs, ["gated.multiply", "side.softmax"]);
}

/// The message for a wrong file.
fn error(text: &str) -> String {
    parse(text).expect_err(text).to_string()
}

#[test]
fn errors_have_places_and_mends() {
    let with = |layer: &str| format!("name = \"n\"\ninput = [3, 8, 8]\n\n[[layer]]\n{layer}\n");
    let cases = [
        (
            "conv = { out = 4, kernel = 3, strid = 2 }",
            "line 5, column 31: unknown key \"strid\"; did you mean \"stride\"?",
        ),
        ("covn = { out = 4, kernel = 3 }", "line 5, column 1: unknown key \"covn\"; did you mean \"conv\"?"),
        (
            "pool = { kind = \"avrage\", global = true }",
            "unknown value \"avrage\"; did you mean \"average\"?",
        ),
        ("conv = { kernel = 3 }", "line 5, column 8: missing field `out`"),
        (
            "conv = { out = 4, kernel = \"three\" }",
            "expected a whole number, or a list of one a spatial mode",
        ),
        (
            "conv = { out = 4, kernel = [3, 3, 3] }",
            "line 4, column 1: layer \"conv1\": kernel = [3, 3, 3] has 3 sizes, but there are 2",
        ),
        (
            "conv = { out = 4, kernel = 9, padding = \"valid\" }",
            "reaches over 9 places of spatial mode 0, which has 8",
        ),
        (
            "conv = { out = 4, kernel = 3, groups = 2 }",
            "groups = 2: it has to divide 3 input and 4 output channels",
        ),
        ("conv = { out = 4, kernel = 0 }", "kernel = 0: it has to be between 1"),
        ("conv = { out = 4, kernel = 1, norm = \"bach\" }", "unknown norm \"bach\"; did you mean \"batch\"?"),
        ("conv = { out = 4, kernel = 1, activation = \"rellu\" }", "did you mean \"relu\"?"),
        ("conv = { out = 99999999999, kernel = 1 }", "out = 99999999999: it has to be between 1 and"),
        ("conv = { out = 16000000, kernel = 65000 }", "multiply-accumulates; check its sizes"),
        ("basic = { out = 4, repeat = 1000000000 }", "repeat = 1000000000: it has to be between 1"),
        (
            "from = \"imput\"\nlinear = { out = 4 }",
            "no layer \"imput\" before this place; did you mean \"input\"?",
        ),
        ("from = [\"input\", \"input\"]\nlinear = { out = 4 }", "join them before with add or concat"),
        ("add = {}", "it joins branches; name them"),
        ("name = \"x\"", "a layer without a kind"),
        ("norm = \"batch\"\nactivation = \"relu\"", "a layer of 2 kinds (norm, activation)"),
        ("pool = { kind = \"max\" }", "give either kernel (and stride, padding) or global = true"),
        ("tucker = { out = 4, ranks = [4, 4] }", "4 has to be between 1 and 3, the input channels"),
        ("name = \"input\"\nflatten = {}", "two"),
        (
            "flatten = {}\n[[layer]]\nconv = { out = 4, kernel = 1 }",
            "line 6, column 1: layer \"conv2\": it needs a feature map",
        ),
        (
            "name = \"a\"\nflatten = {}\n[[layer]]\nfrom = \"input\"\nlinear = { out = 2 }",
            "layer \"a\": nothing reads it",
        ),
        (
            "name = \"a\"\nconv = { out = 2, kernel = 1 }\n[[layer]]\nfrom = [\"a\", \"input\"]\nadd = {}",
            "do not fit together",
        ),
    ];
    for (layer, expected) in cases {
        let message = error(&with(layer));
        assert!(message.contains(expected), "{layer}\n{message}");
    }
    assert!(error("name = \"n\"\ninput = [3, 8, 8]\n").contains("give between 1 and"));
    assert!(error("name = \"n\"\ninput = []\n").contains("give the channels and one to three spatial modes"));
    assert!(error("name = \"n\"\ninput = [3, -1]\n").starts_with("architecture: line 2"));
    assert!(error("name = ").contains("line 1"));
    let missing = read(Path::new("no-such-file.toml")).expect_err("no file").to_string();
    assert!(missing.starts_with("cannot read no-such-file.toml"), "{missing}");
}

/// Changed characters of a file: an error or a graph, never a panic.
#[test]
fn mutated_files_do_not_panic() {
    let seeds =
        [include_str!("../../../experiments/architectures/small-resnet.toml").to_owned(), imagenet("")];
    let mut state = 1u64;
    let mut next = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % n
    };
    let pieces = [
        "0",
        "9999999999",
        "-",
        "[",
        "]",
        "{",
        "}",
        "\"",
        "=",
        "\n",
        "[[layer]]",
        "input",
        "é",
        "18446744073709551615",
    ];
    let mut fine = 0;
    for _ in 0..3000 {
        let mut text: Vec<char> = seeds[next(seeds.len())].chars().collect();
        for _ in 0..=next(4) {
            let at = next(text.len());
            match next(3) {
                0 => drop(text.remove(at)),
                1 => drop(text.splice(at..at, pieces[next(pieces.len())].chars())),
                _ => {
                    let end = (at + next(12)).min(text.len());
                    drop(text.splice(at..end, pieces[next(pieces.len())].chars()));
                }
            }
        }
        fine += usize::from(parse(&text.into_iter().collect::<String>()).is_ok());
    }
    assert!(fine > 0);
}
