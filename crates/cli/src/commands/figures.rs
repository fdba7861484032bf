//! `convstat figures RUN…`

use std::path::{Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use convstat::prelude::*;
use convstat::report::{FIGURES, Format, draw, figures};
use convstat::runner::RunDir;
use convstat::study::designs::DesignSpec;
use convstat::study::file::{Figure, FigureWidth};
use convstat::study::run::summarise;

use super::inputs::read_text;
use crate::failure::Failure;
use crate::output::{Status, print, print_json};

/// `figures`.
#[derive(Debug, Args)]
#[command(
    after_help = "Options stand for those of every [[figure]] of the study file; lists are separated by commas, or the
option is given several times.

Examples:
  convstat figures runs/cnn-rate --out paper-figures --format svg,png,pdf
  convstat figures runs/cnn-rate --width column --font-size 7 --settings S1,S2
  convstat figures runs/relu-kr --settings 'linear, K/R = 1' --settings 'linear, K/R = 2'
  convstat figures runs/cnn-rate --kind nested-loop,forest --width page
  convstat figures runs/cnn-rate --file experiments/cnn-rate.toml     with the [[figure]] tables as they are now"
)]
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
    /// Take the figures from this study file instead of the run's own
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Draw these kinds instead of the study's
    #[arg(long, value_delimiter = ',', value_name = "KINDS", conflicts_with = "file", value_parser = kinds())]
    kind: Vec<String>,
    #[command(flatten)]
    options: Options,
}

fn kinds() -> PossibleValuesParser {
    PossibleValuesParser::new(FIGURES.iter().map(|kind| kind.name))
}

/// Options of all figures that are drawn.
#[derive(Debug, Args)]
struct Options {
    /// column (88 mm), page (180 mm) or millimetres
    #[arg(long)]
    width: Option<FigureWidth>,
    /// Size of labels in points; ticks, markers and lines go with it
    #[arg(long, value_name = "POINTS")]
    font_size: Option<f64>,
    /// Whether the abscissa is logarithmic
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    log_x: Option<bool>,
    /// Whether the ordinate is logarithmic
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    log_y: Option<bool>,
    /// Settings that are drawn; for names with commas give the option once a name
    #[arg(long, value_name = "NAMES")]
    settings: Vec<String>,
    /// Designs that are drawn; likewise
    #[arg(long, value_name = "NAMES")]
    designs: Vec<String>,
    /// Estimators that are drawn; likewise
    #[arg(long, value_name = "NAMES")]
    estimators: Vec<String>,
    /// Text over the figure
    #[arg(long)]
    title: Option<String>,
}

/// Names given one a value, or several separated by commas where no name that is known is the whole.
fn names(given: &[String], known: &[String]) -> Vec<String> {
    let parts = |text: &String| -> Vec<String> {
        if known.contains(text) {
            return vec![text.clone()];
        }
        text.split(',').map(|name| name.trim().to_owned()).collect()
    };
    given.iter().flat_map(parts).collect()
}

impl Options {
    /// A figure with these options where they are given.
    fn apply(&self, figure: Figure, file: &StudyFile) -> Figure {
        let list = |own: &[String], known: Vec<String>, other| {
            if own.is_empty() { other } else { Some(names(own, &known)) }
        };
        let settings = file.setting.iter().map(|s| s.name.clone()).collect();
        let designs = file.design.iter().map(DesignSpec::label).collect();
        let estimators = file.estimator.iter().map(|e| e.label().to_owned()).collect();
        Figure {
            width: self.width.or(figure.width),
            font_size: self.font_size.or(figure.font_size),
            log_x: self.log_x.or(figure.log_x),
            log_y: self.log_y.or(figure.log_y),
            settings: list(&self.settings, settings, figure.settings),
            designs: list(&self.designs, designs, figure.designs),
            estimators: list(&self.estimators, estimators, figure.estimators),
            title: self.title.clone().or(figure.title),
            ..figure
        }
    }
}

impl Figures {
    /// The figures of a study, as the command line has them.
    fn figures(&self, file: &StudyFile) -> Result<Vec<Figure>, Failure> {
        let own = match &self.file {
            None => file.figures(),
            Some(path) => {
                let text = read_text(path)?;
                StudyFile::parse(&text).map_err(|e| Failure::in_file(e, path, &text))?.figures()
            }
        };
        // A name each, so that one kind alone does not take the file of the rate.
        let chosen = |kind: &String| {
            let name = format!("{}-{kind}", file.study.name);
            let named = (*kind != FIGURES[0].name).then_some(name);
            Figure { name: named, ..Figure::new(kind) }
        };
        let figures: Vec<Figure> = if self.kind.is_empty() {
            own.into_iter().map(|(name, figure)| Figure { name: Some(name), ..figure }).collect()
        } else {
            self.kind.iter().map(chosen).collect()
        };
        Ok(figures.into_iter().map(|figure| self.options.apply(figure, file)).collect())
    }

    /// Where the figures of a run go.
    fn place(&self, run: &Path) -> PathBuf {
        self.out.clone().unwrap_or_else(|| run.join("figures"))
    }

    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        let formats = Format::parse_list(&self.format)?;
        let mut partly = false;
        let mut drawn: Vec<String> = Vec::new();
        let mut all = Vec::new();
        for path in &self.runs {
            let mut run = RunDir::open(path)?;
            let mut study = Study::of_run(&run)?;
            // Before the summary, which may take long.
            study.plan.file.figure = self.figures(&study.plan.file)?;
            study.plan.file.check()?;
            figures::check(&study.plan.file)?;
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
            let files = draw(&study.plan.file, &summary, &self.place(path), &formats)?;
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
