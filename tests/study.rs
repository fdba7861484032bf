//! Studies across crates: reproducibility, resume, checks that can fail, reference figures.

#![cfg(test)]

#[path = "support/rows.rs"]
mod rows_of;

use std::path::Path;

use convstat::prelude::*;
use convstat::report::figures;
use convstat::runner::{Column, RunDir, RunnerError, Table};
use convstat::study::cell_theory::CellTheory;
use convstat::study::{self, RunOptions, VerifyOptions, run_checks};
use convstat::theory::ErrorNorm::{self, Frobenius, Prediction};
use rows_of::canonical;

const SMALL: &str = r#"
[study]
name = "small"
seed = 7
replicates = 12

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
structure = { kind = "cnn", kernels = 2, outputs = 2 }

[[design]]
kind = "normal"
[[design]]
kind = "var1"
rho = 0.5

[samples]
n = [5, 60, 300]

[theory]
draws = 4
designs = 4
"#;

fn plan(text: &str) -> Study {
    convstat::tensor::blas::single_thread().unwrap();
    Study::new(text, &Overrides::default()).unwrap()
}

fn on(threads: usize) -> RunOptions {
    RunOptions { threads, shard: None }
}

fn rows(path: &Path) -> Table {
    let (rows, damaged) = study::run::read_rows(&RunDir::open(path).unwrap()).unwrap();
    assert!(damaged.is_empty());
    rows
}

#[test]
fn threads_do_not_change_a_bit() {
    let dir = tempfile::tempdir().unwrap();
    let study = plan(SMALL);
    for threads in [1, 2] {
        study::run(&study, &dir.path().join(threads.to_string()), on(threads)).unwrap();
    }
    let one = canonical(&rows(&dir.path().join("1")));
    assert_eq!(one.len(), 12 * 12);
    assert_eq!(one, canonical(&rows(&dir.path().join("2"))));
    // Rows are numbers: n below, near and above the number of features, dependent rows, two responses.
    assert!(one.iter().all(|r| !r.contains("error")), "{one:?}");
}

#[test]
fn resume_runs_what_is_missing_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let whole = plan(SMALL);
    study::run(&whole, &dir.path().join("whole"), on(2)).unwrap();
    let parts = dir.path().join("parts");
    let few = Study::new(SMALL, &Overrides { replicates: Some(5), set: vec![] }).unwrap();
    assert_eq!(study::run(&few, &parts, on(2)).unwrap().execution.done, 12 * 5);
    let report = study::run(&whole, &parts, on(2)).unwrap();
    assert_eq!((report.present, report.execution.done), (12 * 5, 12 * 7));
    assert_eq!(study::run(&whole, &parts, on(2)).unwrap().execution.done, 0);
    assert_eq!(canonical(&rows(&parts)), canonical(&rows(&dir.path().join("whole"))));

    // A changed setting reruns its own cells only.
    let changed = SMALL.replace("pool = [2, 1]", "pool = [3, 1]");
    assert_eq!(study::run(&plan(&changed), &parts, on(2)).unwrap().execution.done, 6 * 12);

    // A torn part is named and its replicates run again.
    let torn = dir.path().join("torn");
    study::run(&whole, &torn, on(2)).unwrap();
    let part = std::fs::read_dir(torn.join("parts")).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&part).unwrap();
    std::fs::write(&part, &bytes[..bytes.len() / 2]).unwrap();
    let report = study::run(&whole, &torn, on(2)).unwrap();
    assert!(report.damaged[0].contains("is damaged") && report.execution.done > 0);
    assert!(part.with_extension("damaged").exists());
    assert_eq!(canonical(&rows(&torn)), canonical(&rows(&dir.path().join("whole"))));
}

#[test]
fn one_replicate_can_be_rerun_alone() {
    let dir = tempfile::tempdir().unwrap();
    let study = plan(SMALL);
    study::run(&study, dir.path(), on(2)).unwrap();
    let table = rows(dir.path());
    for i in [0, 40, 100] {
        let cell = &table.texts("cell").unwrap()[i];
        let replicate = table.ints("replicate").unwrap()[i] as u64;
        let (row, steps) = study::rerun(&study, cell, replicate).unwrap();
        // The start that won ended as its row says, after a step an iteration.
        let won = |s: &&convstat::estimate::TracePoint| s.start.is_some_and(|s| s.name() == row.start);
        let end = steps.iter().filter(won).find_map(|s| s.termination);
        assert_eq!(end.map(|t| t.name().to_owned()), Some(row.termination()));
        assert!(steps.iter().filter(won).count() > row.iterations);
        assert_eq!(row.err_frob.to_bits(), table.floats("err_frob").unwrap()[i].to_bits());
    }
    assert!(study::rerun(&study, "zzz", 0).unwrap_err().to_string().contains("zzz"));
}

