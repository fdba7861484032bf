//! Notebooks of a run: the Jupyter one executed by the real Jupyter, the Quarto one read (and run, where R has what it
//! needs).

#![cfg(test)]

#[path = "support/place.rs"]
mod place;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

// Links the BLAS that ndarray uses.
use convstat as _;
use place::Place;
use serde_json::Value;

const STUDY: &str = "[study]\nname = \"note\"\naim = \"An aim with \\\"quotes\\\" and d_M.\"\nseed = 3\nreplicates = 12\n\
    [[setting]]\nname = \"K2\"\ninput = [9, 3]\nkernel = [3, 3]\npool = [3, 1]\n\
    structure = { kind = \"tucker\", ranks = [2, 2], r = 2, kernels = 2 }\n\
    [[setting]]\nname = \"K4\"\ninput = [9, 3]\nkernel = [3, 3]\npool = [3, 1]\n\
    structure = { kind = \"tucker\", ranks = [2, 2], r = 2, kernels = 4 }\n\
    [[design]]\nkind = \"normal\"\n[[design]]\nkind = \"var1\"\nrho = 0.5\n\
    [samples]\nn = [90, 200]\n[theory]\ndraws = 4\ndesigns = 4\n[inference]\nlevel = 0.9\n";

/// Every kind that does not need an estimator of its own.
const KINDS: [&str; 9] = [
    "rate",
    "bounds",
    "kernels",
    "collapse",
    "coverage",
    "estimators",
    "confidence",
    "nested-loop",
    "forest",
];

fn ok(output: Output, what: &str) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn with_figures() -> String {
    let figures: String = KINDS.iter().map(|kind| format!("[[figure]]\nkind = \"{kind}\"\n")).collect();
    STUDY.to_owned() + &figures
}

/// A Python with what the notebooks need, in target/; made once, by the first test that asks.
fn python() -> PathBuf {
    static PYTHON: OnceLock<PathBuf> = OnceLock::new();
    PYTHON.get_or_init(make_python).clone()
}

fn make_python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let requirements = root.join("tests/notebook-requirements.txt");
    let wanted = std::fs::read_to_string(&requirements).unwrap();
    let place = root.join("target/notebook-venv");
    let done = place.join("done");
    if std::fs::read_to_string(&done).is_ok_and(|d| d == wanted) {
        return place.join("bin/python");
    }
    let step = |command: &mut Command| {
        ok(command.output().unwrap(), "the Python of the notebook tests (python3 with venv and pip)")
    };
    step(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&place));
    let install = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
    step(Command::new(place.join("bin/python")).args(install).arg(&requirements));
    std::fs::write(done, wanted).unwrap();
    place.join("bin/python")
}

/// Text of a terminal without its colours.
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or("").to_owned();
    parts.fold(first, |out, part| out + part.split_once('m').map_or(part, |(_, rest)| rest))
}

#[test]
fn the_jupyter_notebook_runs_to_its_end_and_draws() {
    let place = Place::with_run(&with_figures(), "runs/note");
    // From another folder than the run's.
    place.ok(&["notebook", "runs/note", "--out", "far/away/n.ipynb"]);
    let path = place.path("far/away/n.ipynb");
    let empty: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let cells = |n: &Value| n["cells"].as_array().unwrap().clone();
    for cell in cells(&empty) {
        assert!(cell["id"].is_string());
        assert!(cell["outputs"].as_array().is_none_or(Vec::is_empty));
    }
    assert!(empty["cells"][0]["source"].to_string().contains("An aim with"));

    let python = python();
    let run = |script: &str| {
        let mut command = Command::new(&python);
        command.args(["-W", "ignore", "-c", script]).arg(&path).current_dir(path.parent().unwrap());
        command.env("MPLBACKEND", "module://matplotlib_inline.backend_inline").output().unwrap()
    };
    let execute = "import sys, nbformat, nbclient\n\
        n = nbformat.read(sys.argv[1], as_version=4)\n\
        nbformat.validate(n)\n\
        nbclient.NotebookClient(n, timeout=300, kernel_name='python3').execute()\n\
        nbformat.write(n, sys.argv[1])\n";
    ok(run(execute), "execution");
    let full: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let outputs: Vec<Value> =
        cells(&full).iter().filter_map(|c| c["outputs"].as_array().cloned()).flatten().collect();
    assert!(outputs.iter().all(|o| o["output_type"] != "error"), "{outputs:?}");
    let pictures = outputs.iter().filter(|o| o["data"]["image/png"].is_string()).count();
    assert_eq!(pictures, KINDS.len());
    let said = outputs.iter().map(|o| o["text"].to_string()).collect::<String>();
    assert!(said.contains("8 cells: errors and Monte Carlo standard errors agree"), "{said}");
    assert!(!said.contains("Warning"), "{said}");

    // The check of the standard errors is one: with another summary the notebook fails.
    let spoil = "import sys, pathlib, polars as pl\n\
        p = pathlib.Path(sys.argv[1]).parent / '../../runs/note/summary.parquet'\n\
        s = pl.read_parquet(p)\n\
        s.with_columns(err_pred_mcse=pl.col('err_pred_mcse') * 1.001).write_parquet(p)\n";
    ok(run(spoil), "another summary");
    let output = run(execute);
    assert!(!output.status.success());
    let said = without_colours(&String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("AssertionError: err_pred_mcse"), "{said}");
}

