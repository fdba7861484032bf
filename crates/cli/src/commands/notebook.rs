//! `convstat notebook RUN`

use std::path::{Component, Path, PathBuf};

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use convstat::prelude::*;
use convstat::report::{NOTEBOOK_FORMATS, NotebookFormat, notebook, notebook_format};
use convstat::runner::RunDir;
use convstat::study::run::summarise;

use crate::failure::Failure;
use crate::output::{Status, either, print, print_json, write_text};

/// `notebook`.
#[derive(Debug, Args)]
#[command(
    after_help = "The notebook reads the run's Parquet files, redraws its figures and recomputes its standard errors.

Examples:
  convstat notebook runs/cnn-rate                              runs/cnn-rate/cnn-rate.ipynb, Python
  convstat notebook runs/cnn-rate --out analysis/rate.qmd      Quarto with R
  jupyter nbconvert --execute --to notebook --inplace runs/cnn-rate/cnn-rate.ipynb"
)]
pub struct NotebookCommand {
    /// Run directory
    run: PathBuf,
    /// The notebook (default RUN/NAME.ipynb or RUN/NAME.qmd)
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Jupyter has Python, Quarto R (default: by the ending of --out, else jupyter)
    #[arg(long, value_parser = formats())]
    format: Option<&'static NotebookFormat>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn formats() -> impl TypedValueParser<Value = &'static NotebookFormat> {
    PossibleValuesParser::new(NOTEBOOK_FORMATS.iter().map(|format| format.name))
        .try_map(|text| notebook_format(&text).ok_or("no format of notebooks"))
}

impl NotebookCommand {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        let by_ending = |path: &PathBuf| notebook_format(path.extension()?.to_str()?);
        let format = match (self.format, self.out.as_ref().map(by_ending)) {
            (Some(format), _) | (None, Some(Some(format))) => format,
            (None, None) => &NOTEBOOK_FORMATS[0],
            (None, Some(None)) => {
                let path = self.out.as_deref().unwrap_or(Path::new("")).display();
                let endings = either(NOTEBOOK_FORMATS.iter().map(|f| format!(".{}", f.extension)));
                return Err(Failure::new(format!("the ending of {path} names no format of notebooks"))
                    .help(format!("use {endings}, or give --format")));
            }
        };
        let mut run = RunDir::open(&self.run)?;
        let study = Study::of_run(&run)?;
        // The notebook reads the summary.
        let (summary, _) = summarise(&study, &mut run)?;
        let file = &study.plan.file;
        let own = || self.run.join(format!("{}.{}", file.study.name, format.extension));
        let out = self.out.clone().unwrap_or_else(own);
        write_text(&out, &notebook(file, &seen_from(&out, &self.run)?, format)?)?;
        if self.json {
            print_json(&serde_json::json!({
                "notebook": out, "format": format.name, "missing_replicates": summary.missing_replicates,
            }))?;
        } else {
            print(&format!("{}\n", out.display()))?;
        }
        if summary.missing_replicates > 0 {
            eprintln!("{}: {} replicates are missing", self.run.display(), summary.missing_replicates);
            return Ok(Status::Partly);
        }
        Ok(Status::Done)
    }
}

/// `run` as a path from the folder of `file`, which need not exist.
fn seen_from(file: &Path, run: &Path) -> Result<String, Failure> {
    let bad = |path: &Path, e: std::io::Error| Failure::new(format!("cannot find {}: {e}", path.display()));
    let folder = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(folder).map_err(|e| bad(folder, e))?;
    let folder = folder.canonicalize().map_err(|e| bad(folder, e))?;
    let run = run.canonicalize().map_err(|e| bad(run, e))?;
    let shared = folder.components().zip(run.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(shared).map(|_| Component::ParentDir);
    let path: PathBuf = up.chain(run.components().skip(shared)).collect();
    let text = path.to_string_lossy().replace('\\', "/");
    Ok(if text.is_empty() { ".".to_owned() } else { text })
}
