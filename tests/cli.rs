//! The command line as a user meets it.

#![cfg(test)]

#[path = "support/digits.rs"]
mod digits;
#[path = "support/entries.rs"]
mod entries;
#[path = "support/place.rs"]
mod place;

use std::path::Path;

// Links the BLAS that ndarray uses.
use convstat as _;
use digits::digits;
use entries::entries;
use ndarray::{ArrayD, Axis, IxDyn};
use place::Place;
use serde_json::Value;

const GEOMETRY: &str = "input = [8, 8, 3]\nkernel = [3, 3, 3]\npool = [3, 3, 1]\n";

#[test]
fn formulate_reproduces_a_network_of_another_program() {
    // Computed by JAX: data/make_networks.py.
    let networks: Value = serde_json::from_str(include_str!("data/networks.json")).unwrap();
    for network in networks["networks"].as_array().unwrap() {
        let place = Place::new();
        place.text("g.toml", network["geometry"].as_str().unwrap());
        let array = |key: &str| {
            let shape: Vec<usize> = network[key]["shape"]
                .as_array()
                .unwrap()
                .iter()
                .map(|v| v.as_u64().unwrap() as usize)
                .collect();
            let flat = network[key]["data"].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
            ArrayD::from_shape_vec(IxDyn(&shape), flat).unwrap()
        };
        place.array("A.npy", &array("kernels"));
        place.array("B.npy", &array("weights"));
        place.array("X.npy", &array("inputs"));
        place.ok(&[
            "formulate",
            "--geometry",
            "g.toml",
            "--kernels",
            "A.npy",
            "--weights",
            "B.npy",
            "--out",
            "W.npy",
            "--input",
            "X.npy",
            "--predict",
            "y.npy",
        ]);
        let (y, expected, x, w) =
            (place.read("y.npy"), array("outputs"), array("inputs"), place.read("W.npy"));
        assert_eq!(y.shape(), expected.shape(), "{}", network["name"]);
        assert!((&y - &expected).iter().all(|d| d.abs() < 1e-10), "{}", network["name"]);
        // W_X itself gives the predictions.
        let (n, d) = (x.shape()[0], x.len() / x.shape()[0]);
        let m = w.len() / d;
        let x = x.to_shape((n, d)).unwrap().into_owned();
        let again = x.dot(&w.to_shape((d, m)).unwrap().into_owned());
        assert!(again.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-10));
    }
}

#[test]
fn formulate_refuses_arrays_that_do_not_fit() {
    let place = Place::new();
    place.text("g.toml", GEOMETRY);
    place.array("A.npy", &entries(&[2, 3, 3, 3], 1));
    place.array("B.npy", &entries(&[2, 2, 2, 1], 2));
    place.array("small.npy", &entries(&[2, 3, 3], 1));
    place.array("three.npy", &entries(&[3, 2, 2, 1], 1));
    place.array("X.npy", &entries(&[4, 8, 8, 2], 3));
    let call = |a: &str, b: &str, x: &str| {
        let mut v =
            vec!["formulate", "--geometry", "g.toml", "--kernels", a, "--weights", b, "--out", "W.npy"];
        if !x.is_empty() {
            v.extend(["--input", x, "--predict", "y.npy"]);
        }
        v.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>()
    };
    for (a, b, x, expected) in [
        ("small.npy", "B.npy", "", "--kernels has shape [2, 3, 3] but the geometry needs K x [3, 3, 3]"),
        ("A.npy", "three.npy", "", "--weights has shape [3, 2, 2, 1] but the geometry needs 2 x [2, 2, 1]"),
        ("A.npy", "B.npy", "X.npy", "--input has shape [4, 8, 8, 2] but the geometry needs n x [8, 8, 3]"),
        ("none.npy", "B.npy", "", "cannot read none.npy"),
    ] {
        let arguments = call(a, b, x);
        place.refuses(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), &[expected]);
    }
    let mut bad = entries(&[2, 3, 3, 3], 1);
    bad[[1, 0, 0, 0]] = f64::NAN;
    place.array("nan.npy", &bad);
    let arguments = call("nan.npy", "B.npy", "");
    place.refuses(
        &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
        &["kernels has a value that is not finite (NaN) at flat index 27"],
    );
}

