//! Coverage and selection in studies.

#![cfg(test)]

use convstat_estimate::solvers::LevenbergMarquardt;
use convstat_estimate::{FitOptions, Fitting, Joint, Start};
use convstat_study::row::tabulate;
use convstat_study::sampling::draw_sample;
use convstat_study::{Overrides, Study, StudyFile, run_replicate};

const STUDY: &str = r#"
[study]
name = "small"
seed = 7
replicates = 6

[[setting]]
name = "A"
input = [8, 5]
kernel = [3, 3]
pool = [3, 3]
structure = { kind = "cnn", kernels = 1 }

[[design]]
kind = "normal"

[samples]
n = [8, 200]
"#;

const SELECT: &str = r#"
[[estimator]]
solver = "levenberg-marquardt"
starts = ["spectral"]
select = "CRITERION"
over = { kernels = [1, 2, 3] }
"#;

fn study(text: &str) -> Study {
    convstat_tensor::blas::single_thread().unwrap();
    Study::new(text, &Overrides::default()).unwrap()
}

#[test]
fn columns_and_identities_are_those_of_before_without_the_new_keys() {
    let plain = study(STUDY);
    let table = tabulate(&plain.plan.file, &[]);
    assert_eq!(table.columns().last().unwrap().0, "seconds");
    // Part of the identities of cells in runs that exist.
    let estimator = r#"{"solver":"levenberg-marquardt","starts":["spectral","oracle"],"max_iterations":500,"tolerance":1e-8,"lambda":1.0}"#;
    let identity = plain.plan.identity(&plain.plan.cells[0]).unwrap();
    assert_eq!(identity.rsplit_once('|').unwrap().1, estimator);
    let asked = study(&format!("{STUDY}\n[inference]\nlevel = 0.9\n"));
    let names: Vec<String> =
        tabulate(&asked.plan.file, &[]).columns().iter().map(|c| c.0.clone()).skip(17).collect();
    assert_eq!(names, ["covered_entries", "covered_predictions", "covered_region"]);
    // The level decides rows, so it decides the cell; the fits are the same.
    assert_ne!(asked.plan.cells[1].id, plain.plan.cells[1].id);
    let rows = [&plain, &asked].map(|s| run_replicate(&s.plan, &s.plan.cells[1], 2));
    assert_eq!(rows[0].err_pred.to_bits(), rows[1].err_pred.to_bits());
}

#[test]
fn coverage_of_a_replicate_is_that_of_its_fit() {
    let study = study(&format!("{STUDY}\n[inference]\nlevel = 0.9\n"));
    let plan = &study.plan;
    // n = 8 is below df = 10: no interval.
    let saturated = run_replicate(plan, &plan.cells[0], 0);
    assert!(!saturated.outcome.is_failed(), "{}", saturated.termination());
    assert!(saturated.coverage.entries.is_nan() && saturated.coverage.region.is_nan());
    // By hand from the same sample.
    let cell = &plan.cells[1];
    let setting = plan.setting(cell);
    for replicate in 0..3 {
        let row = run_replicate(plan, cell, replicate);
        let truth = setting.truth(7, replicate).unwrap();
        let rows = draw_sample(plan, cell, &plan.data_key(cell).unwrap(), replicate, &truth).unwrap();
        let sample = rows.in_memory().unwrap();
        let method = LevenbergMarquardt::from_starts(vec![Start::Spectral, Start::Oracle]);
        let options = FitOptions { inference: true, ..FitOptions::bare(method) };
        let fitting = Fitting::new(&setting.structure, &options).truth(Some(&truth.factors));
        let model = fitting.fit(sample).unwrap();
        let (fit, confidence) = (&model.fit, model.confidence(0.9).unwrap());
        let off = &fit.w - &truth.w;
        let half = confidence.coefficients(Joint::Pointwise);
        let inside = off.iter().zip(&half).filter(|(o, h)| o.abs() <= **h).count();
        assert_eq!(row.coverage.entries, inside as f64 / off.len() as f64);
        let holds = confidence.contains(sample, &fit.w.view(), &truth.w.view());
        assert_eq!(row.coverage.region, f64::from(u8::from(holds)));
        // A share of 64 inputs.
        assert_eq!((row.coverage.predictions * 64.0).fract(), 0.0);
    }
}