#[test]
fn a_run_directory_has_one_writer_and_a_version() {
    let dir = tempfile::tempdir().unwrap();
    let study = plan(SMALL);
    let about = study.description();
    let first = RunDir::create(dir.path(), &about).unwrap();
    let shard = |text: &str| RunDir::create_shard(dir.path(), text.parse().unwrap(), &about);
    for error in [RunDir::create(dir.path(), &about), shard("1/2")] {
        let message = error.unwrap_err().to_string();
        assert!(message.contains("another process"), "{message}");
    }
    drop(first);
    // Shards go together; not with the whole, with themselves, with another number of shards or another study.
    let (one, two) = (shard("1/2").unwrap(), shard("2/2").unwrap());
    assert!(!one.is_exclusive() && !two.is_exclusive());
    let message = |e: Result<RunDir, RunnerError>| e.unwrap_err().to_string();
    assert!(message(RunDir::create(dir.path(), &about)).contains("another process"));
    assert!(message(shard("2/2")).contains("shard 2/2 is at work already"));
    assert!(message(shard("2/3")).contains("a run in 2 shards is at work, this one is of 3"));
    let more = Study::new(SMALL, &Overrides { replicates: Some(13), set: vec![] }).unwrap();
    let other = RunDir::create_shard(dir.path(), "2/2".parse().unwrap(), &more.description());
    assert!(message(other).contains("number of replicates (12)"));
    drop((one, two));
    RunDir::create(dir.path(), &about).unwrap();
    assert!(!dir.path().join(".locks").exists(), "a lock leaves nothing");
    std::fs::write(dir.path().join("manifest.json"), "{ \"format_version\": 99, \"new\": 1 }").unwrap();
    let message = RunDir::open(dir.path()).unwrap_err().to_string();
    assert!(message.contains("format version 99"), "{message}");
    let message = RunDir::open(&dir.path().join("none")).unwrap_err().to_string();
    assert!(message.contains("not a run directory"), "{message}");
}

/// A study with one response and enough replicates that wrong theory shows.
const CHECKED: &str = r#"
[study]
name = "checked"
seed = 11
replicates = 400

[[setting]]
name = "S3"
input = [8, 8, 3]
kernel = [3, 3, 3]
pool = [3, 3, 1]
structure = { kind = "cnn", kernels = 1 }

[samples]
sqrt_dm_over_n = { from = 0.1, to = 0.3, steps = 5 }

[theory]
draws = 40

[[check]]
kind = "rate"
[[check]]
kind = "risk"
[[check]]
kind = "risk"
norm = "frobenius"
[[check]]
kind = "bound"
"#;

fn scale_risk(theory: &mut CellTheory, norm: ErrorNorm, by: f64) {
    let (value, error) = theory.risk(norm);
    theory.set_risk(norm, (by * value, error));
}

#[test]
fn checks_pass_on_the_theory_and_fail_on_wrong_ones() {
    let dir = tempfile::tempdir().unwrap();
    let study = plan(CHECKED);
    let report = study::run(&study, dir.path(), on(2)).unwrap();
    let summary = report.summary.unwrap();
    let kinds = ["rate", "risk", "risk", "bound"];
    for (check, kind) in report.checks.iter().zip(kinds) {
        assert!(check.passed && check.kind == kind, "{check:#?}");
    }
    let verdicts = |summary: &Summary| -> Vec<bool> {
        run_checks(&study.plan.file.check, summary).unwrap().iter().map(|c| c.passed).collect()
    };
    // df off by 10 %: the risk is off by 5 %; the slope is not.
    let mut wrong = summary.clone();
    for c in &mut wrong.cells {
        scale_risk(&mut c.theory, Prediction, 1.1f64.sqrt());
        scale_risk(&mut c.theory, Frobenius, 1.1f64.sqrt());
    }
    assert_eq!(verdicts(&wrong), [true, false, false, true]);
    // Slope 0.55 in place of 0.5 (against log n).
    let mut wrong = summary.clone();
    for c in &mut wrong.cells {
        let by = c.sqrt_dm_over_n().powf(0.1);
        scale_risk(&mut c.theory, Prediction, by);
    }
    assert!(!verdicts(&wrong)[0]);
    // A bound below the risk.
    let mut wrong = summary.clone();
    for c in &mut wrong.cells {
        c.theory.set("explicit_bound_pred", 0.95 * c.theory.risk(Prediction).0);
    }
    assert_eq!(verdicts(&wrong), [true, true, true, false]);
    // A check that selects nothing has tested nothing.
    let empty = Summary { cells: vec![], ..summary };
    assert_eq!(verdicts(&empty), [false; 4]);
}

