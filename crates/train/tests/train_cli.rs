//! `convstat-train` as a user runs it: ablations that are repeated, extended, killed and resumed, CIFAR-10 files, single
//! networks, bad input.

#![cfg(test)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use convstat_runner::Table;
use serde_json::Value;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_convstat-train");

/// Four networks of 1000 parameters at most; 10 steps an epoch.
const DIGITS: &str = r#"
[ablation]
name = "tiny"
seed = 7
seeds = 2
[data]
name = "digits"
train = 200
augment = { crop = 1 }
[network]
stages = [{ r = 4 }]
[grid]
kr = [1, 2]
fixed = ["r", "parameters"]
[training]
epochs = 2
batch = 20
optimiser = { kind = "sgd", rate = 0.1 }
"#;

/// A folder with an ablation file.
fn folder(text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ablation.toml"), text).unwrap();
    folder
}

fn run(folder: &Path, args: &[&str]) -> Output {
    assert_cmd::Command::new(PROGRAM).current_dir(folder).args(args).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Standard output of a run that ends with `code`.
#[track_caller]
fn ends(folder: &Path, code: i32, args: &[&str]) -> String {
    let output = run(folder, args);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {errors}");
    assert!(!errors.contains("panicked"), "{args:?}: {errors}");
    text(&output.stdout)
}

/// Bad input: exit code 2, nothing on standard output, and a message with all `parts` in it (wrapped as it may be).
#[track_caller]
fn fails(folder: &Path, args: &[&str], parts: &[&str]) {
    let output = run(folder, args);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {errors}");
    assert!(output.stdout.is_empty() && !errors.contains("panicked"), "{args:?}: {errors}");
    let close = |t: &str| t.replace('│', "").split_whitespace().collect::<String>();
    for part in parts {
        assert!(close(&errors).contains(&close(part)), "{args:?}: no {part:?} in {errors}");
    }
}

fn ablate(folder: &Path, more: &[&str]) -> String {
    ends(folder, 0, &[&["ablate", "ablation.toml", "--out", "out"], more].concat())
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut all: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

fn parts(folder: &Path) -> Vec<PathBuf> {
    let all = files(&folder.join("out/parts")).into_iter();
    all.filter(|p| p.extension().is_some_and(|e| e == "parquet")).collect()
}

/// Bits of accuracy, loss and training loss by cell and replicate.
fn rows(folder: &Path) -> BTreeMap<(String, i64), [u64; 3]> {
    let mut all = BTreeMap::new();
    for part in parts(folder) {
        let table = Table::read(&part).unwrap();
        let keys = table.texts("cell").unwrap().iter().cloned().zip(table.ints("replicate").unwrap());
        let values = ["accuracy", "loss", "train_loss"].map(|name| table.floats(name).unwrap());
        for (i, (cell, replicate)) in keys.enumerate() {
            let twice = all.insert((cell, *replicate), values.map(|v| v[i].to_bits()));
            assert!(twice.is_none(), "a network is trained once");
        }
    }
    all
}

#[test]
fn ablation_repeated_and_extended() {
    let folder = folder(DIGITS);
    let folder = folder.path();
    let table = ablate(folder, &[]);
    assert_eq!(table.trim().lines().count(), 2 + 4, "{table}");
    assert!(
        table.starts_with("| block | fixed | K/R |") && table.contains("| bottleneck | r | 2 | 4 |"),
        "{table}"
    );
    let out = folder.join("out");
    assert_eq!(fs::read_to_string(out.join("summary.md")).unwrap().trim(), table.trim());
    let summary = Table::read(&out.join("summary.parquet")).unwrap();
    assert_eq!((summary.rows(), summary.ints("seeds").unwrap()), (4, &[2; 4][..]));
    let figures: Vec<String> = files(&out.join("figures")).iter().map(|p| p.display().to_string()).collect();
    assert_eq!(figures.len(), 3, "{figures:?}");
    for (path, end) in figures.iter().zip(["tiny.pdf", "tiny.png", "tiny.svg"]) {
        assert!(path.ends_with(end) && fs::metadata(path).unwrap().len() > 1000, "{path}");
    }
    let metrics = files(&out.join("metrics"));
    assert_eq!(metrics.len(), 8);
    for network in metrics {
        let curve = Table::read(&network.join("metrics.parquet")).unwrap();
        assert_eq!(
            (curve.ints("epoch").unwrap(), curve.ints("steps").unwrap()),
            (&[1, 2][..], &[10, 20][..])
        );
        let lines = fs::read_to_string(network.join("metrics.csv")).unwrap();
        assert_eq!(lines.lines().count(), 3, "{lines}");
        let events =
            files(&network).into_iter().find(|p| p.to_string_lossy().contains("events.out.tfevents"));
        assert!(fs::metadata(events.unwrap()).unwrap().len() > 100);
    }
    assert!(files(&out.join("checkpoints")).is_empty(), "what is finished leaves no checkpoint");

    let (first, stored) = (rows(folder), parts(folder));
    assert_eq!(first.len(), 8);
    assert_eq!(ablate(folder, &[]), table);
    assert_eq!(parts(folder), stored, "nothing is trained again");

    let table = ablate(folder, &["--seeds", "3"]);
    assert!(table.lines().skip(2).filter(|l| !l.is_empty()).all(|l| l.contains("| 3 |")), "{table}");
    let second = rows(folder);
    assert_eq!(second.len(), 12);
    assert!(first.iter().all(|(key, row)| second[key] == *row));

    let json = ablate(folder, &["--json"]);
    let json: Value = serde_json::from_str(&json).unwrap_or_else(|e| panic!("{e}: {json}"));
    assert_eq!((&json["name"], json["cells"].as_array().unwrap().len()), (&"tiny".into(), 4));
    let of = |key: &str| json["cells"][1][key].clone();
    let found = [of("kr"), of("ranks"), of("seeds"), of("failures")];
    assert_eq!(Value::from(found.to_vec()), serde_json::json!([2.0, [4], 2, 0]));
    assert_eq!(of("accuracy"), summary.floats("accuracy").unwrap()[1]);
}

#[test]
fn ablation_is_the_same_with_any_number_of_threads() {
    let with = |threads: &str| {
        let folder = folder(DIGITS);
        ablate(folder.path(), &["--threads", threads]);
        rows(folder.path())
    };
    let one = with("1");
    assert_eq!(one.len(), 8);
    // More threads than networks run side by side share them out.
    assert_eq!(one, with("2"));
    assert_eq!(one, with("19"));
    let folder = folder(DIGITS);
    fails(folder.path(), &["ablate", "ablation.toml", "--threads", "100000"], &["100000", "at most"]);
}

/// Starts an ablation, and kills it by `signal` once `ready` holds; its exit code.
#[cfg(unix)]
fn killed(folder: &Path, signal: &str, ready: impl Fn() -> bool) -> Option<i32> {
    let mut child: Child = Command::new(PROGRAM)
        .current_dir(folder)
        .args(["ablate", "ablation.toml", "--out", "out", "--threads", "1"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while !ready() {
        assert!(child.try_wait().unwrap().is_none(), "ended before it was killed");
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    child.wait().unwrap().code()
}

#[test]
#[cfg(unix)]
fn ablation_killed_and_resumed() {
    let text = DIGITS.replace("epochs = 2", "epochs = 60\nema = 0.9");
    let whole = folder(&text);
    let table = ablate(whole.path(), &[]);
    let expected = rows(whole.path());
    let lines = |folder: &Path| -> usize {
        let curves = files(&folder.join("out/metrics")).into_iter().map(|p| p.join("metrics.csv"));
        curves.map(|p| fs::read_to_string(p).map_or(0, |t| t.lines().count())).sum()
    };
    // Before anything is stored, and after something is.
    for stored in [0, 1] {
        let cut = folder(&text);
        let cut = cut.path();
        let ready = || parts(cut).len() >= stored && lines(cut) >= 10;
        assert_eq!(killed(cut, "-INT", ready), Some(3), "partly done");
        assert!(rows(cut).len() < 8);
        let so_far = fs::read_to_string(cut.join("out/summary.md")).unwrap();
        assert!(!so_far.contains('—'), "rows without results: {so_far}");
        // Later on the signal may come between two networks.
        assert!(stored > 0 || files(&cut.join("out/checkpoints")).len() == 1, "the network in flight");
        // Resumed and killed again, the hard way.
        let begun = lines(cut);
        assert_eq!(killed(cut, "-KILL", || lines(cut) > begun + 10), None);
        let kept = rows(cut);
        assert!(kept.len() < 8);
        assert_eq!(ablate(cut, &[]), table);
        assert_eq!(rows(cut), expected);
        assert!(kept.iter().all(|(key, row)| expected[key] == *row));
        for network in files(&cut.join("out/metrics")) {
            let curve = fs::read_to_string(network.join("metrics.csv")).unwrap();
            let epochs =
                curve.lines().skip(1).map(|l| l.split(',').next().unwrap().parse::<usize>().unwrap());
            assert!(epochs.eq(1..=60), "no epoch twice: {curve}");
        }
    }
}

#[test]
fn networks_that_diverge_are_counted() {
    let folder = folder(&DIGITS.replace("rate = 0.1", "rate = 1e30"));
    let output = run(folder.path(), &["ablate", "ablation.toml", "--out", "out"]);
    let (table, errors) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert_eq!(table.matches("| 0 (2 failed) | — |").count(), 4, "{table}");
    assert!(errors.contains("the loss is") && errors.contains("lower the learning rate"), "{errors}");
}

#[test]
fn another_ablation_needs_another_folder() {
    let folder = folder(DIGITS);
    assert_eq!(run(folder.path(), &["ablate", "ablation.toml", "--out", "out"]).status.code(), Some(0));
    let other = DIGITS.replacen("name = \"", "name = \"other-", 1);
    fs::write(folder.path().join("ablation.toml"), other).unwrap();
    let output = run(folder.path(), &["ablate", "ablation.toml", "--out", "out"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("give another folder"), "{}", text(&output.stderr));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_no_panic() {
    let folder = folder(DIGITS);
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_convstat-train"));
    let output =
        command.current_dir(folder.path()).args(["ablate", "ablation.toml", "--out", "out"]).stdout(full);
    let output = output.stderr(std::process::Stdio::piped()).output().unwrap();
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("standard output") && !errors.contains("panicked"), "{errors}");
}

// CIFAR-10.

const RECORD: usize = 1 + 3 * 1024;

/// Files of `n` records each with random pixels.
fn cifar(folder: &Path, n: usize) {
    let inner = folder.join("data/cifar-10-batches-bin");
    fs::create_dir_all(&inner).unwrap();
    let mut state = 1_u64;
    for name in (1..=5).map(|i| format!("data_batch_{i}.bin")).chain(["test_batch.bin".to_owned()]) {
        let mut bytes = Vec::with_capacity(n * RECORD);
        for i in 0..n {
            bytes.push((i % 10) as u8);
            bytes.extend((1..RECORD).map(|_| {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                (state >> 56) as u8
            }));
        }
        fs::write(inner.join(name), bytes).unwrap();
    }
}

fn cifar_text() -> String {
    let text = DIGITS.replace("name = \"digits\"\ntrain = 200", "name = \"cifar10\"\ntest = 9");
    let text = text.replace("{ crop = 1 }", "{ crop = 4, flip = true, cutout = 8 }");
    text.replace("epochs = 2", "epochs = 1").replace("[{ r = 4 }]", "[{ r = 2 }, { r = 3 }]")
}

#[test]
fn cifar10_from_its_files() {
    let folder = folder(&cifar_text());
    let folder = folder.path();
    cifar(folder, 10);
    let out = ablate(folder, &["--data", "data", "--json"]);
    let json: Value = serde_json::from_str(&out).unwrap();
    let cells = json["cells"].as_array().unwrap();
    assert!(cells.iter().all(|c| c["seeds"] == 2 && c["ranks"].as_array().unwrap().len() == 2), "{out}");
    let expected = rows(folder);
    // The inner folder will do as well.
    fs::remove_dir_all(folder.join("out")).unwrap();
    ablate(folder, &["--data", "data/cifar-10-batches-bin"]);
    assert_eq!(rows(folder), expected);
}

/// SciPy's MATLAB files and pyarrow's Parquet file, of a few images each.
#[test]
fn svhn_and_parquet_from_their_files() {
    let sets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../data/tests/data");
    let text = |data: &str| {
        let text = DIGITS.replace("name = \"digits\"\ntrain = 200", data).replace("batch = 20", "batch = 4");
        text.replace("augment = { crop = 1 }", "augment = { crop = 4, cutout = 8 }")
    };
    for (data, from, images) in [
        ("name = \"svhn\"", sets.join("svhn"), 7),
        ("name = \"svhn\"\nextra = true", sets.clone(), 12),
        ("name = \"cifar10\"", sets.join("cifar10-parquet"), 7),
    ] {
        let folder = folder(&text(data));
        let folder = folder.path();
        let output =
            run(folder, &["ablate", "ablation.toml", "--out", "out", "--data", from.to_str().unwrap()]);
        let errors = self::text(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{data}: {errors}");
        assert!(errors.contains(&format!(" on {images} images of ")), "{data}: {errors}");
        assert_eq!(rows(folder).len(), 8, "{data}");
    }
}

#[test]
fn cifar10_files_that_are_bad() {
    let folder = folder(&cifar_text());
    let folder = folder.path();
    let mend = "convstat-train fetch cifar10 --data FOLDER";
    fails(folder, &["ablate", "ablation.toml"], &["--data = (none)", mend]);
    let args = ["ablate", "ablation.toml", "--data", "data"];
    fails(folder, &args, &["data: no such folder", mend]);
    fs::create_dir(folder.join("data")).unwrap();
    fails(folder, &args, &["data/data_batch_1.bin: no such file", mend]);
    cifar(folder, 2);
    let batch = folder.join("data/cifar-10-batches-bin/data_batch_3.bin");
    let whole = fs::read(&batch).unwrap();
    fs::write(&batch, &whole[..whole.len() - 1]).unwrap();
    fails(
        folder,
        &args,
        &["data_batch_3.bin: 6145 bytes are not a whole number of records", "cut short", mend],
    );
    let mut label = whole.clone();
    label[RECORD] = 10;
    fs::write(&batch, label).unwrap();
    fails(folder, &args, &["data_batch_3.bin: record 1 has label 10, above 9", mend]);
    fs::write(&batch, whole).unwrap();
    fs::remove_file(folder.join("data/cifar-10-batches-bin/test_batch.bin")).unwrap();
    fails(folder, &args, &["test_batch.bin: no such file", mend]);
}

// Bad files.

#[test]
fn bad_files_are_named_with_what_mends_them() {
    let folder = folder(DIGITS);
    let folder = folder.path();
    let edits: [(&str, &str, &[&str]); 25] = [
        (
            "epochs = 2",
            "epochs = 2\nepoch = 3",
            &["unknown field `epoch`", "`epochs`", "bad.toml:17:1", "here", "did you mean \"epochs\"?"],
        ),
        ("seeds = 2", "seed = 2", &["duplicate key", "bad.toml:5:1"]),
        ("seeds = 2", "seeds = -2", &["-2", "bad.toml:5:1"]),
        ("epochs = 2", "epochs =", &["bad.toml:16:"]),
        ("[training]", "[training", &["bad.toml:15:"]),
        ("batch = 20", "", &["missing field `batch`"]),
        ("kind = \"sgd\"", "kind = \"sdg\"", &["did you mean \"sgd\"?", "`adamw`", "bad.toml:18:"]),
        ("fixed = [\"r\"", "fixed = [\"q\"", &["unknown variant `q`", "`macs`", "bad.toml:14:"]),
        ("[grid]", "block = 3\n[grid]", &["expected the name of a block, or a table", "bad.toml:12:1"]),
        (
            "[grid]",
            "block = \"botleneck\"\n[grid]",
            &["block = \"botleneck\": unknown kind; did you mean \"bottleneck\"?"],
        ),
        (
            "[grid]",
            "block = { kind = \"tucker\", rank = 2 }\n[grid]",
            &["block = tucker(rank=2)", "unknown field `rank`"],
        ),
        (
            "kr = [1, 2]",
            "kr = [1.3]",
            &["r = 4 at K/R = 1.3", "R times the K/R ratio has to be a whole number"],
        ),
        ("kr = [1, 2]", "kr = [-1]", &["grid.kr = -1", "above 0"]),
        ("kr = [1, 2]", "kr = []", &["grid.kr = []", "at least one"]),
        ("batch = 20", "batch = 201", &["batch = 201: use 1 to 200"]),
        ("crop = 1", "crop = 8", &["crop = 8", "a crop below 8"]),
        ("train = 200", "train = 1439", &["data.train = 1439: give 1 to 1438"]),
        ("rate = 0.1", "rate = -0.1", &["optimiser.rate = -0.1: give a positive learning rate"]),
        ("\"digits\"", "\"digit\"", &["data set = digit", "did you mean \"digits\"?"]),
        ("\"tiny\"", "\"..\"", &["ablation.name = \"..\"", "a letter or digit first"]),
        ("seeds = 2", "seeds = 0", &["ablation.seeds = 0: give 1 to 100000"]),
        ("batch = 20", "batch = 20\nema = 1.0", &["training.ema = 1: give a decay"]),
        ("[{ r = 4 }]", "[{ r = 0 }]", &["network.stages.r = 0", "at least 1"]),
        ("[{ r = 4 }]", "[]", &["network.stages = []", "at least one stage"]),
        ("[{ r = 4 }]", "[{ r = 4 }]\nkernel = [2, 3]", &["network.kernel = [2, 3]", "odd"]),
    ];
    for (old, new, parts) in edits {
        assert!(DIGITS.contains(old), "{old}");
        fs::write(folder.join("bad.toml"), DIGITS.replacen(old, new, 1)).unwrap();
        fails(folder, &["ablate", "bad.toml", "--out", "bad"], parts);
        assert!(files(&folder.join("bad/parts")).is_empty(), "nothing is stored: {new}");
    }
    // Another split of the digits is other data: neither run nor network goes on with it.
    ends(folder, 0, &["ablate", "ablation.toml", "--out", "mine", "--seeds", "1"]);
    ends(folder, 0, &["train", "ablation.toml", "--kr", "1", "--out", "one"]);
    fs::write(folder.join("other.toml"), DIGITS.replacen("seed = 7", "seed = 8", 1)).unwrap();
    fails(folder, &["ablate", "other.toml", "--out", "mine"], &["is of other data", "--out"]);
    fails(folder, &["eval", "other.toml", "--kr", "1", "--out", "one"], &["other data", "split"]);
    fails(folder, &["train", "other.toml", "--kr", "1", "--out", "one"], &["another seed, other data"]);
    fails(folder, &["ablate", "none.toml"], &["cannot read none.toml", "No such file"]);
    fails(folder, &["ablate", "."], &["cannot read ."]);
    fs::write(folder.join("binary.toml"), [0xff, 0xfe, 0]).unwrap();
    fails(folder, &["ablate", "binary.toml"], &["cannot read binary.toml", "UTF-8"]);
    fails(folder, &["ablate", "ablation.toml", "--seeds", "0"], &["--seeds = 0: give 1 to 100000"]);
    fails(folder, &["ablate", "ablation.toml", "--out", "ablation.toml"], &["cannot create ablation.toml"]);
    fails(folder, &["train", "ablation.toml", "--kr", "1.3"], &["r = 4 at K/R = 1.3"]);
    // What went wrong is said once.
    let output = run(folder, &["ablate", "ablation.toml", "--out", "ablation.toml/x"]);
    assert_eq!(text(&output.stderr).matches("Not a directory").count(), 1, "{}", text(&output.stderr));
    fs::write(folder.join("study.toml"), "[study]\nname = \"s\"\n").unwrap();
    fails(folder, &["ablate", "study.toml"], &["this is a study: convstat study run FILE"]);
    // A file that was mended goes on in the folder where it failed.
    fs::write(folder.join("bad.toml"), DIGITS).unwrap();
    ends(folder, 0, &["ablate", "bad.toml", "--out", "out"]);
    assert_eq!(rows(folder).len(), 8);
}

// Single networks.

#[test]
fn train_then_eval() {
    let early = "early_stop = { patience = 1, validation = 0.2 }\nema = 0.8";
    for text in [DIGITS.to_owned(), DIGITS.replace("epochs = 2", &format!("epochs = 9\n{early}"))] {
        let folder = folder(&text);
        let folder = folder.path();
        let one = |command: &str| {
            let out = ends(folder, 0, &[command, "ablation.toml", "--kr", "2", "--out", "one", "--json"]);
            serde_json::from_str::<Value>(&out).unwrap_or_else(|e| panic!("{e}: {out}"))
        };
        let trained = one("train");
        assert_eq!((&trained["images"], &trained["parameters"]), (&359.into(), &418.into()));
        assert!(trained["accuracy"].as_f64().unwrap() > 0.0);
        assert_eq!(one("eval"), trained);
        let curve = fs::read_to_string(folder.join("one/metrics.csv")).unwrap();
        let again = run(folder, &["train", "ablation.toml", "--kr", "2", "--out", "one", "--json"]);
        assert_eq!(
            serde_json::from_slice::<Value>(&again.stdout).unwrap(),
            trained,
            "a finished run only reports"
        );
        assert!(self::text(&again.stderr).contains("already trained"), "{}", self::text(&again.stderr));
        assert_eq!(fs::read_to_string(folder.join("one/metrics.csv")).unwrap(), curve);
        assert_eq!(one("eval"), trained);
        let line = ends(folder, 0, &["eval", "ablation.toml", "--kr", "2", "--out", "one"]);
        assert!(line.starts_with("accuracy ") && line.contains("418 parameters"), "{line}");
        // The checkpoint alone does.
        fs::rename(folder.join("one/checkpoint.safetensors"), folder.join("other.safetensors")).unwrap();
        let moved = ["eval", "ablation.toml", "--kr", "2", "--checkpoint", "other.safetensors", "--json"];
        assert_eq!(serde_json::from_str::<Value>(&ends(folder, 0, &moved)).unwrap(), trained);
    }
}

/// The audit of the weights counts every parameter and finds the blocks.
#[test]
fn weights_are_those_of_the_checkpoint_under_names_that_the_audit_reads() {
    for (block, found) in [
        ("bottleneck", "bottleneck"),
        ("inverted-residual", "inverted residual"),
        ("depthwise-separable", "depthwise separable"),
        ("basic", "convolution"),
        ("tucker", "pointwise"),
    ] {
        let stages = "stages = [{ r = 4 }, { r = 6 }]";
        let text = DIGITS.replace("stages = [{ r = 4 }]", &format!("block = \"{block}\"\n{stages}"));
        let folder = folder(&text.replace("epochs = 2", "epochs = 1\nema = 0.5"));
        let folder = folder.path();
        let out = ends(folder, 0, &["train", "ablation.toml", "--kr", "2", "--out", "one", "--json"]);
        let trained: Value = serde_json::from_str(&out).unwrap();
        let path = folder.join("one/weights.safetensors");
        let graph = convstat_audit::load(path.to_str().unwrap(), &convstat_audit::LoadOptions::default())
            .unwrap()
            .graph;
        let audit = convstat_audit::Audit::new(&graph, None).unwrap();
        assert_eq!(Value::from(audit.totals.parameters), trained["parameters"], "{block}");
        let kinds: Vec<String> = audit.blocks.iter().map(|b| b.form.to_owned()).collect();
        assert!(kinds.iter().any(|k| k == found), "{block}: {kinds:?}");
        // What is evaluated, with the channels behind the first mode.
        let read = |name: &str| fs::read(folder.join("one").join(name)).unwrap();
        let (weights, checkpoint) = (read("weights.safetensors"), read("checkpoint.safetensors"));
        let weights = safetensors::SafeTensors::deserialize(&weights).unwrap();
        let checkpoint = safetensors::SafeTensors::deserialize(&checkpoint).unwrap();
        assert!(weights.names().iter().all(|n| !n.contains(':')), "{:?}", weights.names());
        if block == "bottleneck" {
            let entries = |t: safetensors::tensor::TensorView| {
                t.data().as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<_>>()
            };
            let new = weights.tensor("blocks.1.conv2.weight").unwrap();
            let old = checkpoint.tensor("average:blocks.1.1.conv.weight").unwrap();
            assert_eq!((new.shape(), old.shape()), (&[6, 6, 3, 3][..], &[6, 3, 3, 6][..]));
            let (new, old) = (entries(new), entries(old));
            for (i, value) in new.iter().enumerate() {
                let (o, c, tap) = (i / 54, i / 9 % 6, i % 9);
                assert_eq!(*value, old[o * 54 + tap * 6 + c]);
            }
        }
    }
}

#[test]
fn eval_of_another_seed() {
    let folder = folder(DIGITS);
    let folder = folder.path();
    let args = |command: &'static str| [command, "ablation.toml", "--kr", "2", "--out", "one", "--json"];
    let trained = ends(folder, 0, &[&args("train")[..], &["--seed", "3"]].concat());
    assert_eq!(ends(folder, 0, &args("eval")), trained);
    assert_eq!(ends(folder, 0, &[&args("eval")[..], &["--seed", "3"]].concat()), trained);
    fails(folder, &[&args("eval")[..], &["--seed", "7"]].concat(), &["--seed = 7", "of seed 3"]);
}

#[test]
fn an_edited_file_says_what_it_leaves_out() {
    let folder = folder(DIGITS);
    let folder = folder.path();
    ablate(folder, &["--seeds", "1"]);
    fs::write(folder.join("ablation.toml"), DIGITS.replace("kr = [1, 2]", "kr = [2, 4]")).unwrap();
    let output = run(folder, &["ablate", "ablation.toml", "--out", "out", "--seeds", "1"]);
    assert_eq!(output.status.code(), Some(0));
    let errors = text(&output.stderr);
    assert!(errors.contains("networks in out are none of this file's"), "{errors}");
}

#[test]
fn train_and_eval_of_the_wrong_checkpoint() {
    let folder = folder(DIGITS);
    let folder = folder.path();
    let args = |command: &'static str| [command, "ablation.toml", "--kr", "2", "--out", "one"];
    fails(folder, &args("eval"), &["cannot read one/checkpoint.safetensors"]);
    ends(folder, 0, &args("train"));
    let path = "one/checkpoint.safetensors";
    fails(folder, &["eval", "ablation.toml", "--kr", "1", "--out", "one"], &[path, "the network has"]);
    // Not silently the result of seed 0.
    fails(folder, &[&args("train")[..], &["--seed", "1"]].concat(), &[path, "seed", "remove it"]);
    let whole = fs::read(folder.join(path)).unwrap();
    fs::write(folder.join(path), &whole[..whole.len() / 2]).unwrap();
    for command in ["train", "eval"] {
        fails(folder, &args(command), &[path, "cut short", "remove it to start afresh"]);
    }
}

// Videos.

/// One video of each class to train on and one to test on, in UCF101's layout; `size` in pixels.
fn videos(folder: &Path, size: &str, frames: usize) {
    let (mut train, mut test) = (String::new(), String::new());
    for (i, (class, colour)) in [("Red", "red"), ("Blue", "blue")].into_iter().enumerate() {
        for (group, list) in [(1, &mut train), (2, &mut test)] {
            let path = folder.join(format!("UCF-101/{class}/v_{class}_g0{group}_c01.avi"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let source = format!("color=c={colour}:size={size}:rate=25");
            let made = Command::new("ffmpeg")
                .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", &source])
                .args(["-frames:v", &frames.to_string(), "-c:v", "mpeg4"])
                .arg(&path)
                .status()
                .expect("this test needs ffmpeg: run scripts/setup.sh");
            assert!(made.success());
            let label = if group == 1 { format!(" {}", i + 1) } else { String::new() };
            *list += &format!("{class}/v_{class}_g0{group}_c01.avi{label}\n");
        }
    }
    let lists = folder.join("ucfTrainTestlist");
    fs::create_dir_all(&lists).unwrap();
    fs::write(lists.join("classInd.txt"), "1 Red\n2 Blue\n").unwrap();
    fs::write(lists.join("trainlist01.txt"), train).unwrap();
    fs::write(lists.join("testlist01.txt"), test).unwrap();
}

const CLIPS: &str = r#"
[ablation]
name = "clips"
seeds = 1
[data]
name = "ucf101"
clip = { frames = 4, step = 2, size = 12, stored = [16, 20], tests = 2 }
[network]
block = "basic"
stages = [{ r = 2, stride = 2 }]
[grid]
kr = [2]
[training]
epochs = 2
batch = 2
optimiser = { kind = "sgd", rate = 0.01 }
"#;

#[test]
fn trains_on_videos() {
    let folder = folder(CLIPS);
    videos(folder.path(), "32x24", 10);
    let args = ["ablate", "ablation.toml", "--data", ".", "--json"];
    let first: Value = serde_json::from_str(&ends(folder.path(), 0, &args)).unwrap();
    assert_eq!(first["cells"][0]["seeds"], 1);
    // Again, from what was decoded.
    fs::remove_dir_all(folder.path().join("runs")).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&ends(folder.path(), 0, &args)).unwrap(), first);
    // One of four is broken now: it is left out, which leaves too few to train on.
    fs::write(folder.path().join("UCF-101/Red/v_Red_g01_c01.avi"), "not a video").unwrap();
    let output = run(folder.path(), &[&args[..4], &["--out", "fresh"]].concat());
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("1 of 4 videos could not be read") && errors.contains("batch = 2"), "{errors}");
}

#[test]
fn a_signal_while_videos_are_decoded() {
    let folder = folder(&CLIPS.replace("[16, 20]", "[512, 512]"));
    videos(folder.path(), "64x48", 400);
    let args = ["ablate", "ablation.toml", "--data", "."];
    let mut child = Command::new(PROGRAM)
        .current_dir(folder.path())
        .args(args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let frames = folder.path().join(".convstat-cache/ucf101-512x512/frames.bin");
    let start = Instant::now();
    while !frames.exists() && start.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let mut errors = String::new();
    std::io::Read::read_to_string(child.stderr.as_mut().unwrap(), &mut errors).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(3), "{errors}");
    assert!(errors.contains("videos decoded") || errors.contains("partly done"), "{errors}");
    ends(folder.path(), 0, &args);
}
