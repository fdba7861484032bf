//! Labels from the command line and in studies.

#![cfg(test)]

#[path = "support/digits.rs"]
mod digits;
#[path = "support/place.rs"]
mod place;

use std::process::Output;

use convstat::prelude::*;
use convstat::report::figures;
use convstat::study::{self, RunOptions, run_replicate};
use convstat::theory::ErrorNorm::Prediction;
use digits::digits;
use ndarray::Axis;
use ndarray_npy::WriteNpyExt;
use place::Place;
use serde_json::Value;

/// `fit` of X.npy and these labels.
fn fit(place: &Place, family: &str, y: &str, structure: &str, more: &[&str]) -> Output {
    let base = ["fit", "--x", "X.npy", "--y", y, "--family", family, "--structure", structure];
    place.run(&[&base, more].concat())
}

fn json(place: &Place, family: &str, y: &str, structure: &str, more: &[&str]) -> Value {
    let output = fit(place, family, y, structure, &[&["--json"], more].concat());
    serde_json::from_slice(&output.stdout).unwrap()
}

const RANK_1: &str = "{ einsum = \"ar,br->ab\", sizes = { r = 1 } }";

#[test]
fn fit_writes_what_it_reports() {
    let place = Place::new();
    let (x, y) = digits(|d| Some(u8::from(d > 4)));
    place.array("X.npy", &x);
    place.array("y.npy", &y.clone().into_dyn());
    let value =
        json(&place, "logistic", "y.npy", RANK_1, &["--out", "W.npy", "--fitted", "P.npy", "--starts", "2"]);
    assert_eq!((&value["termination"], &value["classes"]), (&"converged".into(), &2.into()), "{value}");
    let of = |key: &str| value[key].as_f64().unwrap();
    let (w, p) = (place.read("W.npy"), place.read("P.npy"));
    assert_eq!((w.shape(), p.shape()), (&[8, 8][..], &[y.len(), 2][..]));
    let mut deviance = 0.0;
    for (i, image) in x.outer_iter().enumerate() {
        let fitted = 1.0 / (1.0 + (-(&image * &w).sum()).exp());
        assert!((fitted - p[[i, 0]]).abs() < 1e-12 && p[[i, 1]] > 0.0);
        deviance -= 2.0 * if y[i] == 1.0 { fitted.ln() } else { (1.0 - fitted).ln() };
    }
    assert!((deviance / of("deviance") - 1.0).abs() < 1e-12);
    let (n, ones) = (y.len() as f64, y.sum());
    let null = -2.0 * (ones * (ones / n).ln() + (n - ones) * (1.0 - ones / n).ln());
    assert!((null / of("null_deviance") - 1.0).abs() < 1e-12 && of("deviance") < null);
    assert!((of("aic") - of("deviance") - 2.0 * of("df")).abs() < 1e-9 && value.get("r_squared").is_none());
    // Truth values are labels.
    y.mapv(|v| v == 1.0).write_npy(std::fs::File::create(place.path("bool.npy")).unwrap()).unwrap();
    let other = json(&place, "logistic", "bool.npy", RANK_1, &["--starts", "2"]);
    assert_eq!(other["deviance"], value["deviance"]);
    // Two classes are multinomial, too, as numbers and as indicators.
    let columns = [y.mapv(|v| 1.0 - v), y];
    place.array(
        "one-hot.npy",
        &ndarray::stack(Axis(1), &[columns[0].view(), columns[1].view()]).unwrap().into_dyn(),
    );
    for file in ["y.npy", "one-hot.npy"] {
        let other = json(&place, "multinomial", file, RANK_1, &["--starts", "2"]);
        assert_eq!(other["deviance"], value["deviance"], "{file}");
    }
    // Three classes: probabilities of all of them.
    let (x, y) = digits(|d| Some(d % 3));
    place.array("X.npy", &x);
    place.array("y.npy", &y.clone().into_dyn());
    let structure = "{ einsum = \"ar,br,mr->abm\", sizes = { r = 1 } }";
    let value = json(
        &place,
        "multinomial",
        "y.npy",
        structure,
        &["--out", "W.npy", "--fitted", "P.npy", "--starts", "1"],
    );
    let (w, p) = (place.read("W.npy"), place.read("P.npy"));
    assert_eq!((w.shape(), p.shape()), (&[8, 8, 2][..], &[y.len(), 2, 3][..]));
    let own = |(i, c): (usize, &f64)| -2.0 * p[[i, 0, *c as usize]].ln();
    let deviance: f64 = y.iter().enumerate().map(own).sum();
    assert!((deviance / value["deviance"].as_f64().unwrap() - 1.0).abs() < 1e-12);
    let text = String::from_utf8(fit(&place, "multinomial", "y.npy", structure, &[]).stdout).unwrap();
    assert!(text.contains("null deviance") && text.contains("AIC") && !text.contains("R²"), "{text}");
}