#[test]
fn fit_on_digits_reaches_tensorlys_objective() {
    let place = Place::new();
    let (x, y) = digits(Some);
    place.array("X.npy", &x);
    place.array("y.npy", &y.clone().into_dyn());
    let reference: Value = serde_json::from_str(include_str!("data/digits-tensorly.json")).unwrap();
    for r in 1..=3 {
        let spec = format!("{{ einsum = \"ar,br->ab\", sizes = {{ r = {r} }} }}");
        let json = place.ok(&[
            "fit",
            "--x",
            "X.npy",
            "--y",
            "y.npy",
            "--structure",
            &spec,
            "--json",
            "--out",
            "W.npy",
            "--fitted",
            "F.npy",
        ]);
        let value: Value = serde_json::from_str(&json).unwrap();
        let objective = value["objective"].as_f64().unwrap();
        let theirs = reference[r.to_string()].as_f64().unwrap();
        assert!(objective <= theirs * (1.0 + 1e-9), "rank {r}: {objective} against TensorLy's {theirs}");
        // Two constant-zero pixel columns of the digits reduce what the data identify below r(16 − r).
        assert!(value["df"].as_u64().unwrap() <= r * (16 - r));
        assert!(value["iterations"].as_u64().unwrap() >= 1 && value["termination"] == "converged");
        // The written coefficients give the objective and the fitted values.
        let w = place.read("W.npy");
        let f = place.read("F.npy");
        let mut rss = 0.0;
        for (i, image) in x.outer_iter().enumerate() {
            let fitted = (&image * &w).sum();
            assert!((fitted - f[[i, 0]]).abs() < 1e-9 && f[[i, 1]] > 0.0);
            rss += (y[i] - fitted).powi(2);
        }
        assert!((rss / objective - 1.0).abs() < 1e-10);
        let mean = y.sum() / y.len() as f64;
        let r_squared = 1.0 - rss / y.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
        assert!((value["r_squared"].as_f64().unwrap() - r_squared).abs() < 1e-10);
    }
}

#[test]
fn fit_reads_what_numpy_writes_and_geometries() {
    let place = Place::new();
    place.text("g.toml", GEOMETRY);
    std::fs::write(place.path("d.npz"), include_bytes!("data/numpy.npz")).unwrap();
    let spec = "{ kind = \"cnn\", kernels = 1 }";
    let fit = [
        "fit",
        "--x",
        "d.npz",
        "--y",
        "d.npz",
        "--geometry",
        "g.toml",
        "--structure",
        spec,
        "--out",
        "W.npy",
    ];
    let text = place.ok(&fit);
    assert!(text.contains("cnn(K=1)") && text.contains("residual variance"), "{text}");
    assert_eq!(place.read("W.npy").shape(), [8, 8, 3, 2]);
    let dense = "{ kind = \"dense\" }";
    place.ok(&["fit", "--x", "d.npz:x", "--y", "d.npz:labels", "--structure", dense, "--solver", "ridge"]);
    place.refuses(
        &["fit", "--x", "d.npz:z", "--y", "d.npz:y", "--structure", dense],
        &["holds the arrays x, y, labels", "d.npz:x"],
    );
    place.refuses(&["fit", "--x", "d.npz", "--y", "d.npz", "--structure", spec], &["needs --geometry"]);
    place.text("bad.npy", "not numpy");
    place.refuses(&["fit", "--x", "bad.npy", "--y", "d.npz", "--structure", dense], &["cannot read bad.npy"]);
}

#[test]
fn fit_names_what_is_wrong_and_traces() {
    let place = Place::new();
    let mut x = entries(&[60, 4, 5], 1);
    let first = x.index_axis(Axis(2), 0).index_axis(Axis(1), 0).to_owned();
    let y = &first + &(&entries(&[60], 2) * 0.1);
    place.array("X.npy", &x);
    x.index_axis_mut(Axis(2), 1).index_axis_mut(Axis(1), 0).assign(&first);
    place.array("twice.npy", &x);
    place.array("y.npy", &y);
    place.array("tiny.npy", &(&y * 1e-200));
    let fit = |x: &str, y: &str, more: &[&str]| -> Value {
        let spec = "{ einsum = \"ar,br->ab\", sizes = { r = 1 } }";
        let arguments =
            [&["fit", "--x", x, "--y", y, "--structure", spec, "--json", "--out", "W.npy"], more].concat();
        serde_json::from_str(&place.ok(&arguments)).unwrap()
    };
    let value = fit("X.npy", "y.npy", &["--trace", "--starts", "1"]);
    assert_eq!(value["diagnostics"].as_array().unwrap().len(), 0, "{value}");
    let steps = value["trace"].as_array().unwrap();
    assert!(steps.len() > 4 && steps[0]["step"] == "start");
    assert_eq!(steps[steps.len() - 1]["termination"], "converged");
    let w = place.read("W.npy");

    let value = fit("X.npy", "tiny.npy", &[]);
    assert_eq!(value["diagnostics"][0]["kind"], "out-of-range");
    let tiny = place.read("W.npy");
    assert!((&tiny * 1e200 - &w).iter().all(|d| d.abs() < 1e-12));

    let value = fit("twice.npy", "y.npy", &[]);
    assert_eq!(value["diagnostics"][0]["kind"], "collinear");
    assert_eq!(value["diagnostics"][0]["numbers"]["rank"], 19);
    assert!(value["diagnostics"][0]["message"].as_str().unwrap().contains("collinear"));
    assert!(value.get("trace").is_none());
}

