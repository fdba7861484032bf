//! Every reader of the library and of the program `convstat` on generated and damaged inputs: an error, never a panic, a
//! hang, or memory that the input does not account for.

#![cfg(test)]

#[path = "../crates/cli/src/arrays.rs"]
#[allow(dead_code)]
mod arrays;
#[path = "../crates/cli/src/failure.rs"]
#[allow(dead_code)]
mod failure;
#[path = "support/fuzz.rs"]
mod fuzz;
#[path = "support/long.rs"]
mod long;
#[path = "../crates/cli/src/nearest.rs"]
mod nearest;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use convstat::estimate::solvers::LevenbergMarquardt;
use convstat::prelude::*;
use convstat::report::{Format, draw, figures};
use convstat::runner::{Column, Digest, RunDir, Table};
use convstat::study::run::{read_rows, summarise};
use convstat::study::{self, run_checks};
use fuzz::{Reader, Source, Verdict};
use ndarray::{Array2, ArrayD};
use ndarray_npy::WriteNpyExt as _;

/// The limit on one array in these tests; what a case takes is bounded by a number of such arrays.
const LIMIT: u64 = 1 << 20;
/// Arrays of a case that live at once, in MiB with the limit above.
const ARRAYS: usize = 64;

const SMALL: &str = r#"
[study]
name = "small"
seed = 7
replicates = 3

[[setting]]
name = "A"
input = [6, 3]
kernel = [3, 3]
pool = [2, 1]
structure = { kind = "cnn", kernels = 1 }

[[design]]
kind = "normal"

[samples]
n = [30, 60]

[theory]
draws = 4
designs = 4

[[check]]
kind = "risk"
[[check]]
kind = "rate"
[[check]]
kind = "bound"
"#;

fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|e| e.to_string())
}