#[test]
fn fit_names_separation_and_what_is_no_label() {
    let place = Place::new();
    let (x, y) = digits(|d| Some(d).filter(|d| *d < 2));
    place.array("X.npy", &x);
    place.array("y.npy", &y.clone().into_dyn());
    let dense = "{ kind = \"dense\" }";
    let output = fit(&place, "logistic", "y.npy", dense, &["--json"]);
    assert_eq!(output.status.code(), Some(3));
    let value: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&value["termination"], &value["aic"]), (&"separated".into(), &Value::Null));
    assert!(value["diagnostics"].as_array().unwrap().iter().any(|d| d["kind"] == "separated"), "{value}");

    place.array("two.npy", &(&y * 2.0).into_dyn());
    place.array("half.npy", &(&y * 0.5).into_dyn());
    place.array("none.npy", &(&y * 0.0).into_dyn());
    place.array("both.npy", &ndarray::stack(Axis(1), &[y.view(), y.view()]).unwrap().into_dyn());
    for (family, file, more, expected) in [
        ("logistic", "two.npy", &[][..], "no label (2)"),
        ("logistic", "both.npy", &[], "one column of 0 and 1"),
        ("multinomial", "two.npy", &[], "class 1 of 3 has no observation"),
        ("multinomial", "half.npy", &[], "0.5, which is no class"),
        ("multinomial", "none.npy", &[], "all rows are of class 0"),
        ("multinomial", "both.npy", &[], "row 0 of y names no class"),
        ("logistic", "y.npy", &["--solver", "ridge"], "use levenberg-marquardt"),
        ("poisson", "y.npy", &[], "poisson"),
    ] {
        let output = fit(&place, family, file, dense, more);
        let errors = String::from_utf8_lossy(&output.stderr).replace('│', " ");
        let errors = errors.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(output.status.code(), Some(2), "{family} {file}: {errors}");
        assert!(errors.contains(expected), "{family} {file}: no {expected:?} in {errors}");
    }
}

const SMALL: &str = r#"
[study]
name = "labels"
seed = 7
replicates = 6

[response]
family = "multinomial"

[[setting]]
name = "A"
input = [6, 3]
kernel = [3, 3]
pool = [2, 1]
structure = { kind = "cnn", kernels = 1 }

[[setting]]
name = "B"
input = [6, 4]
kernel = [2, 2]
pool = [2, 3]
structure = { kind = "cnn", kernels = 1, outputs = 2 }

[samples]
n = [12, 400]

[theory]
designs = 8
"#;

fn study(text: &str) -> Result<Study, String> {
    convstat::tensor::blas::single_thread().unwrap();
    let study = Study::new(text, &Overrides::default()).map_err(|e| e.to_string())?;
    figures::check(&study.plan.file).map_err(|e| e.to_string())?;
    Ok(study)
}

#[test]
fn a_study_of_labels_runs_and_counts_separation() {
    let small = study(SMALL).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let run = |threads: usize| {
        let out = folder.path().join(threads.to_string());
        study::run(&small, &out, RunOptions { threads, shard: None }).unwrap().summary.unwrap()
    };
    let (one, two) = (run(1), run(2));
    for (c, d) in one.cells.iter().zip(&two.cells) {
        assert_eq!(
            (&c.errors_pred, c.theory.risk(Prediction).0.to_bits()),
            (&d.errors_pred, d.theory.risk(Prediction).0.to_bits())
        );
        assert_eq!(c.replicates() + c.errors, 6);
        assert!(
            c.theory.value("explicit_bound_pred").is_nan()
                && c.theory.value("literature_bound_frob").is_nan()
        );
        // Twelve labels of a dozen features are separated.
        assert!(if c.n == 12 { c.errors > 0 } else { c.errors == 0 }, "{} of {}", c.errors, c.n);
        if c.n == 400 {
            // Six replicates: within a factor that has no chance to fail, and the risk above its first order.
            let (risk, first) = (c.theory.risk(Prediction).0, c.theory.first_order(Prediction));
            assert!(first < risk && risk < 1.2 * first && c.pred.0 > 0.5 * risk && c.pred.0 < 2.0 * risk);
        }
    }
    // The size of the truth is the one asked for, and the logistic law that of two classes.
    for setting in &small.plan.settings {
        let truth = setting.truth(7, 0).unwrap();
        let flat = truth.w.clone().into_shape_with_order((truth.w.len(), 1)).unwrap();
        let size = setting.image(&flat).iter().map(|v| v * v).sum::<f64>() / truth.w.ncols() as f64;
        assert!((size.sqrt() - 2.0).abs() < 1e-12);
    }
    let from = SMALL.find("[[setting]]\nname = \"B\"").unwrap();
    let only = SMALL[..from].to_owned() + &SMALL[SMALL.find("[samples]").unwrap()..];
    let logistic = study(&only.replace("multinomial", "logistic")).unwrap();
    let row = |s: &Study| run_replicate(&s.plan, s.plan.cells.iter().find(|c| c.n == 400).unwrap(), 0);
    assert!(
        row(&logistic).termination() == "converged"
            && row(&logistic).cell != row(&study(&only).unwrap()).cell
    );
}

#[test]
fn studies_of_labels_refuse_what_is_gaussian() {
    for (from, to, expected) in [
        ("[samples]", "[[design]]\nkind = \"normal-exact\"\n[samples]", "compressed samples"),
        ("[samples]", "[[estimator]]\nsolver = \"als\"\n[samples]", "does not know multinomial responses"),
        ("[samples]", "[noise]\nsigma = 0.5\n[samples]", "labels have no noise"),
        ("[theory]", "[[check]]\nkind = \"bound\"\n[theory]", "no bound is known for multinomial"),
        ("[theory]", "[[figure]]\nkind = \"collapse\"\n[theory]", "about Gaussian responses"),
        ("\"multinomial\"", "\"logistic\"", "leave outputs out of setting \"B\""),
        ("\"multinomial\"", "\"gaussian\"", "leave [response] out"),
        ("\"multinomial\"", "\"multinomial\"\nscale = -1.0", "response.scale = -1"),
        ("\"multinomial\"", "\"poisson\"", "unknown variant `poisson`"),
    ] {
        let message = study(&SMALL.replace(from, to)).unwrap_err();
        assert!(message.contains(expected), "{to}: {message}");
    }
}