/// A study with one setting at one value r of `√(d_M/n)`, with the keys of the setting after its name.
fn one_cell(replicates: u64, settings: &str, samples: &str) -> convstat::study::CellSummary {
    let text = format!(
        "[study]\nname = \"ref\"\nseed = 5\nreplicates = {replicates}\n[theory]\nbounds = false\n{settings}\n\
         [samples]\n{samples}\n"
    );
    let dir = tempfile::tempdir().unwrap();
    let report = study::run(&plan(&text), dir.path(), on(2)).unwrap();
    report.summary.unwrap().cells.pop().unwrap()
}

#[test]
fn reference_figures_of_theory_section_5() {
    // Measured √E pred² of THEORY §5 with 40 replicates; its MCSE is value/√(2 df 40).
    let rows = [
        ("[7, 5, 7]", "[5, 3, 5]", "[3, 3, 3]", 0.30, 77, 75, 0.309),
        ("[8, 8, 3]", "[3, 3, 3]", "[3, 3, 1]", 0.30, 32, 30, 0.301),
    ];
    for (input, kernel, pool, r, d_m, df, reference) in rows {
        let setting = format!(
            "[[setting]]\nname = \"S\"\ninput = {input}\nkernel = {kernel}\npool = {pool}\n\
             structure = {{ kind = \"cnn\", kernels = 1 }}"
        );
        let c = one_cell(200, &setting, &format!("sqrt_dm_over_n = {{ from = {r}, to = {r}, steps = 1 }}"));
        assert_eq!((c.d_m, c.df), (d_m, df));
        let theirs = reference / (2.0 * df as f64 * 40.0).sqrt();
        assert!((c.pred.0 - reference).abs() <= 3.0 * c.pred.1.hypot(theirs), "{input}: {:?}", c.pred);
    }
    // K = 3: the error depends on how near W* is to a lower rank, between the exact risk at a regular W* and the
    // error at a W* of rank 1. The reference's W* is one of these.
    let geometry = "input = [8, 8, 3]\nkernel = [3, 3, 3]\npool = [3, 3, 1]";
    let regular =
        format!("[[setting]]\nname = \"S\"\n{geometry}\nstructure = {{ kind = \"cnn\", kernels = 3 }}");
    let deficient = format!(
        "[[setting]]\nname = \"T\"\n{geometry}\ntruth = \"t\"\nstructure = {{ kind = \"cnn\", kernels = 1 }}\n\
         [[setting]]\nname = \"S\"\n{geometry}\ntruth = \"t\"\nstructure = {{ kind = \"cnn\", kernels = 3 }}"
    );
    let (low, high) = (one_cell(200, &regular, "n = [4267]"), one_cell(200, &deficient, "n = [4267]"));
    assert_eq!((low.d_m, low.df), (96, 84));
    let (reference, theirs) = (0.148, 0.148 / (2.0 * 84.0 * 40.0f64).sqrt());
    assert!(
        reference >= low.theory.risk(Prediction).0 - 3.0 * theirs && reference <= high.pred.0 + 3.0 * theirs
    );
    assert!(low.pred.0 >= low.theory.risk(Prediction).0 - 3.0 * low.pred.1 && low.pred.0 < high.pred.0);
    // A truth of lower rank is no regular point: no risk is claimed there.
    assert!(high.theory.risk(Prediction).0.is_nan());
}