#[test]
fn a_penalised_fit_claims_no_standard_errors() {
    let place = Place::new();
    let x = entries(&[200, 4, 5], 1);
    let first = x.index_axis(Axis(2), 0).index_axis(Axis(1), 0).to_owned();
    place.array("X.npy", &x);
    place.array("y.npy", &(&first + &(&entries(&[200], 2) * 0.1)));
    let spec = "{ einsum = \"ar,br->ab\", sizes = { r = 2 } }";
    let fit = ["fit", "--x", "X.npy", "--y", "y.npy", "--structure", spec, "--solver", "nuclear-norm"];
    let json = place.ok(&[&fit[..], &["--json", "--fitted", "F.npy"]].concat());
    let value: Value = serde_json::from_str(&json).unwrap();
    assert!(value["fitted_se"]["median"].is_null(), "{value}");
    assert!(value["df"].is_null() && value["residual_variance"].is_null(), "{value}");
    assert_eq!(value["termination"], "converged");
    let fitted = place.read("F.npy");
    assert!(fitted.index_axis(Axis(1), 0).iter().all(|v| v.is_finite()));
    assert!(fitted.index_axis(Axis(1), 1).iter().all(|v| v.is_nan()));
    assert!(place.ok(&fit).contains("none: shrinkage"));
    let flat = [
        "fit",
        "--x",
        "X.npy",
        "--y",
        "y.npy",
        "--structure",
        "{ kind = \"dense\" }",
        "--solver",
        "nuclear-norm",
    ];
    place.refuses(&flat, &["nuclear-norm cannot fit", "use ridge"]);
}

#[test]
fn fit_refuses_bad_data() {
    let place = Place::new();
    let good = entries(&[10, 3, 2], 1);
    place.array("X.npy", &good);
    place.array("y.npy", &entries(&[10], 2));
    let mut nan = good.clone();
    nan[[2, 0, 1]] = f64::INFINITY;
    place.array("inf.npy", &nan);
    place.array("short.npy", &entries(&[9], 2));
    place.array("empty.npy", &entries(&[0, 3, 2], 2));
    place.array("none.npy", &entries(&[0], 2));
    place.array("flat.npy", &entries(&[10], 2));
    place.array("cube.npy", &entries(&[10, 2, 2], 2));
    let spec = "{ einsum = \"ar,br->ab\", sizes = { r = 1 } }";
    for (x, y, s, expected) in [
        ("inf.npy", "y.npy", spec, "X has a value that is not finite (inf) at flat index 13"),
        ("X.npy", "short.npy", spec, "X.npy has 10 observations, short.npy has 9"),
        ("empty.npy", "none.npy", spec, "no observations"),
        ("flat.npy", "y.npy", spec, "it needs at least two axes"),
        ("X.npy", "cube.npy", spec, "it needs one axis, or two for several responses"),
        ("X.npy", "y.npy", "{ einsum = \"ar,br,cr->abc\", sizes = { r = 1 } }", "output has 3 labels"),
        ("X.npy", "y.npy", "{ einsum = \"ar,br->ab\", sizes = { r = 0 } }", "label 'r' has size 0"),
        ("X.npy", "y.npy", "{ einsum = \"ar,br->ab\", sizes = { r = 999999999999 } }", "over the limit"),
        ("X.npy", "y.npy", "{ kind = \"dens\" }", "did you mean \"dense\"?"),
    ] {
        place.refuses(&["fit", "--x", x, "--y", y, "--structure", s], &[expected]);
    }
    place.refuses(
        &["fit", "--x", "X.npy", "--y", "y.npy", "--structure", spec, "--out", "no/such/W.npy"],
        &["cannot write no/such/W.npy"],
    );
}

#[test]
fn bound_prints_every_constant() {
    let place = Place::new();
    place.text("g.toml", GEOMETRY);
    let spec = "{ kind = \"cnn\", kernels = 1 }";
    let json = place.ok(&[
        "bound",
        "--geometry",
        "g.toml",
        "--structure",
        spec,
        "--n",
        "356,1422",
        "--draws",
        "20",
        "--json",
    ]);
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((value["d_m"].as_u64(), value["df"].as_u64()), (Some(32), Some(30)));
    let risk = value["n"][0]["risk_prediction"].as_f64().unwrap();
    assert!((risk - (30.0_f64 / 325.0).sqrt()).abs() < 1e-12);
    let text =
        place.ok(&["bound", "--geometry", "g.toml", "--structure", spec, "--n", "356", "--draws", "20"]);
    let assumed = value["n"][0]["assumptions"].as_array().unwrap();
    let holds = |of: usize, text: &str| {
        let list = assumed[of]["list"].as_array().unwrap();
        list.iter().find(|a| a["text"].as_str().unwrap().contains(text)).unwrap()["holds"].as_bool()
    };
    assert_eq!((holds(0, "n > df + 1"), holds(0, "regular point")), (Some(true), None));
    assert_eq!((holds(1, "Gaussian"), holds(2, "kappa_U/kappa_L")), (Some(true), Some(false)));
    for word in ["kappa_L, kappa_U", "statistical dimension", "literature", "not known", "FAILS"] {
        assert!(text.contains(word), "{text}");
    }
    place.refuses(
        &["bound", "--geometry", "g.toml", "--structure", spec, "--n", "0"],
        &["--n 0; sample sizes"],
    );
    place.refuses(
        &["bound", "--geometry", "g.toml", "--structure", spec, "--n", "9", "--sigma", "nan"],
        &["sigma = NaN"],
    );
    place.refuses(
        &["bound", "--geometry", "g.toml", "--structure", spec, "--n", "9", "--confidence", "1"],
        &["confidence = 1"],
    );
}

