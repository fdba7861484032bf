//! `convstat table RUN`

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use convstat::prelude::*;
use convstat::report::{TABLE_FORMATS, TableFormat, TableOptions, Uncertainty, paper_table, table_format};
use convstat::runner::RunDir;
use convstat::study::run::summarise;

use crate::failure::Failure;
use crate::output::{Status, either, print, print_json, write_text};

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
    format: Option<&'static TableFormat>,
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

fn formats() -> impl TypedValueParser<Value = &'static TableFormat> {
    let value = |format: &'static TableFormat| PossibleValue::new(format.name).alias(format.extension);
    PossibleValuesParser::new(TABLE_FORMATS.iter().map(value))
        .try_map(|text| table_format(&text).ok_or("no format of tables"))
}

fn uncertainties() -> impl TypedValueParser<Value = Uncertainty> {
    PossibleValuesParser::new(Uncertainty::ALL.map(Uncertainty::name)).try_map(|text| {
        Uncertainty::ALL.into_iter().find(|how| how.name() == text).ok_or("no form of standard errors")
    })
}

impl TableCommand {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        let ending = self.out.as_ref().and_then(|p| p.extension()).and_then(|e| e.to_str());
        let format = match (self.format, ending) {
            (Some(format), _) => format,
            (None, Some(ending)) => table_format(ending).ok_or_else(|| {
                let endings = either(TABLE_FORMATS.iter().map(|f| format!(".{}", f.extension)));
                Failure::new(format!("the ending .{ending} names no format of tables"))
                    .help(format!("use {endings}, or give --format"))
            })?,
            (None, None) => &TABLE_FORMATS[0],
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
            print_json(&serde_json::json!({
                "table": self.out, "format": format.name, "text": self.out.is_none().then_some(table.text),
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