#[test]
fn reference_figures_of_tucker_and_cp_kernels() {
    // THEORY §5 with 100 replicates at r = 0.60, from one W*; the excess over the exact risk depends on W*.
    let rows = [
        ("{ kind = \"tucker\", ranks = [2, 2, 2], r = 2, kernels = 2 }", 34, 0.569),
        ("{ kind = \"cp\", rank = 2, kernels = 2 }", 28, 0.501),
    ];
    for (structure, df, reference) in rows {
        let setting = format!(
            "[[setting]]\nname = \"S\"\ninput = [10, 10, 3]\nkernel = [5, 5, 3]\npool = [3, 3, 1]\n\
             structure = {structure}\n[[design]]\nkind = \"normal-exact\"\n[[estimator]]\n\
             solver = \"levenberg-marquardt\"\nstarts = [\"spectral\", \"random\", \"random\", \"oracle\"]"
        );
        let c = one_cell(400, &setting, "sqrt_dm_over_n = { from = 0.6, to = 0.6, steps = 1 }");
        assert_eq!((c.d_m, c.df, c.n), (50, df, 139));
        let theirs = reference / (2.0 * df as f64 * 100.0).sqrt();
        assert!((c.pred.0 - reference).abs() <= 3.0 * c.pred.1.hypot(theirs), "{structure}: {:?}", c.pred);
        // The first-order risk is a little below the error at so small an n, and equal to it where n is large.
        let large = one_cell(400, &setting, "n = [5000]");
        assert!(c.pred.0 > c.theory.risk(Prediction).0 - 3.0 * c.pred.1);
        assert!(
            (large.pred.0 - large.theory.risk(Prediction).0).abs() <= 3.0 * large.pred.1,
            "{:?}",
            large.pred
        );
    }
}

#[test]
fn settings_with_one_truth_key_share_the_coefficient() {
    let text = SMALL
        .replace(
            "structure = { kind = \"cnn\", kernels = 1 }",
            "structure = { kind = \"cnn\", kernels = 1 }\ntruth = \"t\"",
        )
        .replace(
            "[[design]]\nkind = \"normal\"",
            "[[setting]]\nname = \"C\"\ninput = [6, 3]\nkernel = [3, 3]\npool = [2, 1]\ntruth = \"t\"\n\
             structure = { kind = \"cnn\", kernels = 2 }\n[[design]]\nkind = \"normal\"",
        );
    let study = plan(&text);
    let truth = |i: usize| study.plan.settings[i].truth(7, 0).unwrap().into_owned();
    let (a, c) = (truth(0), truth(2));
    assert_eq!(a.w, c.w);
    let again = study.plan.settings[2].structure.coefficient_matrix(&c.factors).unwrap();
    assert!((&again - &a.w).iter().all(|d| d.abs() < 1e-6), "the larger structure contains the truth");
    let bad = text.replace("name = \"C\"\ninput = [6, 3]", "name = \"C\"\ninput = [9, 3]");
    let error = Study::new(&bad, &Overrides::default()).unwrap_err().to_string();
    assert!(error.contains("setting \"C\"") && error.contains("other modes of W"), "{error}");
}

#[test]
fn the_spectrum_of_dependent_rows() {
    // THEORY §4.3: VAR(1), ρ = 0.5, df = 75, n = 856: measured 0.318 ± 0.002.
    let text = "[study]\nname = \"v\"\nseed = 3\nreplicates = 150\n[theory]\nbounds = false\n[[design]]\nkind = \"var1\"\n\
                rho = 0.5\n[[setting]]\nname = \"S1\"\ninput = [7, 5, 7]\nkernel = [5, 3, 5]\npool = [3, 3, 3]\n\
                structure = { kind = \"cnn\", kernels = 1 }\n[samples]\nn = [856]\n";
    let dir = tempfile::tempdir().unwrap();
    let summary = study::run(&plan(text), dir.path(), on(2)).unwrap().summary.unwrap();
    let c = &summary.cells[0];
    let (reference, its_error) = (318.0 / 1000.0, 0.002);
    assert!((c.pred.0 - reference).abs() <= 3.0 * c.pred.1.hypot(its_error), "{:?}", c.pred);
    let (risk, se) = c.theory.risk(Prediction);
    assert!((c.pred.0 - risk).abs() <= 3.0 * c.pred.1.hypot(se) && se > 0.0, "{:?} {risk} {se}", c.pred);
    assert!(risk - 0.310 > 3.0 * se, "the closed form is too small here");
}