#[test]
fn notebooks_of_selection_run_too() {
    let text = STUDY.replace("[inference]\nlevel = 0.9\n", "")
        + "[[estimator]]\nsolver = \"levenberg-marquardt\"\nstarts = [\"spectral\"]\nselect = \"bic\"\nover = { r = [1, 2] }\n\
           [[figure]]\nkind = \"selection\"\n";
    let place = Place::with_run(&text, "runs/note");
    place.ok(&["notebook", "runs/note"]);
    let script = "import sys, nbformat, nbclient\n\
        n = nbformat.read('note.ipynb', as_version=4)\n\
        nbclient.NotebookClient(n, timeout=300, kernel_name='python3').execute()\n\
        assert any('image/png' in o.get('data', {}) for c in n.cells for o in c.get('outputs', []))\n";
    let output = Command::new(python())
        .args(["-W", "ignore", "-c", script])
        .current_dir(place.path("runs/note"))
        .env("MPLBACKEND", "module://matplotlib_inline.backend_inline")
        .output();
    ok(output.unwrap(), "execution");
}

#[test]
fn the_quarto_document_is_r() {
    let place = Place::with_run(&with_figures(), "runs/note");
    place.ok(&["notebook", "runs/note", "--out", "n.qmd"]);
    let text = std::fs::read_to_string(place.path("n.qmd")).unwrap();
    assert!(text.starts_with("---\ntitle: \"note\"\n"), "{text}");
    assert!(!text.contains('@'), "{text}");
    let chunks: Vec<&str> =
        text.split("```{r}\n").skip(1).map(|c| c.split("\n```").next().unwrap_or("")).collect();
    assert_eq!(chunks.len(), 4 + KINDS.len());
    let code = chunks.join("\n");
    std::fs::write(place.path("n.R"), &code).unwrap();
    let r = |script: &str| Command::new("Rscript").args(["-e", script]).current_dir(place.folder()).output();
    let Ok(parsed) = r("invisible(parse('n.R', encoding = 'UTF-8'))") else {
        println!("Rscript is not installed; the R code was not read");
        return;
    };
    ok(parsed, "R reads the code");
    let has = "q(status = !(requireNamespace('ggplot2') && requireNamespace('jsonlite') && \
               (requireNamespace('arrow') || requireNamespace('nanoparquet'))))";
    if r(has).unwrap().status.success() {
        let output = r("pdf('plots.pdf'); source('n.R', print.eval = TRUE)").unwrap();
        let said = ok(output, "R runs the code");
        assert!(said.contains("8 cells: errors and Monte Carlo standard errors agree"), "{said}");
    } else {
        println!(
            "R has no ggplot2 and jsonlite, or neither arrow nor nanoparquet; the R code was read and not run"
        );
    }
}

#[test]
fn what_is_wrong_is_said() {
    let place = Place::with_run(STUDY, "runs/note");
    for (arguments, expected) in [
        (&["notebook", "runs/note", "--out", "n.pdf"][..], "names no format of notebooks"),
        (&["notebook", "runs/note", "--format", "rmd"], "possible values: jupyter, quarto"),
        (&["notebook", "nowhere"], "not a run directory"),
        (&["table", "runs/note", "--columns", "err_prd"], "did you mean \"err_pred\"?"),
        (&["table", "runs/note", "--format", "html"], "possible values: latex, markdown, csv"),
        (&["table", "runs/note", "--out", "t.xls"], "names no format of tables"),
    ] {
        place.refuses(arguments, &[expected]);
    }
}
