//! What commands say of a study: notes, its summary and its checks.

use std::path::Path;

use convstat::prelude::*;
use convstat::report::{check_lines, summary_table};
use convstat::runner::slurm::quoted;
use convstat::study::CheckOutcome;

use crate::colour::verdicts;
use crate::failure::Failure;
use crate::output::{Status, print, print_json, width, wrap_lines};

/// What there is to say about identification, on standard error.
pub fn notes(study: &Study) -> Result<(), Failure> {
    for setting in study.plan.settings.iter().filter(|s| s.activated.is_none()) {
        if let Some(warning) = setting.identification()?.warning() {
            eprintln!("note: setting {}: {warning}", setting.name);
        }
    }
    Ok(())
}

/// Prints a summary and its checks.
pub fn print_summary(
    run: &Path,
    study: &Study,
    summary: &Summary,
    checks: &[CheckOutcome],
    json: bool,
) -> Result<Status, Failure> {
    if json {
        print_json(&serde_json::json!({
            "run": run, "study": study.plan.file.study.name, "summary": rows(summary, study), "checks": checks,
            "missing_replicates": summary.missing_replicates,
        }))?;
    } else {
        print(&summary_table(summary, width()))?;
        print(&wrap_lines(
            "\npred: root mean squared prediction error; frob: the same of the estimation error; MCSE: Monte Carlo standard error of the column before it; \
             risk: exact to first order, in full for linear regression; fail: errors + not converged + missed optima (another start, the truth among them, ended lower)\n\n",
        ))?;
        print(&verdicts(&wrap_lines(&check_lines(checks, false))))?;
        eprintln!("one page of it all: convstat report {}", quoted(&run.to_string_lossy()));
    }
    if summary.missing_replicates > 0 {
        return Ok(Status::Partly);
    }
    Ok(if checks.iter().all(|c| c.passed) { Status::Done } else { Status::CheckFailed })
}

/// The summary's table as JSON objects.
fn rows(summary: &Summary, study: &Study) -> serde_json::Value {
    use convstat::runner::Column;
    let table = summary.to_table(&study.plan);
    let row = |i: usize| {
        let values = table.columns().iter().map(|(name, column)| {
            let value = match column {
                Column::Int(v) => v[i].into(),
                Column::Float(v) => v[i].into(),
                Column::Text(v) => v[i].clone().into(),
            };
            (name.clone(), value)
        });
        serde_json::Value::Object(values.collect())
    };
    (0..table.rows()).map(row).collect()
}