#[test]
fn damaged_and_foreign_parts_are_put_aside() {
    let dir = tempfile::tempdir().unwrap();
    let study = plan(SMALL);
    study::run(&study, dir.path(), on(2)).unwrap();
    let whole = canonical(&rows(dir.path()));
    let parts = dir.path().join("parts");
    let part = std::fs::read_dir(&parts).unwrap().next().unwrap().unwrap().path();
    // A flipped bit anywhere, a table of another kind, and a file that is no Parquet at all.
    let good = std::fs::read(&part).unwrap();
    for at in [10, good.len() / 2, good.len() - 20] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&part, &bad).unwrap();
        std::fs::copy(dir.path().join("summary.parquet"), parts.join("foreign.parquet")).unwrap();
        std::fs::write(parts.join("0.parquet"), b"nothing").unwrap();
        let report = study::run(&study, dir.path(), on(2)).unwrap();
        assert_eq!(report.damaged.len(), 3, "{:?}", report.damaged);
        assert!(report.execution.done > 0);
        assert_eq!(canonical(&rows(dir.path())), whole);
        // Back to the good part alone.
        for entry in std::fs::read_dir(&parts).unwrap().flatten() {
            std::fs::remove_file(entry.path()).unwrap();
        }
        std::fs::write(&part, &good).unwrap();
        let again = study::run(&study, dir.path(), on(2)).unwrap();
        assert!(again.damaged.is_empty());
        for entry in std::fs::read_dir(&parts).unwrap().flatten().filter(|e| e.path() != part) {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
}

#[test]
fn several_responses_follow_the_risk_of_drawn_designs() {
    // For M responses n − df − 1 is not the divisor: dense with M = 3 has n − D − 1.
    let setting = "[[setting]]\nname = \"S\"\ninput = [9, 2]\nkernel = [3, 2]\npool = [3, 1]\n\
                   structure = { kind = \"dense\", outputs = 3 }\n[[estimator]]\nsolver = \"levenberg-marquardt\"";
    let c = one_cell(400, setting, "n = [40]");
    let d = 12.0;
    let exact = (3.0 * d / (40.0 - d - 1.0f64)).sqrt();
    assert!(
        (c.theory.risk(Prediction).0 - exact).abs() <= 3.0 * c.theory.risk(Prediction).1
            && c.theory.risk(Prediction).1 > 0.0
    );
    assert!((c.pred.0 - exact).abs() <= 3.0 * c.pred.1, "{:?} {exact}", c.pred);
    assert!(c.theory.value("explicit_bound_pred").is_nan());
    // OLS of the same: the closed form.
    let c = one_cell(400, &setting.replace("levenberg-marquardt", "ols"), "n = [40]");
    assert!(
        (c.theory.risk(Prediction).0 - exact).abs() < 1e-12 && (c.pred.0 - exact).abs() <= 3.0 * c.pred.1
    );
}

#[test]
fn no_theory_is_claimed_where_the_structure_misses_the_truth() {
    let setting = |k: usize| {
        format!(
            "[[setting]]\nname = \"T\"\ninput = [9, 3]\nkernel = [3, 3]\npool = [3, 1]\ntruth = \"t\"\n\
             structure = {{ kind = \"cnn\", kernels = 2 }}\n[[setting]]\nname = \"S\"\ninput = [9, 3]\nkernel = [3, 3]\n\
             pool = [3, 1]\ntruth = \"t\"\nstructure = {{ kind = \"cnn\", kernels = {k} }}"
        )
    };
    let missing = one_cell(20, &setting(1), "n = [5000]");
    assert!(
        missing.theory.risk(Prediction).0.is_nan() && missing.theory.value("explicit_bound_pred").is_nan()
    );
    let same = one_cell(20, &setting(2), "n = [5000]");
    assert!(same.theory.risk(Prediction).0.is_finite());
    // The truth's owner is part of a cell's identity.
    assert_ne!(
        same.cell,
        one_cell(20, &setting(2).replacen("kernels = 2", "kernels = 1", 1), "n = [5000]").cell
    );
}