#[test]
fn plan_n_answers_by_each_theory_and_by_simulation() {
    let place = Place::new();
    place.text("g.toml", GEOMETRY);
    let spec = "{ kind = \"cnn\", kernels = 1 }";
    let plan = |more: &[&str]| -> Value {
        let base =
            ["plan-n", "--geometry", "g.toml", "--structure", spec, "--draws", "20", "--target", "0.2"];
        serde_json::from_str(&place.ok(&[&base[..], &["--json"], more].concat())).unwrap()
    };
    let n = |v: &Value, by: &str, what: &str| {
        let answers = v["answers"].as_array().unwrap();
        answers.iter().find(|a| a["by"] == by).unwrap()[what].as_f64()
    };
    let v = plan(&["--empirical", "--replicates", "200"]);
    // df + 1 + df/0.04.
    assert_eq!(n(&v, "exact risk", "n"), Some(781.0));
    let (found, error) =
        (n(&v, "simulated mean", "n").unwrap(), n(&v, "simulated mean", "standard_error").unwrap());
    assert!((found - 781.0).abs() < 3.0 * error + 0.02 * 781.0, "{found} {error}");
    let order = ["local minimax", "exact risk", "risk quantile", "explicit bound"];
    let all: Vec<f64> = order.iter().map(|by| n(&v, by, "n").unwrap()).collect();
    assert!(all.windows(2).all(|w| w[0] < w[1]), "{all:?}");
    // Dependent rows: the finite-sample forms are not claimed.
    let v = plan(&["--design", "{ kind = \"var1\", rho = 0.5 }"]);
    assert_eq!((n(&v, "exact risk", "n"), n(&v, "explicit bound", "n")), (None, None));
    let with = |more: [&'static str; 2]| {
        [&["plan-n", "--geometry", "g.toml", "--structure", spec], &more[..]].concat()
    };
    place.refuses(&with(["--target", "-1"]), &["-1"]);
    place.refuses(&[&with(["--target", "0.1"])[..], &["--replicates", "3"]].concat(), &["--replicates 3"]);
    place.refuses(&[&with(["--target", "0.1"])[..], &["--design", "{ kind = 1 }"]].concat(), &["--design"]);
    place.refuses(&[&with(["--target", "0.1"])[..], &["--sigma", "0"]].concat(), &["sigma"]);
}

#[test]
fn geometry_files_are_checked() {
    let place = Place::new();
    let spec = "{ kind = \"cnn\", kernels = 1 }";
    for (text, expected) in [
        ("input = [8]\nkernel = [9]\n", "the kernel (9 taps, dilation 1) covers 9 rows"),
        ("input = [8]\nkernel = [0]\n", "kernel is 0 in mode 0"),
        ("input = [8]\nkernel = [3]\nstrid = [1]\n", "unknown field `strid`"),
        ("input = [8]\nkernel = [3]\nstrid = [1]\n", "did you mean \"stride\"?"),
        ("input = [4294967296, 4294967296]\nkernel = [1, 1]\n", "over the limit of 8 GiB"),
        ("input = [4096, 4096]\nkernel = [64, 64]\n", "over the limit of 8 GiB"),
        ("input = [8]\nkernel = [-3]\n", "-3"),
        ("input = [8\n", "g.toml"),
    ] {
        place.text("g.toml", text);
        place.refuses(&["bound", "--geometry", "g.toml", "--structure", spec, "--n", "100"], &[expected]);
    }
}

const STUDY: &str = "[study]\nname = \"s\"\nseed = 1\nreplicates = 4\n[[setting]]\nname = \"A\"\ninput = [9, 3]\nkernel = [3, 3]\n\
    pool = [3, 1]\nstructure = { kind = \"cnn\", kernels = 1 }\n[samples]\nn = [60, 90, 120, 200]\n[theory]\ndraws = 4\n";