fn said(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// A structure of any kind over about `modes` kernel modes.
fn structure(source: &mut Source, modes: usize) -> String {
    let n = |source: &mut Source| source.number(1, 3);
    let (a, b, c) = (n(source), n(source), n(source));
    let mut text = match source.below(18) {
        0 => "kind = \"dense\"".to_owned(),
        1 | 2 => format!("kind = \"cnn\", kernels = {a}"),
        3 => format!("kind = \"tucker\", ranks = {}, r = {a}, kernels = {b}", source.list(modes, 1, 3)),
        4 => format!("kind = \"cp\", rank = {a}, kernels = {b}"),
        5 => format!("kind = \"tensor-train\", ranks = {}, kernels = {a}", source.list(modes, 1, 3)),
        6 => {
            format!("kind = \"kronecker\", outer = {}, terms = {a}, kernels = {b}", source.list(modes, 1, 2))
        }
        7 => format!("kind = \"bottleneck\", kernels = {a}, r = {b}, r_in = {c}"),
        8 => format!("kind = \"depthwise-separable\", kernels = {a}"),
        9 => format!("kind = \"inverted-residual\", expanded = {a}, kernels = {b}"),
        10 => format!("kind = \"resnext\", cardinality = {a}, width = {b}, kernels = {c}"),
        11 => {
            let g = source.number(1, 2);
            format!(
                "kind = \"shufflenet\", conv_groups = {g}, channels = {}, kernels = 4",
                source.pick(&[&a, "4"])
            )
        }
        12 => format!("kind = \"r2plus1d\", mid = {a}, kernels = {b}"),
        13 => format!("kind = \"deep\", kernels = {}", source.list(2, 1, 3)),
        14 => format!("kind = \"t-net\", ranks = {}, kernels = {a}", source.list(4, 1, 2)),
        15 => format!("kind = {}", source.word(&["cnn", "cp", "bottleneck"])),
        _ => format!("einsum = \"{}\", sizes = {{ {} }}", einsum(source, modes), sizes(source)),
    };
    if source.one_in(6) {
        text += &format!(", outputs = {}", source.number(1, 2));
    }
    if source.one_in(12) {
        text += &format!(", head_ranks = {}", source.list(modes, 1, 2));
    }
    if source.one_in(12) {
        let groups: Vec<String> = (0..modes).map(|j| format!("[{j}]")).collect();
        let groups = if source.one_in(2) { groups.join(", ") } else { source.list(modes, 0, 2) };
        text += &format!(", groups = [{groups}]");
    }
    if source.one_in(20) {
        text += &format!(", shared = [{}]", source.list(2, 0, 3));
    }
    format!("{{ {text} }}")
}

/// A network over `p` and as many taps as modes, or any letters.
fn einsum(source: &mut Source, modes: usize) -> String {
    let taps: String = ('a'..='j').take(modes).collect();
    match source.below(8) {
        0 | 1 => format!("pk,k{taps}->p{taps}"),
        2 | 3 => {
            let cores: Vec<String> = taps.chars().map(|c| format!("{c}r")).collect();
            format!("pk,kr,{}->p{taps}", cores.join(","))
        }
        4 => {
            let many = *source.pick(&[3usize, 6, 9, 11, 14, 40, 300]);
            format!("p{taps}{}->p{taps}", ",pa".repeat(many))
        }
        5 => source.draw(&"[a-zα-ω,>\\- ]{0,40}"),
        _ => {
            let operands: Vec<String> =
                (0..=source.below(5)).map(|_| source.draw(&"[pabckrsx]{1,4}")).collect();
            format!("p{taps},{}->p{taps}", operands.join(","))
        }
    }
}

fn sizes(source: &mut Source) -> String {
    let labels = ["k", "r", "s", "x", "c", "p", "\"kk\"", "\"\""];
    let most = if source.one_in(20) { labels.len() } else { 2 };
    let pairs: Vec<String> =
        labels[..most].iter().map(|label| format!("{label} = {}", source.number(1, 3))).collect();
    pairs.join(", ")
}

/// Keys of a geometry of one to three modes, rarely of many; their number.
fn geometry(source: &mut Source) -> (String, usize) {
    let modes = if source.one_in(40) { 4 + source.below(30) } else { 1 + source.below(3) };
    let input = source.list(modes, if modes > 3 { 1 } else { 4 }, if modes > 3 { 2 } else { 7 });
    let kernel = source.list(modes, 1, if modes > 3 { 1 } else { 3 });
    let all = [
        ("input", 100, input),
        ("kernel", 100, kernel),
        ("stride", 15, source.list(modes, 1, 2)),
        ("padding", 20, source.list(modes, 0, 2)),
        ("dilation", 10, source.list(modes, 1, 2)),
        ("pool", 40, source.list(modes, 1, 2)),
        ("pool_stride", 10, source.list(modes, 1, 2)),
    ];
    let mut text = source.keys(&all);
    if source.one_in(6) {
        let many = if source.one_in(4) { 40 } else { 1 };
        let (one, two) = (source.list(modes, 1, 1), source.list(modes, 1, 2));
        let layer = match source.below(3) {
            0 => format!("{{ kernel = {two} }}"),
            1 => format!("{{ kernel = {one}, pool = {two} }}"),
            _ => {
                let pool = source.list(modes, 3, 3);
                format!("{{ kernel = {one}, pool = {pool}, pool_stride = {one}, padding = {one} }}")
            }
        };
        text += &format!("deeper = [{}]\n", vec![layer; many].join(", "));
    }
    (text, modes)
}

fn study_file(source: &mut Source) -> String {
    let mut text = "[study]\n".to_owned();
    let all = [
        ("name", 100, source.name()),
        ("aim", 30, source.name()),
        ("seed", 100, source.number(0, 9)),
        ("replicates", 100, source.number(1, 9)),
    ];
    text += &source.keys(&all);
    for s in 0..=source.below(2) {
        let (geometry, modes) = geometry(source);
        let structure = structure(source, modes);
        text += &format!("[[setting]]\n{geometry}");
        let label = if source.one_in(20) { source.name() } else { format!("\"S{s}\"") };
        let all = [("name", 100, label), ("structure", 100, structure), ("truth", 15, "\"one\"".to_owned())];
        text += &source.keys(&all);
    }
    for kind in ["normal", "normal-exact", "var1", "uniform", "rademacher", "student-t"] {
        if source.one_in(8) {
            text += &format!("[[design]]\nkind = {}\n", source.word(&[kind]));
            let rho = if source.one_in(2) { "0.5".to_owned() } else { source.number(0, 0) };
            let all = [
                ("rho", if kind == "var1" { 100 } else { 0 }, rho),
                ("nu", if kind == "student-t" { 100 } else { 0 }, source.number(3, 9)),
            ];
            text += &source.keys(&all);
        }
    }
    if source.one_in(3) {
        text += &format!("[noise]\nsigma = {}\n", source.number(0, 3));
    }
    if source.one_in(5) {
        text += &format!("[truth]\ndraw = {}\n", source.word(&["setting", "replicate"]));
    }
    text += "[samples]\n";
    if source.one_in(2) {
        text += &format!("n = [30, {}]\n", source.number(100, 900));
    } else {
        let (from, to, steps) = (source.number(1, 1), source.number(1, 3), source.number(1, 9));
        text += &format!("sqrt_dm_over_n = {{ from = {from}, to = {to}, steps = {steps} }}\n");
    }
    for _ in 0..source.below(2) {
        text += "[[estimator]]\n";
        let starts = *source.pick(&["[\"spectral\"]", "[\"oracle\", \"random\"]", "[]", "[1]"]);
        let all = [
            ("solver", 100, source.word(&["levenberg-marquardt", "als", "ols", "ridge"])),
            ("name", 20, source.name()),
            ("starts", 20, starts.to_owned()),
            ("max_iterations", 20, source.number(1, 9)),
            ("tolerance", 20, source.number(1, 2)),
            ("lambda", 20, source.number(0, 2)),
        ];
        text += &source.keys(&all);
    }
    if source.one_in(2) {
        text += "[theory]\n";
        let all = [
            ("bounds", 50, "false".to_owned()),
            ("confidence", 30, "0.9".to_owned()),
            ("draws", 30, source.number(2, 9)),
            ("starts", 30, source.number(0, 9)),
            ("designs", 30, source.number(2, 9)),
            ("c_h", 20, source.number(1, 9)),
            ("c_condition", 20, source.number(1, 9)),
            ("delta", 20, source.number(1, 9)),
        ];
        text += &source.keys(&all);
    }
    for _ in 0..source.below(3) {
        text += &format!("[[check]]\nkind = {}\n", source.word(&["rate", "risk", "bound"]));
        let (a, b) = (source.number(0, 1), source.number(1, 2));
        let all = [
            ("range", 30, format!("[{a}, {b}]")),
            ("mcse", 20, source.number(1, 9)),
            ("settings", 10, "[\"S0\"]".to_owned()),
        ];
        text += &source.keys(&all);
    }
    text
}

fn read_study(text: &str, overrides: &Overrides) -> Verdict {
    let study = Study::new(text, overrides).map_err(said)?;
    figures::check(&study.plan.file).map_err(said)?;
    for setting in &study.plan.settings {
        // Both are errors of a setting, not of the file.
        let _ = setting.identification();
        let _ = setting.root();
    }
    let _ = study.plan.find_cell("0");
    let again = Study::new(&study.text, &Overrides::default()).map_err(|e| format!("not read again: {e}"))?;
    assert_eq!(again.plan.cells.len(), study.plan.cells.len());
    Ok(())
}

/// What commands do with a structure: counts, and a fit to a few rows.
fn use_structure(structure: &Structure) -> Verdict {
    let _ =
        (structure.d_m(), structure.naive_parameters(), structure.kr_ratio(), structure.to_owned().name());
    structure.df().map_err(said)?;
    structure.gauge().map_err(said)?;
    let doubled = structure.doubled().map_err(said)?;
    let _ = doubled.d_m();
    let (rows, mut i) = (6, 0.0);
    let mut normal = || {
        i += 1.0;
        f64::sin(i * i)
    };
    if rows * structure.features() * 8 > LIMIT as usize {
        return Ok(());
    }
    let z = Array2::from_shape_simple_fn((rows, structure.features()), &mut normal);
    let y = Array2::from_shape_simple_fn((rows, structure.outputs()), &mut normal);
    let sample = Sample::new(z, y).map_err(said)?;
    let starts = vec![Start::Spectral, Start::Random];
    let method = LevenbergMarquardt { starts, max_iterations: 2, ..LevenbergMarquardt::default() };
    let options = FitOptions { inference: true, ..FitOptions::bare(method) };
    Fitting::new(structure, &options).normal(&mut normal).fit(&sample).map_err(said)?;
    Ok(())
}

fn read_structure(bytes: &[u8]) -> Verdict {
    // The geometry's lines, an empty line, the structure.
    let text = text(bytes)?;
    let (keys, spec) = text.split_once("\n\n").unwrap_or(("", text));
    let spec = StructureSpec::parse(spec.trim()).map_err(said)?;
    assert!(!spec.to_string().is_empty());
    let outputs = spec.outputs().map_err(said)?;
    let modes = if keys.is_empty() {
        OutputModes::plain(&[3, 4, 2], outputs)
    } else {
        let geometry: GeometrySpec = study::parse_toml(keys).map_err(said)?;
        Geometry::new(&geometry).map_err(said)?.output_modes(outputs)
    };
    use_structure(&spec.build(&modes).map_err(said)?)
}

fn read_geometry(bytes: &[u8]) -> Verdict {
    let spec: GeometrySpec = study::parse_toml(text(bytes)?).map_err(said)?;
    let geometry = Geometry::new(&spec).map_err(said)?;
    let windows = geometry.windows();
    assert_eq!(windows.features(), geometry.features());
    if geometry.inputs() + geometry.features() < LIMIT as usize / 64 {
        let z = windows.apply(&Array2::ones((geometry.inputs(), 1)).view());
        let back = windows.pull_back(&z.view());
        assert_eq!(back.len(), geometry.inputs());
    }
    geometry.feature_rank().map_err(said)?;
    geometry.factor_spectrum().map_err(said)?;
    geometry.second_moment().map_err(said)?;
    Ok(())
}

/// A header of an `.npy` file and some bytes after it.
fn npy(source: &mut Source) -> Vec<u8> {
    let dims: Vec<String> = (0..source.below(4)).map(|_| source.number(0, 4)).collect();
    let shape = match source.below(8) {
        0 => format!("({})", dims.join(",")),
        1 => "((((3,),),),)".to_owned(),
        2 => "(".repeat(*source.pick(&[5, 500, 30_000])) + "3",
        3 => format!("(0x{:x},)", source.below(1 << 40)),
        4 => "(3L, 2L)".to_owned(),
        _ => format!("({},)", dims.join(", ")),
    };
    let descr =
        *source.pick(&["<f8", ">f8", "<f4", "<i8", "|u1", "|b1", "<c16", "|O", "<U5", "", "<f8\\x00"]);
    let order = *source.pick(&["False", "True", "1", "None"]);
    let key = *source.pick(&[
        "'shape'",
        "'shape'",
        "'shape'",
        "\"shape\"",
        "'\\x73hape'",
        "'shape': (1,), 'shape'",
        "'chape'",
    ]);
    let mut header =
        format!("{{'descr': '{descr}', 'fortran_order': {order}, {key}: {shape}, }}").into_bytes();
    if source.one_in(10) {
        header = source.damaged(&[header]);
    }
    let version = *source.pick(&[1u8, 1, 1, 2, 3, 0, 255]);
    let mut bytes = b"\x93NUMPY".to_vec();
    bytes.extend([version, 0]);
    let length = if source.one_in(20) { u64::MAX } else { header.len() as u64 + 1 };
    let wide = if version == 1 { 2 } else { 4 };
    bytes.extend(&length.to_le_bytes()[..wide]);
    bytes.extend(header);
    bytes.push(b'\n');
    let data = source.below(200);
    bytes.extend((0..data).map(|i| i as u8));
    bytes
}

fn read_array(path: &Path, bytes: &[u8]) -> Verdict {
    fs::write(path, bytes).map_err(said)?;
    let array = arrays::read(&path.to_string_lossy(), "x").map_err(said)?;
    // What `fit` does with it first.
    let flat = array.len();
    assert_eq!(arrays::reshape(&array, &[flat]).len(), flat);
    Ok(())
}

/// Arrays in `.npy` form.
fn seed_arrays() -> Vec<Vec<u8>> {
    let write = |a: ArrayD<f64>| {
        let mut bytes = Vec::new();
        a.write_npy(&mut bytes).unwrap();
        bytes
    };
    vec![
        write(ArrayD::ones(ndarray::IxDyn(&[4, 3, 2]))),
        write(ArrayD::zeros(ndarray::IxDyn(&[]))),
        write(ArrayD::zeros(ndarray::IxDyn(&[0, 3]))),
        write(ArrayD::from_elem(ndarray::IxDyn(&[500]), f64::NAN)),
    ]
}

/// Archives of arrays, stored and deflated.
fn seed_archives() -> Vec<Vec<u8>> {
    let mut all = vec![fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/data/numpy.npz")).unwrap()];
    for method in [zip::CompressionMethod::Stored, zip::CompressionMethod::Deflated] {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (i, bytes) in seed_arrays().iter().enumerate() {
            let options = zip::write::SimpleFileOptions::default().compression_method(method);
            zip.start_file(["x.npy", "y.npy", "../z.npy", "x"][i], options).unwrap();
            zip.write_all(bytes).unwrap();
        }
        all.push(zip.finish().unwrap().into_inner());
    }
    // Forty megabytes of zeros in forty kilobytes.
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("x.npy", zip::write::SimpleFileOptions::default()).unwrap();
    zip.write_all(&vec![0; 40 << 20]).unwrap();
    all.push(zip.finish().unwrap().into_inner());
    all
}

/// A run that is complete: the folder, and its files as seeds.
struct Run {
    folder: tempfile::TempDir,
    manifest: Vec<u8>,
    part: Vec<u8>,
    summary: Vec<u8>,
    rows: Table,
}

impl Run {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        let study = Study::new(SMALL, &Overrides::default()).unwrap();
        study::run(&study, &path, study::RunOptions::default()).unwrap();
        let part = fs::read_dir(path.join("parts")).unwrap().next().unwrap().unwrap().path();
        let (rows, _) = read_rows(&RunDir::open(&path).unwrap()).unwrap();
        let read = |name: &str| fs::read(path.join(name)).unwrap();
        // Without its digest, which would refuse every change: what is behind it has to stand alone.
        let mut manifest: serde_json::Value = serde_json::from_slice(&read("manifest.json")).unwrap();
        manifest.as_object_mut().unwrap().remove("sha256");
        Self {
            manifest: serde_json::to_vec_pretty(&manifest).unwrap(),
            part: fs::read(part).unwrap(),
            summary: read("summary.parquet"),
            rows,
            folder,
        }
    }

    fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("run")
    }

    fn parts(&self, parts: &[&[u8]]) {
        let folder = self.path().join("parts");
        for entry in fs::read_dir(&folder).unwrap().flatten() {
            fs::remove_file(entry.path()).unwrap();
        }
        for bytes in parts {
            fs::write(folder.join(format!("1-{}.parquet", Digest::of_bytes(bytes).short())), bytes).unwrap();
        }
    }

    /// What `study status`, `check` and `figures` do.
    fn read(&self, figures: bool) -> Verdict {
        let mut run = RunDir::open(&self.path()).map_err(said)?;
        let study = Study::of_run(&run).map_err(said)?;
        let (_, damaged) = read_rows(&run).map_err(said)?;
        let (summary, checks) = summarise(&study, &mut run).map_err(said)?;
        assert!(checks.iter().all(|c| !c.verdict.is_empty()));
        let _ = (convstat::report::summary_table(&summary, 80), convstat::report::check_lines(&checks, true));
        if figures {
            let formats = Format::parse_list("svg").map_err(said)?;
            draw(&study.plan.file, &summary, &self.folder.path().join("figures"), &formats).map_err(said)?;
        }
        run_checks(&study.plan.file.check, &summary).map_err(said)?;
        damaged.first().map_or(Ok(()), |e| Err(e.to_string()))
    }

    /// The rows with other values here and there.
    fn odd_rows(&self, source: &mut Source) -> Vec<u8> {
        let floats =
            [0.0, -0.0, 1.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, 5e-324, 1e300];
        let ints = [0, 1, -1, 2, i64::MAX, i64::MIN, 1 << 53, 30];
        let texts = ["", "error: x", "converged", "a\0b", "漢字", "\n"];
        let mut columns: Vec<(String, Column)> = self.rows.columns().to_vec();
        let often = *source.pick(&[2, 10, 60]);
        for (_, column) in &mut columns {
            match column {
                Column::Int(v) => v
                    .iter_mut()
                    .filter(|_| source.one_in(often))
                    .for_each(|v| *v = ints[(*v as usize ^ often) % ints.len()]),
                Column::Float(v) => {
                    for v in v.iter_mut() {
                        if source.one_in(often) {
                            *v = *source.pick(&floats);
                        }
                    }
                }
                Column::Text(v) => {
                    for v in v.iter_mut() {
                        if source.one_in(often * 10) {
                            *v = (*source.pick(&texts)).to_owned();
                        }
                    }
                }
            }
        }
        if source.one_in(20) {
            let (a, b) = (source.below(columns.len()), source.below(columns.len()));
            columns.swap(a, b);
        }
        if source.one_in(20) {
            let at = source.below(columns.len());
            columns.remove(at);
        }
        let table = Table::new(columns.iter().map(|(n, c)| (n.as_str(), c.clone())).collect());
        let path = self.folder.path().join("odd.parquet");
        table.write(&path).unwrap();
        fs::read(path).unwrap()
    }
}

