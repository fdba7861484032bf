//! `convstat table RUN`

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use convstat::prelude::*;
use convstat::report::{TableFormat, TableOptions, Uncertainty, paper_table};
use convstat::runner::RunDir;
use convstat::study::run::summarise;

use crate::failure::Failure;
use crate::output::{Status, print, print_json, write_text};

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
    /// Format (default: by the ending of --out, else latex)
    #[arg(long, value_parser = formats())]
    format: Option<TableFormat>,
    /// Columns, separated by commas (default: the usual ones; in CSV all)
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    columns: Vec<String>,
    /// How Monte Carlo standard errors are written
    #[arg(long, default_value = "parentheses", value_name = "HOW", value_parser = uncertainties())]
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
    /// Print JSON: the file, or without one the text of the table
    #[arg(long)]
    json: bool,
}

fn formats() -> impl TypedValueParser<Value = TableFormat> {
    let values = [
        PossibleValue::new("latex").alias("tex"),
        PossibleValue::new("markdown").alias("md"),
        PossibleValue::new("csv"),
    ];
    PossibleValuesParser::new(values).try_map(|text| text.parse::<TableFormat>())
}

fn uncertainties() -> impl TypedValueParser<Value = Uncertainty> {
    PossibleValuesParser::new(["parentheses", "plus-minus", "none"])
        .try_map(|text| text.parse::<Uncertainty>())
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
        if let Some(path) = &self.out {
            write_text(path, &table.text)?;
        }
        let written = self.out.as_ref().map(|path| format!("{}\n", path.display()));
        if self.json {
            let format = match format {
                TableFormat::Latex => "latex",
                TableFormat::Markdown => "markdown",
                TableFormat::Csv => "csv",
            };
            print_json(&serde_json::json!({
                "table": self.out, "format": format, "text": self.out.is_none().then_some(table.text),
                "missing_replicates": summary.missing_replicates,
            }))?;
        } else {
            print(&written.unwrap_or(table.text))?;
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