#[test]
fn entries_that_are_not_identified_are_not_counted() {
    // Windows overlap: 36 features of rank 25.
    let text = STUDY.replace("[8, 5]", "[6, 6]").replace("[3, 3]\nstructure", "[2, 2]\nstructure");
    let estimators = "[[estimator]]\nsolver = \"ols\"\n[[estimator]]\nsolver = \"levenberg-marquardt\"\n";
    let study = study(&format!("{text}{estimators}[inference]\nlevel = 0.9\n"));
    let coverage = |cell: usize| run_replicate(&study.plan, &study.plan.cells[cell], 0).coverage;
    let (free, structured) = (coverage(1), coverage(3));
    assert!(free.entries.is_nan() && free.predictions.is_finite() && free.region.is_finite(), "{free:?}");
    assert!(structured.entries.is_finite(), "one kernel identifies W: {structured:?}");
}

#[test]
fn a_selection_names_what_it_chose() {
    let names: Vec<String> = (1..=3).map(|k| format!("cnn(K={k})")).collect();
    for criterion in ["bic", "aic", "cv", "cv-one-se", "evbmf"] {
        let study = study(&format!("{STUDY}{}", SELECT.replace("CRITERION", criterion)));
        let plan = &study.plan;
        assert_eq!(plan.estimator(&plan.cells[1]).label(), criterion);
        for replicate in 0..6 {
            let row = run_replicate(plan, &plan.cells[1], replicate);
            assert!(row.err_pred.is_finite(), "{criterion}: {}", row.termination());
            // P = 2: three kernels are the set of two, and never chosen.
            let chosen = names.iter().position(|n| *n == row.structure).unwrap();
            assert!(chosen < 2, "{criterion}: {}", row.structure);
            // K(P + L − K).
            let k = chosen + 1;
            assert_eq!(row.df, k * (2 + 9 - k), "{criterion}");
        }
    }
}

#[test]
fn networks_written_out_are_told_apart() {
    let text = STUDY
        .replace("{ kind = \"cnn\", kernels = 1 }", "{ einsum = \"pk,klm->plm\", sizes = { k = 1 } }")
        .replace("[8, 200]", "[200]");
    let study = study(&format!("{text}{}", SELECT.replace("CRITERION", "bic").replace("kernels", "k")));
    let candidates = study.plan.candidates(&study.plan.cells[0]).unwrap();
    assert_eq!((candidates.truth, candidates.structures.len()), (Some(0), 3));
    // One name for all: the text of the network.
    let found = run_replicate(&study.plan, &study.plan.cells[0], 0).structure;
    assert_eq!(found, candidates.labels[0]);
    assert!(found.contains("k = 1") && candidates.labels[2].contains("k = 3"), "{found}");
}

#[test]
fn selections_that_cannot_be_are_refused_with_the_mend() {
    let select = SELECT.replace("CRITERION", "cv");
    let exact = STUDY.replace("\"normal\"", "\"normal-exact\"");
    let with = |from: &str, to: &str| format!("{STUDY}{}", select.replace(from, to));
    for (text, expected) in [
        (format!("{exact}{select}"), &["normal-exact", "design \"normal\""][..]),
        (with("[\"spectral\"]", "[\"oracle\"]"), &["oracle", "spectral"]),
        (with("over = {", "over = { kernel = [1], "), &["setting \"A\"", "did you mean \"kernels\"?"]),
        (with("over =", "folds = 1\nover ="), &["folds = 1", "at least 2"]),
        (with("\"cv\"", "\"bic\"\nfolds = 5"), &["cv and cv-one-se"]),
        (with("select = \"cv\"", ""), &["select = \"bic\""]),
        (with("over = { kernels = [1, 2, 3] }", ""), &["give the candidates"]),
        (with("levenberg-marquardt", "ols"), &["unknown field `starts`", "`select`"]),
        (with("levenberg-marquardt\"\nstarts = [\"spectral\"]", "ols\""), &["levenberg-marquardt or als"]),
        (format!("{STUDY}[inference]\nlevel = 95\n"), &["level = 95", "between 0 and 1"]),
        (format!("{STUDY}[[check]]\nkind = \"coverage\"\n"), &["[inference]"]),
    ] {
        let found = Study::new(&text, &Overrides::default()).unwrap_err();
        // A setting's error holds what is wrong with it.
        let found = format!("{found}");
        for part in expected {
            assert!(found.contains(part), "no {part:?} in: {found}");
        }
    }
}

#[test]
fn unknown_keys_of_the_coverage_check_are_errors() {
    let text = format!("{STUDY}[inference]\nlevel = 0.9\n[[check]]\nkind = \"coverage\"\ntolerence = 0.1\n");
    let error = StudyFile::parse(&text).unwrap_err().to_string();
    assert!(error.contains("tolerence"), "{error}");
}