/// Arguments of the program, one a line.
#[expect(clippy::too_many_lines, reason = "one list of commands")]
fn arguments(source: &mut Source, folder: &Path) -> String {
    let file = |source: &mut Source| {
        let names = [
            "study.toml",
            "g.toml",
            "x.npy",
            "y.npy",
            "bad.toml",
            "missing",
            ".",
            "",
            "run",
            "data.npz:x",
            "data.npz",
        ];
        folder.join(*source.pick(&names)).to_string_lossy().into_owned()
    };
    let g = folder.join("g.toml").to_string_lossy().into_owned();
    let n = |source: &mut Source| source.number(1, 9);
    let spec = "{ kind = \"cnn\", kernels = 1 }";
    let mut words: Vec<String> = match source.below(9) {
        0 => {
            let (study, set) = (file(source), n(source));
            vec!["study".into(), "plan".into(), study, "--set".into(), format!("noise.sigma={set}")]
        }
        1 => {
            let which = *source.pick(&["status", "check"]);
            vec!["study".into(), which.into(), file(source)]
        }
        2 => {
            let (cell, replicate) = (n(source), n(source));
            vec![
                "study".into(),
                "rerun".into(),
                file(source),
                "--cell".into(),
                cell,
                "--replicate".into(),
                replicate,
            ]
        }
        3 => vec![
            "figures".into(),
            file(source),
            "--format".into(),
            source.word(&["svg", "png"]).replace('"', ""),
            "--out".into(),
            folder.join("out").to_string_lossy().into_owned(),
        ],
        4 => {
            let (x, y, einsum) = (file(source), file(source), einsum(source, 2));
            let spec = format!("{{ einsum = \"{einsum}\", sizes = {{ {} }} }}", sizes(source));
            vec!["fit".into(), "--x".into(), x, "--y".into(), y, "--structure".into(), spec]
        }
        5 => {
            let (a, b) = (file(source), file(source));
            let out = folder.join("W.npy").to_string_lossy().into_owned();
            vec![
                "formulate".into(),
                "--geometry".into(),
                g,
                "--kernels".into(),
                a,
                "--weights".into(),
                b,
                "--out".into(),
                out,
            ]
        }
        6 => {
            let (structure, size) = (structure(source, 2), n(source));
            vec![
                "bound".into(),
                "--geometry".into(),
                g,
                "--structure".into(),
                structure,
                "--n".into(),
                size,
                "--draws".into(),
                "3".into(),
            ]
        }
        7 => {
            let target = n(source);
            vec![
                "plan-n".into(),
                "--geometry".into(),
                g,
                "--structure".into(),
                spec.into(),
                "--target".into(),
                target,
                "--draws".into(),
                "3".into(),
            ]
        }
        _ => (0..source.below(5)).map(|_| source.draw(&"[ -~]{0,12}")).collect(),
    };
    let theory = ["sigma", "confidence", "starts", "seed", "c-h", "c-condition", "delta", "memory"];
    let options: &[&str] = match words.first().map(String::as_str) {
        Some("bound") => &theory,
        Some("plan-n") => &[&theory[..], &["replicates", "threads"]].concat(),
        Some("fit") => &["starts", "seed", "max-iterations", "lambda", "memory"],
        Some("study") => &["replicates", "threads", "memory", "set", "cell"],
        _ => &["memory"],
    };
    for _ in 0..source.below(3) {
        let option = *source.pick(options);
        words.push(format!("--{option}"));
        words.push(if option == "confidence" { format!("0.{}", source.number(1, 9)) } else { n(source) });
    }
    if source.one_in(4) {
        words.push((*source.pick(&["--json", "--empirical", "--design", "--solver", "--norm"])).to_owned());
    }
    if source.one_in(10) {
        let at = source.below(words.len());
        if let Some(word) = words.get_mut(at) {
            *word = n(source);
        }
    }
    // Arguments cannot hold what ends one.
    words.iter().map(|w| w.replace(['\0', '\n'], "?")).collect::<Vec<_>>().join("\n")
}