#[test]
fn shards_are_disjoint_and_their_union_is_the_whole() {
    let dir = tempfile::tempdir().unwrap();
    let study = plan(SMALL);
    let whole = dir.path().join("whole");
    study::run(&study, &whole, on(2)).unwrap();
    let (together, apart) = (dir.path().join("together"), dir.path().join("apart"));
    let mut alone = Vec::new();
    let mut done = 0;
    for shard in ["3/3", "1/3", "2/3"] {
        let options = RunOptions { threads: 1, shard: Some(shard.parse().unwrap()) };
        let report = study::run(&study, &together, options).unwrap();
        assert!(report.summary.is_none() && report.execution.done.abs_diff(48) <= 1, "{report:?}");
        done += report.execution.done;
        alone.push(dir.path().join(shard.replace('/', "-")));
        study::run(&study, alone.last().unwrap(), options).unwrap();
        let present = study::run::walk(&RunDir::open(&together).unwrap()).unwrap().present;
        let missing = study::run::missing_by_shard(&study.plan, &present, 3);
        assert_eq!(missing.iter().sum::<u64>(), 144 - done as u64);
        assert_eq!(missing[shard[..1].parse::<usize>().unwrap() - 1], 0);
    }
    assert_eq!(done, 144);
    let merged = study::merge(std::slice::from_ref(&together), &together, 2).unwrap();
    assert_eq!(merged.summary.missing_replicates, 0);
    // From folders of their own, one of them twice: a union.
    alone.push(alone[0].clone());
    study::merge(&alone, &apart, 2).unwrap();
    for run in [&together, &apart] {
        assert_eq!(canonical(&rows(run)), canonical(&rows(&whole)));
        assert_eq!(rows(run).rows(), 144);
        let table = |run: &Path| Table::read(&run.join("summary.parquet")).unwrap();
        assert_eq!(canonical(&table(run)), canonical(&table(&whole)));
        assert_eq!(std::fs::read_dir(run.join("parts")).unwrap().count(), 1, "parts are merged");
    }

    // Another study is no part of a union, and a union without all shards says what is missing.
    let other = dir.path().join("other");
    study::run(&plan(&SMALL.replace("seed = 7", "seed = 8")), &other, on(2)).unwrap();
    let error = study::merge(&[alone[0].clone(), other], &apart, 2).unwrap_err().to_string();
    assert!(error.contains("its study differs"), "{error}");
    let two = study::merge(&alone[..2], &dir.path().join("two"), 2).unwrap();
    assert_eq!(two.summary.missing_replicates, 48);
}

#[test]
fn many_small_parts_become_few_and_rows_that_stand_twice_one() {
    let dir = tempfile::tempdir().unwrap();
    let study = plan(SMALL);
    study::run(&study, &dir.path().join("whole"), on(2)).unwrap();
    let all = rows(&dir.path().join("whole"));
    let run = dir.path().join("run");
    let parts = || -> Vec<_> {
        let entries = std::fs::read_dir(run.join("parts")).unwrap().flatten();
        entries.map(|e| e.path()).filter(|p| p.extension().is_some_and(|e| e == "parquet")).collect()
    };
    // As a crash between writing a merged part and removing what it replaces leaves it.
    let mut writer = RunDir::create(&run, &study.description()).unwrap();
    for i in 0..all.rows() {
        writer.write_part(&all.row(i)).unwrap();
        assert!(parts().len() <= 64);
    }
    writer.write_part(&all.row(3)).unwrap();
    writer.write_part(&all).unwrap();
    drop(writer);
    assert!(parts().len() > 10);
    assert_eq!(rows(&run).rows(), all.rows(), "each row once, also for a reader");
    let report = study::run(&study, &run, on(2)).unwrap();
    assert_eq!((report.present, report.execution.done, parts().len()), (144, 0, 1));
    let (mut writer, mut table) = (RunDir::take(&run).unwrap(), Table::default());
    writer.walk(&all, |rows, _| table.append(rows.clone())).unwrap();
    assert_eq!((canonical(&table), table.rows()), (canonical(&all), all.rows()));
    // A damaged part is not merged away.
    let bytes = std::fs::read(&parts()[0]).unwrap();
    std::fs::write(&parts()[0], &bytes[..100]).unwrap();
    writer.write_part(&all).unwrap();
    assert_eq!(writer.walk(&all, |_, _| Ok::<_, RunnerError>(())).unwrap().damaged.len(), 1);
}

