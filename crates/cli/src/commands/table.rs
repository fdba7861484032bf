//! `convstat table RUN`

use std::path::PathBuf;

use clap::Args;
use convstat::prelude::*;
use convstat::report::{TableFormat, TableOptions, Uncertainty, paper_table};
use convstat::runner::RunDir;
use convstat::study::run::summarise;

use crate::failure::Failure;
use crate::output::{Status, print, write_text};

/// `table`.
#[derive(Debug, Args)]
#[command(
    after_help = "Columns are those of summary.parquet, and failures, ratio_pred and ratio_frob (error over risk).

Examples:
  convstat table runs/cnn-rate > table.tex                     LaTeX, by booktabs and longtable
  convstat table runs/cnn-rate --format markdown --mcse plus-minus
  convstat table runs/cnn-rate --columns design,n,err_pred,ratio_pred --caption 'Errors.'
  convstat table runs/cnn-rate --out cnn-rate.csv              all columns, all digits"
)]
pub struct TableCommand {
    /// Run directory
    run: PathBuf,
    /// latex, markdown or csv (default: by the ending of --out, else latex)
    #[arg(long)]
    format: Option<TableFormat>,
    /// Columns, separated by commas (default: the usual ones; in CSV all)
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    columns: Vec<String>,
    /// How Monte Carlo standard errors are written: parentheses, plus-minus or none
    #[arg(long, default_value = "parentheses", value_name = "HOW")]
    mcse: Uncertainty,
    /// Caption, as LaTeX (default: the study's aim)
    #[arg(long)]
    caption: Option<String>,
    /// Label (default tab:NAME)
    #[arg(long)]
    label: Option<String>,
    /// Where the table goes (default: standard output)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl TableCommand {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        let ending = self.out.as_ref().and_then(|p| p.extension()).and_then(|e| e.to_str());
        let format = match (self.format, ending) {
            (Some(format), _) => format,
            (None, Some(ending)) => ending.parse().map_err(|_| {
                Failure::new(format!("the ending .{ending} names no format of tables"))
                    .help("use .tex, .md or .csv, or give --format")
            })?,
            (None, None) => TableFormat::Latex,
        };
        let mut run = RunDir::open(&self.run)?;
        let study = Study::of_run(&run)?;
        let (summary, _) = summarise(&study, &mut run)?;
        let options = TableOptions {
            columns: self.columns.clone(),
            uncertainty: self.mcse,
            caption: self.caption.clone(),
            label: self.label.clone(),
        };
        let table = paper_table(&study.plan, &summary, format, &options)?;
        match &self.out {
            Some(path) => write_text(path, &table.text)?,
            None => print(&table.text)?,
        }
        if let Some(warning) = &table.warning {
            eprintln!("{warning}");
        }
        if summary.missing_replicates > 0 {
            eprintln!("{}: {} replicates are missing", self.run.display(), summary.missing_replicates);
            return Ok(Status::Partly);
        }
        Ok(Status::Done)
    }
}