/// Runs the program; it ends with 0 to 3 and without a panic.
fn run_program(folder: &Path, bytes: &[u8], most: Duration) -> Verdict {
    let words: Vec<&str> = text(bytes)?.split('\n').collect();
    let mut child = Command::new(env!("CARGO_BIN_EXE_convstat"))
        .args(["--memory", "0.05"])
        .args(words)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(said)?;
    let mut pipe = child.stderr.take().expect("stderr is piped");
    let reader = std::thread::spawn(move || {
        let mut all = Vec::new();
        let _ = std::io::Read::read_to_end(&mut pipe, &mut all);
        String::from_utf8_lossy(&all).into_owned()
    });
    let started = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(said)? {
            break status;
        }
        if started.elapsed() > most {
            let _ = child.kill();
            let _ = child.wait();
            panic!("the program runs for more than {most:?}");
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    let errors = reader.join().unwrap_or_default();
    assert!(!errors.contains("panicked"), "{errors}");
    assert!(status.code().is_some_and(|code| (0..=3).contains(&code)), "{status}: {errors}");
    if status.code() == Some(2) { Err(errors) } else { Ok(()) }
}

/// Files for the program in `folder`.
fn lay_out(folder: &Path, run: &Run) {
    let write = |name: &str, bytes: &[u8]| fs::write(folder.join(name), bytes).unwrap();
    write("study.toml", SMALL.as_bytes());
    write("g.toml", b"input = [6, 3]\nkernel = [3, 3]\npool = [2, 1]\n");
    write("bad.toml", &[0, 159, 146, 150]);
    let array = |shape: &[usize]| {
        let mut i = 0.0;
        let mut bytes = Vec::new();
        let a = ArrayD::from_shape_simple_fn(ndarray::IxDyn(shape), || {
            i += 1.0;
            f64::sin(i * i)
        });
        a.write_npy(&mut bytes).unwrap();
        bytes
    };
    write("x.npy", &array(&[20, 6, 3]));
    write("y.npy", &array(&[20]));
    write("data.npz", &seed_archives()[1]);
    fs::create_dir(folder.join("run")).unwrap();
    fs::create_dir(folder.join("run/parts")).unwrap();
    fs::write(folder.join("run/manifest.json"), &run.manifest).unwrap();
    fs::write(
        folder.join("run/parts").join(format!("1-{}.parquet", Digest::of_bytes(&run.part).short())),
        &run.part,
    )
    .unwrap();
}

fn experiments() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
    let mut all: Vec<Vec<u8>> = fs::read_dir(folder)
        .unwrap()
        .flatten()
        .filter(|e| e.path().extension().is_some_and(|e| e == "toml"))
        .map(|e| fs::read(e.path()).unwrap())
        .collect();
    all.sort();
    all.push(SMALL.into());
    all
}