#[test]
fn study_files_are_checked_with_their_place() {
    let place = Place::new();
    for (from, to, expected) in [
        ("seed = 1", "sed = 1", "did you mean \"seed\"?"),
        ("name = \"A\"", "nam = \"A\"", "unknown field `nam`"),
        ("kernels = 1 }", "kernel = 1 }", "kernels"),
        ("kind = \"cnn\"", "kind = \"cmn\"", "did you mean \"cnn\"?"),
        ("n = [60, 90, 120, 200]", "n = [0]", "samples.n = 0"),
        (
            "n = [60, 90, 120, 200]",
            "sqrt_dm_over_n = { from = 0.0, to = 1.0, steps = 3 }",
            "both ends have to be above 0",
        ),
        ("replicates = 4", "replicates = 0", "study.replicates = 0"),
        ("kernel = [3, 3]", "kernel = [10, 3]", "setting \"A\": mode 0: the kernel (10 taps"),
        ("[theory]", "[noise]\nkind = \"normal\"\nsigma = nan\n[theory]", "noise.sigma = NaN"),
        ("[theory]", "[[design]]\nkind = \"var1\"\nrho = 1.0\n[theory]", "design.rho = 1"),
        ("[theory]", "[[check]]\nkind = \"risk\"\nsettings = [\"B\"]\n[theory]", "check.settings = B"),
        ("[theory]", "[[check]]\nkind = \"rsk\"\n[theory]", "did you mean \"risk\"?"),
    ] {
        place.text("s.toml", &STUDY.replace(from, to));
        place.refuses(&["study", "run", "s.toml"], &[expected]);
    }
    place.text("s.toml", &STUDY.replace("seed = 1", "sed = 1"));
    place.refuses(&["study", "plan", "s.toml"], &["s.toml:3:1"]);
    place.refuses(&["study", "run", "none.toml"], &["cannot read none.toml"]);
    place.text("s.toml", STUDY);
    place.refuses(&["study", "run", "s.toml", "--set", "noise.sigma"], &["write it as key=value"]);
    place.refuses(&["study", "run", "s.toml", "--set", "study.sed=3"], &["unknown field `sed`"]);
}

