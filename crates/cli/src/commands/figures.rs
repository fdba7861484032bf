//! `convstat figures RUN…`

use std::path::PathBuf;

use clap::Args;
use convstat::prelude::*;
use convstat::report::{Format, draw};
use convstat::runner::RunDir;
use convstat::study::run::summarise;

use crate::failure::Failure;
use crate::output::{Status, print, print_json};

/// `figures`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  convstat figures runs/cnn-rate --out paper-figures --format svg,png,pdf")]
pub struct Figures {
    /// Run directories
    #[arg(required = true)]
    runs: Vec<PathBuf>,
    /// Where the figures go (default RUN/figures)
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Formats, separated by commas
    #[arg(long, default_value = "svg,png,pdf")]
    format: String,
    /// Print JSON: the files of each run
    #[arg(long)]
    json: bool,
}

impl Figures {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        let formats = Format::parse_list(&self.format)?;
        let mut partly = false;
        let mut drawn: Vec<String> = Vec::new();
        let mut all = Vec::new();
        for path in &self.runs {
            let mut run = RunDir::open(path)?;
            let study = Study::of_run(&run)?;
            let (summary, _) = summarise(&study, &mut run)?;
            if summary.missing_replicates > 0 {
                eprintln!("{}: {} replicates are missing", path.display(), summary.missing_replicates);
                partly = true;
            }
            let name = study.plan.file.study.name.clone();
            if self.out.is_some() && drawn.contains(&name) {
                return Err(Failure::new(format!(
                    "two runs are of a study named {name}; their figures would have one name"
                ))
                .help("draw them into different --out folders"));
            }
            drawn.push(name);
            let out = self.out.clone().unwrap_or_else(|| path.join("figures"));
            let files = draw(&study.plan.file, &summary, &out, &formats)?;
            for file in files.iter().filter(|_| !self.json) {
                print(&format!("{}\n", file.display()))?;
            }
            all.push(serde_json::json!({
                "run": path, "files": files, "missing_replicates": summary.missing_replicates,
            }));
        }
        if self.json {
            print_json(&all)?;
        }
        Ok(if partly { Status::Partly } else { Status::Done })
    }
}