#[test]
fn verification_finds_a_changed_row() {
    let dir = tempfile::tempdir().unwrap();
    let study = plan(SMALL);
    study::run(&study, dir.path(), on(2)).unwrap();
    let check = |share, seed| {
        let options = VerifyOptions { share, seed, threads: 2 };
        study::verify(&study, &RunDir::open(dir.path()).unwrap(), options)
    };
    let found = check(0.01, 1).unwrap();
    assert_eq!((found.stored, found.repeated, found.identical, found.rounding), (144, 20, 20, 0));
    assert!(check(0.0, 1).unwrap_err().to_string().contains("above 0"));
    // One row with the last bit of its error changed, in a part with a digest that is right.
    let all = rows(dir.path());
    let changed = Table::new(
        all.row(5)
            .columns()
            .iter()
            .map(|(name, column)| match column {
                Column::Float(v) if name == "err_frob" => {
                    (name.as_str(), Column::Float(vec![f64::from_bits(v[0].to_bits() ^ 1)]))
                }
                other => (name.as_str(), other.clone()),
            })
            .collect(),
    );
    for part in std::fs::read_dir(dir.path().join("parts")).unwrap().flatten() {
        std::fs::remove_file(part.path()).unwrap();
    }
    let mut writer = RunDir::create(dir.path(), &study.description()).unwrap();
    for i in 0..all.rows() {
        writer.write_part(&if i == 5 { changed.clone() } else { all.row(i) }).unwrap();
    }
    drop(writer);
    let found = check(1.0, 1).unwrap();
    assert_eq!((found.repeated, found.identical, found.different.len()), (144, 143, 1));
    assert_eq!(found.different[0].column, "err_frob");
    assert_eq!(found.different[0].cell, all.texts("cell").unwrap()[5]);
    assert!(!found.holds());
    // A part that cannot be read is no verification.
    let part = std::fs::read_dir(dir.path().join("parts")).unwrap().next().unwrap().unwrap().path();
    std::fs::write(&part, b"nothing").unwrap();
    let found = check(0.1, 1).unwrap();
    assert!(found.damaged.len() == 1 && !found.holds());
}

/// The text without what only solver adam has.
fn without_training_keys(text: &str) -> String {
    let is_of_training = |l: &&str| ["steps", "batch", "learning_rate"].iter().any(|key| l.starts_with(key));
    text.lines().filter(|l| !is_of_training(l)).map(|l| format!("{l}\n")).collect()
}