#[test]
fn study_from_file_to_figures() {
    let place = Place::new();
    place.text("s.toml", STUDY);
    let plan = place.ok(&["study", "plan", "s.toml"]);
    assert!(plan.contains("cells               4") && plan.contains("expected MCSE"), "{plan}");
    let table = place.ok(&["study", "run", "s.toml", "--threads", "2"]);
    assert!(table.contains("setting") && table.lines().count() > 5, "{table}");
    assert!(place.ok(&["study", "status", "runs/s"]).contains("16 of 16"));
    let rerun = place.ok(&["study", "rerun", "runs/s", "--cell", "2", "--replicate", "3"]);
    assert!(rerun.contains("identical to the stored row"), "{rerun}");
    place.ok(&["study", "check", "runs/s"]);
    let files = place.ok(&["figures", "runs/s", "--out", "f"]);
    assert_eq!(files.lines().count(), 6, "{files}");
    check_figure(&place.path("f"), "s");
    check_figure(&place.path("f"), "s-bounds");
    place.refuses(&["figures", "runs/s", "--format", "gif"], &["unknown format \"gif\""]);
    place.refuses(&["figures", "nowhere"], &["not a run directory"]);

    // A check that fails is exit code 1; a missing replicate is 3.
    let wrong = STUDY.replace("[theory]", "[[check]]\nkind = \"rate\"\nrange = [0.001, 0.002]\n[theory]");
    place.text("wrong.toml", &wrong);
    let output = place.run(&["study", "check", "runs/s", "--file", "wrong.toml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stdout).contains("selects no cell"));
    let json = place.ok(&["study", "run", "s.toml", "--json", "--replicates", "5"]);
    let value: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(value["summary"].as_array().unwrap().len(), 4);
    let part = std::fs::read_dir(place.path("runs/s/parts")).unwrap().next().unwrap().unwrap().path();
    std::fs::remove_file(part).unwrap();
    assert_eq!(place.run(&["study", "status", "runs/s"]).status.code(), Some(3));
}

/// An SVG without text elements or fonts, a PNG with more than one colour, a PDF.
fn check_figure(folder: &Path, name: &str) {
    let svg = std::fs::read_to_string(folder.join(format!("{name}.svg"))).unwrap();
    assert!(
        svg.starts_with("<svg") && svg.contains("<title>") && !svg.contains("<text") && !svg.contains("NaN")
    );
    // White first, for pages that are dark.
    let white = svg.split("</title>").nth(1).unwrap().trim_start();
    assert!(white.starts_with("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"), "{name}");
    let png = std::fs::read(folder.join(format!("{name}.png"))).unwrap();
    assert!(png.starts_with(b"\x89PNG") && png.len() > 20_000);
    let pdf = std::fs::read(folder.join(format!("{name}.pdf"))).unwrap();
    assert!(pdf.starts_with(b"%PDF"));
}

#[test]
fn a_closed_pipe_is_no_panic() {
    let place = Place::new();
    place.text("g.toml", GEOMETRY);
    let command = format!(
        "{} bound --geometry g.toml --structure '{{ kind = \"dense\" }}' --n 100 | true",
        env!("CARGO_BIN_EXE_convstat")
    );
    let output =
        std::process::Command::new("sh").args(["-c", &command]).current_dir(place.folder()).output().unwrap();
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
}

#[test]
fn outputs_do_not_overwrite_each_other() {
    let place = Place::new();
    place.text("g.toml", GEOMETRY);
    place.array("A.npy", &entries(&[2, 3, 3, 3], 1));
    place.array("B.npy", &entries(&[2, 2, 2, 1], 2));
    place.array("X.npy", &entries(&[4, 8, 8, 3], 3));
    place.array("none.npy", &entries(&[0, 8, 8, 3], 3));
    place.array("y.npy", &entries(&[4], 3));
    place.array("huge.npy", &(entries(&[2, 3, 3, 3], 1) * 1e300));
    place.array("huge_b.npy", &(entries(&[2, 2, 2, 1], 1) * 1e300));
    let formulate = |a: &str, b: &str, x: &str, predict: &str, expected: &str| {
        place.refuses(
            &[
                "formulate",
                "--geometry",
                "g.toml",
                "--kernels",
                a,
                "--weights",
                b,
                "--out",
                "S.npy",
                "--input",
                x,
                "--predict",
                predict,
            ],
            &[expected],
        );
    };
    formulate("A.npy", "B.npy", "X.npy", "S.npy", "--out and --predict are the same file");
    formulate("A.npy", "B.npy", "none.npy", "p.npy", "no observations");
    formulate("huge.npy", "huge_b.npy", "X.npy", "p.npy", "overflow");
    let dense = "{ kind = \"dense\" }";
    place.refuses(
        &["fit", "--x", "X.npy", "--y", "y.npy", "--structure", dense, "--out", "W", "--fitted", "W"],
        &["--out and --fitted are the same file"],
    );
    // A header that promises more than the file has.
    let mut bytes = std::fs::read(place.path("y.npy")).unwrap();
    let at = bytes.windows(4).position(|w| w == b"(4,)").unwrap();
    bytes[at..at + 14].copy_from_slice(b"(4000000000,),");
    std::fs::write(place.path("cut.npy"), bytes).unwrap();
    place.refuses(&["fit", "--x", "X.npy", "--y", "cut.npy", "--structure", dense], &["cut short"]);
    place.array("tall.npy", &(entries(&[4, 8, 8, 3], 3) * 1e170));
    place.ok(&["fit", "--x", "tall.npy", "--y", "y.npy", "--structure", dense, "--solver", "ols"]);
    place.refuses(
        &["fit", "--x", "X.npy", "--y", "y.npy", "--structure", dense, "--starts", "99999999999999"],
        &["at most 10000"],
    );
}

#[test]
fn sizes_without_end_are_refused() {
    let place = Place::new();
    for (from, to, expected) in [
        ("replicates = 4", "replicates = 1000000000", "at most 10000000"),
        ("n = [60, 90, 120, 200]", "n = [1000000000000]", "samples.n = 1000000000000"),
        (
            "n = [60, 90, 120, 200]",
            "sqrt_dm_over_n = { from = 0.1, to = 0.2, steps = 99999999 }",
            "at most 10000",
        ),
        ("n = [60, 90, 120, 200]", "n = [60, 60]", "samples.n = 60; it stands twice"),
        ("name = \"s\"", "name = \"..\"", "study.name"),
    ] {
        place.text("s.toml", &STUDY.replace(from, to));
        place.refuses(&["study", "plan", "s.toml"], &[expected]);
    }
    place.text("s.toml", STUDY);
    place.refuses(&["study", "run", "s.toml", "--threads", "99999999"], &["at most 1024"]);
}

#[test]
fn ctrl_c_keeps_what_is_done_and_the_same_command_resumes() {
    let place = Place::new();
    place.text("s.toml", &STUDY.replace("n = [60, 90, 120, 200]", "n = [200000]"));
    let arguments = ["study", "run", "s.toml", "--replicates", "60", "--set", "noise.sigma=0.5"];
    let child = std::process::Command::new(env!("CARGO_BIN_EXE_convstat"))
        .args(arguments)
        .current_dir(place.folder())
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Until the first part is there.
    let parts = place.path("runs/s/parts");
    let present = || {
        std::fs::read_dir(&parts)
            .is_ok_and(|d| d.flatten().any(|e| e.path().extension().is_some_and(|x| x == "parquet")))
    };
    for _ in 0..600 {
        if present() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{errors}");
    assert!(errors.contains("--replicates 60 --set noise.sigma=0.5"), "{errors}");
    let resumed = place.run(&arguments);
    assert_eq!(resumed.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&resumed.stderr).contains("replicates were there already"));
}

#[test]
fn audit_by_name_and_by_file() {
    let place = Place::new();
    let table = place.ok(&["audit", "ResNet-50"]);
    assert!(table.contains("25557032 parameters, 4.089 GMAC") && table.contains("layer2.1"), "{table}");
    let json: Value =
        serde_json::from_str(&place.ok(&["audit", "mobilenet_v2", "--format", "json"])).unwrap();
    assert_eq!(json["totals"]["parameters"], 3_504_872);
    let compared = place.ok(&["audit", "resnet50", "mobilenet_v2"]);
    assert!(compared.contains("redundant parameters"), "{compared}");
    place.ok(&["audit", "resnet50", "--figure", "r.svg", "--sort", "redundancy", "--advice", "--why"]);
    assert!(std::fs::read_to_string(place.path("r.svg")).unwrap().contains("<title>Naive parameters"));
    // An ONNX file of PyTorch, with and without a size; an architecture file.
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../onnx/tests/data/onnx/residual-symbolic.onnx");
    let onnx = data.to_str().unwrap();
    assert!(place.ok(&["audit", onnx, "--input", "3x32x32"]).contains("K > R"));
    let toml =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/architectures/small-resnet.toml");
    assert!(place.ok(&["audit", toml.to_str().unwrap()]).contains("272474 parameters"));
    // What does not go together, and what is no model.
    place.text("none.onnx", "nothing");
    for (arguments, expected) in [
        (&["audit", "resnet5"][..], "did you mean"),
        (&["audit", onnx, "--input", "1x1x32x32"], "channels"),
        (&["audit", toml.to_str().unwrap(), "--input", "3x9x9"], "says its input itself"),
        (&["audit", "resnet50", "--architecture", "resnet18"], "leave it out"),
        (&["audit", "none.onnx"], "none.onnx"),
        (&["audit", "resnet50", "--figure", "a.jpg"], ".svg, .png or .pdf"),
    ] {
        let output = place.run(arguments);
        let stderr = String::from_utf8(output.stderr).unwrap();
        let flat = stderr.split_whitespace().filter(|w| *w != "│").collect::<Vec<_>>().join(" ");
        assert!(output.status.code() == Some(2) && flat.contains(expected), "{arguments:?}: {stderr}");
    }
}

/// Windows of `GEOMETRY` (P = 4, L = 27) with two kernels and noise.
fn two_kernels(place: &Place) {
    place.text("g.toml", GEOMETRY);
    let x = entries(&[400, 8, 8, 3], 3);
    let (a, b) = (entries(&[2, 3, 3, 3], 4), entries(&[2, 2, 2, 1], 5));
    place.array("X.npy", &x);
    place.array("A.npy", &a);
    place.array("B.npy", &b);
    let formulate = ["formulate", "--geometry", "g.toml", "--kernels", "A.npy", "--weights", "B.npy"];
    let files = ["--out", "W.npy", "--input", "X.npy", "--predict", "clean.npy"];
    place.ok(&[&formulate[..], &files[..]].concat());
    let noise = entries(&[400], 6) * 0.1;
    place.array("y.npy", &(place.read("clean.npy").to_shape(IxDyn(&[400])).unwrap().to_owned() + noise));
}

const DATA: [&str; 8] = ["--x", "X.npy", "--y", "y.npy", "--geometry", "g.toml", "--starts", "1"];

#[test]
fn select_finds_the_number_of_kernels() {
    let place = Place::new();
    two_kernels(&place);
    let select = [&["select", "--structure", "{ kind = \"cnn\", kernels = 1 }"][..], &DATA].concat();
    let run = |more: &[&str]| place.ok(&[&select[..], more].concat());
    let json: Value = serde_json::from_str(&run(&[
        "--over",
        "kernels=1..6",
        "--criterion",
        "all",
        "--folds",
        "5",
        "--json",
    ]))
    .unwrap();
    for criterion in ["bic", "cv", "cv-one-se", "evbmf"] {
        assert_eq!(json["chosen"][criterion], 1, "{criterion}: {json}");
    }
    let candidates = json["candidates"].as_array().unwrap();
    let column = |key: &str| candidates.iter().map(|c| c[key].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(column("naive_parameters"), [31, 62, 93, 124, 155, 186]);
    // K(P + L − K), K ← min(K, 4).
    assert_eq!(column("df"), [30, 58, 84, 108, 108, 108]);
    for c in candidates {
        let (rss, df) = (c["objective"].as_f64().unwrap(), c["df"].as_f64().unwrap());
        let bic = 400.0 * (rss / 400.0).ln() + df * 400f64.ln();
        assert!((c["criteria"]["bic"]["value"].as_f64().unwrap() - bic).abs() < 1e-8 * bic.abs());
    }
    let table = run(&["--over", "kernels=1,2,3"]);
    let chosen: Vec<&str> = table.lines().filter(|l| l.ends_with(" *")).collect();
    assert!(chosen.len() == 1 && chosen[0].starts_with("cnn(K=2)"), "{table}");

    place.refuses(&select, &["one candidate", "--over kernels=1..6"]);
    let refuses = |more: &[&str], expected: &[&str]| place.refuses(&[&select[..], more].concat(), expected);
    refuses(&["--over", "kernels=1..3", "--criterion", "bicc"], &["bicc", "a similar value exists: 'bic'"]);
    refuses(&["--over", "kernel=1..3"], &["did you mean \"kernels\""]);
    refuses(&["--over", "kernels=0..3"], &["kernels is 0"]);
    refuses(
        &["--over", "kernels=1..3", "--criterion", "cv", "--folds", "500"],
        &["folds = 500", "fewer folds"],
    );
    refuses(&["--over", "kernels=1..3", "--over", "kernels=2"], &["stands twice"]);
}

#[test]
fn units_change_no_choice() {
    let place = Place::new();
    two_kernels(&place);
    let select = [
        &["select", "--structure", "{ kind = \"cnn\", kernels = 1 }", "--over", "kernels=1..3", "--json"][..],
        &DATA,
    ]
    .concat();
    let bic = || -> Vec<f64> {
        let json: Value = serde_json::from_str(&place.ok(&select)).unwrap();
        assert_eq!(json["chosen"]["bic"], 1);
        let all = json["candidates"].as_array().unwrap();
        all.iter().map(|c| c["criteria"]["bic"]["value"].as_f64().unwrap()).collect()
    };
    let plain = bic();
    place.array("y.npy", &(place.read("y.npy") * 2f64.powi(300)));
    // n log of the square of the unit.
    let shift = 400.0 * 600.0 * std::f64::consts::LN_2;
    for (a, b) in plain.iter().zip(bic()) {
        assert!((a + shift - b).abs() < 1e-9 * b.abs(), "{a} {b}");
    }
}

#[test]
fn test_rejects_one_kernel_and_not_two() {
    let place = Place::new();
    two_kernels(&place);
    let test = |null: usize, alternative: usize, more: &[&str]| {
        let spec = |k: usize| format!("{{ kind = \"cnn\", kernels = {k} }}");
        let (null, alternative) = (spec(null), spec(alternative));
        let own = ["test", "--null", &null, "--alternative", &alternative, "--bootstrap", "39"];
        place.run(&[&own[..], &DATA, more].concat())
    };
    let p_value = |null, alternative| {
        let output = test(null, alternative, &["--json"]);
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(json["bootstrap"].as_array().unwrap().len(), 39);
        json["p_value"].as_f64().unwrap()
    };
    assert_eq!(p_value(1, 2), 0.025);
    assert!(p_value(2, 3) > 0.05);
    assert!(String::from_utf8(test(1, 2, &[]).stdout).unwrap().contains("p             0.0250"));
    for (null, alternative, expected) in [(2, 1, "does not contain"), (4, 6, "same set")] {
        let output = test(null, alternative, &[]);
        let errors = String::from_utf8_lossy(&output.stderr).replace('│', " ");
        let errors = errors.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(output.status.code() == Some(2) && errors.contains(expected), "{errors}");
    }
}

#[test]
fn fit_writes_intervals() {
    let place = Place::new();
    two_kernels(&place);
    let fit =
        ["fit", "--structure", "{ kind = \"cnn\", kernels = 2 }", "--fitted", "F.npy", "--level", "0.9"];
    place.ok(&[&fit[..], &DATA].concat());
    let (f, clean) = (place.read("F.npy"), place.read("clean.npy"));
    assert_eq!(f.shape(), [400, 4]);
    // t of 400 − 58 degrees of freedom at 0.95, SciPy's.
    for row in f.outer_iter() {
        assert!((row[3] - row[2] - 2.0 * 1.649_321_259_124_1 * row[1]).abs() < 1e-7 * row[1]);
        assert!((row[2] + row[3] - 2.0 * row[0]).abs() < 1e-9);
    }
    let covered = f.outer_iter().zip(&clean).filter(|(r, y)| r[2] <= **y && **y <= r[3]).count();
    // All depend on one draw of 58 dimensions: a share near 0.9.
    assert!((300..=400).contains(&covered), "{covered}");
    place.refuses(&[&fit[..5], &["--level", "90"], &DATA[..]].concat(), &["level = 90"]);
    place.refuses(&[&fit[..3], &["--level", "0.9"], &DATA[..]].concat(), &["--fitted"]);
}