#[expect(clippy::too_many_lines, reason = "one list of commands")]
fn readers() {
    convstat::tensor::blas::single_thread().unwrap();
    convstat::tensor::memory::set_limit(LIMIT);
    let run = Run::new();
    let (arrays, archives, studies) = (seed_arrays(), seed_archives(), experiments());
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let program = tempfile::tempdir().unwrap();
    let program = program.path();
    lay_out(program, &run);
    // Commands take milliseconds; a machine that is busy, tens of them.
    let seconds = 10;
    let memory = (ARRAYS, 400);
    let slow = std::env::var("CONVSTAT_FUZZ_SLOWDOWN").ok().and_then(|v| v.parse().ok()).unwrap_or(1);
    let mut figure = 0;
    let all = vec![
        Reader {
            name: "study file",
            cases: (150, 20_000),
            seconds,
            memory,
            names: None,
            generate: Box::new(
                |s| if s.one_in(4) { s.damaged(&studies) } else { study_file(s).into_bytes() },
            ),
            read: Box::new(|bytes| read_study(text(bytes)?, &Overrides::default())),
        },
        Reader {
            name: "study override",
            cases: (50, 4000),
            seconds,
            memory,
            names: None,
            generate: Box::new(|s| {
                let key = *s.pick(&[
                    "noise.sigma",
                    "study.seed",
                    "samples.n",
                    "theory.draws",
                    "a.b.c",
                    "",
                    ".",
                    "setting.name",
                ]);
                let text = format!("{key}={}", s.number(1, 9)).into_bytes();
                if s.one_in(3) { s.damaged(&[text]) } else { text }
            }),
            read: Box::new(|bytes| {
                let overrides =
                    Overrides { replicates: Some(bytes.len() as u64), set: vec![text(bytes)?.to_owned()] };
                read_study(SMALL, &overrides)
            }),
        },
        Reader {
            name: "structure",
            cases: (200, 20_000),
            seconds,
            memory,
            names: None,
            generate: Box::new(|s| {
                let (geometry, modes) = geometry(s);
                let (geometry, modes) = if s.one_in(4) { (String::new(), 3) } else { (geometry, modes) };
                let text = format!("{geometry}\n{}", structure(s, modes)).into_bytes();
                if s.one_in(8) { s.damaged(&[text]) } else { text }
            }),
            read: Box::new(read_structure),
        },
        Reader {
            name: "geometry file",
            cases: (200, 20_000),
            seconds,
            memory,
            names: None,
            generate: Box::new(|s| {
                let text = geometry(s).0.into_bytes();
                if s.one_in(4) { s.damaged(&[text]) } else { text }
            }),
            read: Box::new(read_geometry),
        },
        Reader {
            name: "npy",
            cases: (200, 20_000),
            seconds,
            memory,
            names: Some("a.npy"),
            generate: Box::new(|s| if s.one_in(2) { s.damaged(&arrays) } else { npy(s) }),
            read: Box::new(|bytes| read_array(&folder.join("a.npy"), bytes)),
        },
        Reader {
            name: "npz",
            cases: (100, 10_000),
            seconds,
            memory,
            names: Some("a.npz"),
            generate: Box::new(|s| s.damaged(&archives)),
            read: Box::new(|bytes| read_array(&folder.join("a.npz"), bytes)),
        },
        Reader {
            name: "manifest.json",
            cases: (50, 4000),
            seconds,
            memory,
            names: None,
            generate: Box::new(|s| s.damaged(std::slice::from_ref(&run.manifest))),
            read: Box::new(|bytes| {
                run.parts(&[&run.part]);
                fs::write(run.path().join("manifest.json"), bytes).map_err(said)?;
                let verdict = run.read(false);
                fs::write(run.path().join("manifest.json"), &run.manifest).map_err(said)?;
                verdict
            }),
        },
        Reader {
            name: "part, damaged",
            cases: (100, 8000),
            seconds,
            memory,
            names: Some("parquet"),
            generate: Box::new(|s| s.damaged(std::slice::from_ref(&run.part))),
            read: Box::new(|bytes| {
                run.parts(&[bytes]);
                run.read(false)
            }),
        },
        Reader {
            name: "part, odd values",
            cases: (50, 3000),
            seconds,
            memory,
            names: None,
            generate: Box::new(|s| run.odd_rows(s)),
            read: Box::new(|bytes| {
                run.parts(&[bytes, &run.part]);
                figure += 1;
                run.read(figure % 10 == 0)
            }),
        },
        Reader {
            name: "summary.parquet",
            cases: (50, 4000),
            seconds,
            memory,
            names: None,
            generate: Box::new(|s| s.damaged(std::slice::from_ref(&run.summary))),
            read: Box::new(|bytes| {
                run.parts(&[&run.part]);
                fs::write(run.path().join("summary.parquet"), bytes).map_err(said)?;
                run.read(false)
            }),
        },
        Reader {
            name: "program convstat",
            cases: (60, 2000),
            seconds: 30,
            memory,
            names: None,
            generate: Box::new(|s| arguments(s, program).into_bytes()),
            read: Box::new(|bytes| run_program(program, bytes, Duration::from_secs(20 * slow))),
        },
    ];
    fuzz::run("library", all);
}

#[test]
fn bad_input_is_refused() {
    // The stack of a program's first thread, deeper than a test's.
    let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(readers).unwrap();
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
