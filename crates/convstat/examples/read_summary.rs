//! Reads the summary of a run: errors with their Monte Carlo standard errors beside the exact risk.
//!
//! `cargo run --release --example read_summary -- runs/cnn-rate`, or without a run directory on a small study of its own.

use std::path::{Path, PathBuf};

use convstat::prelude::*;
use convstat::runner::Table;
use convstat::study::{RunOptions, run};

const STUDY: &str = r#"
[study]
name = "small"
seed = 1
replicates = 50

[[setting]]
name = "CNN"
input = [8, 8]
kernel = [3, 3]
pool = [3, 3]
structure = { kind = "cnn", kernels = 1 }

[[design]]
kind = "normal-exact"

[samples]
n = [100, 400, 1600]

[theory]
bounds = false
"#;

fn print(run: &Path) -> Result<usize, Box<dyn std::error::Error>> {
    // One row a cell; docs/src/reference/formats.md has the columns.
    let table = Table::read(&run.join("summary.parquet"))?;
    let (settings, n) = (table.texts("setting")?, table.ints("n")?);
    let (error, mcse) = (table.floats("err_pred")?, table.floats("err_pred_mcse")?);
    let risk = table.floats("risk_pred")?;
    for i in 0..table.rows() {
        println!("{} n = {}: {:.4} ± {:.4}, exact risk {:.4}", settings[i], n[i], error[i], mcse[i], risk[i]);
    }
    Ok(table.rows())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(run) = std::env::args_os().nth(1).map(PathBuf::from).filter(|p| p.is_dir()) {
        print(&run)?;
        return Ok(());
    }
    let out = std::env::temp_dir().join(format!("convstat-small-{}", std::process::id()));
    run(&Study::new(STUDY, &Overrides::default())?, &out, RunOptions::default())?;
    let rows = print(&out)?;
    std::fs::remove_dir_all(&out)?;
    assert_eq!(rows, 3);
    Ok(())
}

#[test]
fn it_runs() {
    main().unwrap();
}