#[test]
fn networks_with_an_activation_are_trained() {
    let text = SMALL
        .replace("structure =", "activation = \"relu\"\nstructure =")
        .replace("outputs = 2", "outputs = 1")
        + "\n[[estimator]]\nsolver = \"adam\"\nsteps = 50\nstarts = [\"random\", \"oracle\"]\n";
    let dir = tempfile::tempdir().unwrap();
    let trained = plan(&text);
    for threads in [1, 2] {
        study::run(&trained, &dir.path().join(threads.to_string()), on(threads)).unwrap();
    }
    let one = canonical(&rows(&dir.path().join("1")));
    assert_eq!(one.len(), 12 * 12);
    assert_eq!(one, canonical(&rows(&dir.path().join("2"))));
    assert!(one.iter().all(|r| !r.contains("error")), "{one:?}");
    // Data of the linear network with the same key are others, and so are the cells.
    let linear = plan(&text.replace("relu", "identity"));
    assert!(linear.plan.cells.iter().zip(&trained.plan.cells).all(|(a, b)| a.id != b.id));
    for (wrong, word) in [
        (without_training_keys(&text.replace("adam", "als")), "adam"),
        (text.replace("steps = 50", "steps = 0"), "steps"),
        (text.replace("\"random\"", "\"spectral\""), "random"),
        (text.replacen("activation = \"relu\"", "", 1), "activation"),
        (text.replace("kind = \"normal\"", "kind = \"normal-exact\""), "normal-exact"),
        (SMALL.to_owned() + "[[estimator]]\nsolver = \"als\"\nsteps = 3\n", "unknown field `steps`"),
        (text.clone() + "[response]\nfamily = \"logistic\"\n", "Gaussian"),
        (text.clone() + "[[check]]\nkind = \"bound\"\n", "bound"),
        (text.clone() + "[[figure]]\nkind = \"bounds\"\n", "figure.kind"),
        (SMALL.to_owned() + "[[figure]]\nkind = \"confidence\"\n", "[inference]"),
        (SMALL.to_owned() + "[[figure]]\nkind = \"selection\"\n", "select"),
    ] {
        let study = Study::new(&wrong, &Overrides::default());
        let error = study.and_then(|s| figures::check(&s.plan.file)).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
}

#[test]
fn trained_networks_reach_the_first_order_risk() {
    // Where truth and network are one and the truth is well above the noise (of seed 7 it is not, and errors are a fifth
    // larger): the prediction error is σ √(df/(n − df − 1)), for the identity exactly so.
    let text = r#"
[study]
name = "trained"
seed = 8
replicates = 30
[[setting]]
name = "A"
input = [5, 5]
kernel = [2, 2]
pool = [2, 2]
activation = "identity"
structure = { kind = "cnn", kernels = 1 }
[samples]
n = [150]
[[estimator]]
solver = "adam"
starts = ["random", "random"]
"#;
    let study = plan(text);
    let dir = tempfile::tempdir().unwrap();
    // Two responses have twice the risk of one.
    let two = plan(&text.replace("kernels = 1", "kernels = 1, outputs = 2"));
    let dimension = study::theory::setting_dimension(&two.plan, &two.plan.settings[0]);
    let theory = study::theory::cell_theory(&two.plan, &two.plan.cells[0], &[0], &dimension).unwrap();
    let ratio = theory.risk(Prediction).0 / theory.first_order(Prediction);
    assert!((1.0..1.1).contains(&ratio), "{ratio}");
    let summary = study::run(&study, dir.path(), on(2)).unwrap().summary.unwrap();
    let c = &summary.cells[0];
    let exact = (c.df as f64 / (150.0 - c.df as f64 - 1.0)).sqrt();
    assert_eq!(c.df, 7);
    let (risk, se) = c.theory.risk(Prediction);
    assert!((risk - exact).abs() <= 4.0 * se, "{risk} {se} {exact}");
    assert!((c.pred.0 - exact).abs() <= 3.0 * c.pred.1.hypot(se), "{:?} {exact}", c.pred);
}

#[test]
fn coverage_and_choices_are_summarised_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let text = r#"
[study]
name = "choice"
seed = 3
replicates = 120
[[setting]]
name = "A"
input = [8, 5]
kernel = [3, 3]
pool = [3, 3]
structure = { kind = "cnn", kernels = 1 }
[samples]
n = [300]
[inference]
level = 0.9
[theory]
bounds = false
[[estimator]]
name = "known"
solver = "levenberg-marquardt"
[[estimator]]
solver = "levenberg-marquardt"
starts = ["spectral"]
select = "bic"
over = { kernels = [1, 2, 3] }
[[check]]
kind = "coverage"
"#;
    let whole = plan(text);
    let report = study::run(&whole, &dir.path().join("run"), on(2)).unwrap();
    assert!(report.checks[0].passed, "{:?}", report.checks[0]);
    let summary = report.summary.unwrap();
    let run = RunDir::open(&dir.path().join("run")).unwrap();
    let (table, _) = study::run::read_rows(&run).unwrap();
    let (solvers, structures) = (table.texts("solver").unwrap(), table.texts("structure").unwrap());
    let region = table.floats("covered_region").unwrap();
    for (name, cell) in ["known", "bic"].into_iter().zip(&summary.cells) {
        let mine: Vec<usize> = (0..table.rows()).filter(|&i| solvers[i] == name).collect();
        let covered = mine.iter().map(|&i| region[i]).sum::<f64>() / 120.0;
        let coverage = cell.coverage.unwrap();
        assert!((coverage.means[2].0 - covered).abs() < 1e-12);
        assert_eq!((coverage.level, coverage.replicates), (0.9, 120));
        let right = mine.iter().filter(|&&i| structures[i] == "cnn(K=1)").count() as f64 / 120.0;
        match &cell.selection {
            None => assert_eq!((name, right), ("known", 1.0)),
            Some(selection) => {
                assert_eq!(selection.right, (right, (right * (1.0 - right) / 120.0).sqrt()));
                assert_eq!(selection.key, Some(("kernels".to_owned(), Some(1))));
                // One kernel or two.
                assert!((selection.mean.0 - (2.0 - right)).abs() < 1e-12);
                assert!(right > 0.9, "{right}");
            }
        }
    }
    // A level that is not the one of the intervals fails.
    let wrong = Summary {
        cells: summary
            .cells
            .iter()
            .cloned()
            .map(|mut c| {
                c.coverage.as_mut().unwrap().level = 0.99;
                c
            })
            .collect(),
        ..summary.clone()
    };
    assert!(!run_checks(&whole.plan.file.check, &wrong).unwrap()[0].passed);
    // Shards unite to the same rows.
    let shards: Vec<_> = (1..=2)
        .map(|i| {
            let out = dir.path().join("shards");
            let shard = convstat::runner::Shard::new(i, 2);
            study::run(&whole, &out, RunOptions { threads: 2, shard }).unwrap();
            out
        })
        .collect();
    study::merge(&shards[..1], &shards[0], 2).unwrap();
    assert_eq!(canonical(&rows(&shards[0])), canonical(&table));
    let verified = study::verify(&whole, &run, VerifyOptions { share: 0.2, seed: 1, threads: 2 }).unwrap();
    assert!(verified.holds() && verified.identical == verified.repeated, "{verified:?}");
}
