//! One file a command.

mod audit;
mod bound;
mod completions;
mod data;
mod doctor;
mod figures;
mod fit;
mod formulate;
mod inputs;
mod man;
mod notebook;
mod plan_n;
mod programs;
mod report;
mod select;
mod setting;
mod study;
mod table;
mod test;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Status;

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run, plan and check simulation studies
    #[command(subcommand)]
    Study(study::StudyCommand),
    /// Draw the figures of runs
    Figures(figures::Figures),
    /// One self-contained HTML page of a run: design, figures, tables, checks, failures, provenance
    Report(report::Report),
    /// Write the summary of a run as a table for a paper: LaTeX, Markdown or CSV
    Table(table::TableCommand),
    /// Write a notebook that reads a run and redraws its figures: Jupyter with Python, Quarto with R
    Notebook(notebook::NotebookCommand),
    /// Write the coefficient tensor W_X of a linear CNN, and its predictions
    Formulate(formulate::Formulate),
    /// Fit a structure to data
    Fit(fit::FitCommand),
    /// Choose a structure among candidates: information criteria, cross-validation
    Select(select::SelectCommand),
    /// Test a structure against a larger one by a parametric bootstrap
    Test(test::TestCommand),
    /// Redundancy left in a network, block by block: K, R, K/R, parameters, sample complexity, cost
    #[command(after_help = "Examples:
  convstat audit resnet50
  convstat audit model.onnx --why --advice --figure model.svg
  convstat audit resnet50 mobilenet_v2                       compares two
  convstat audit model.safetensors --format json")]
    Audit(audit::AuditCommand),
    /// Bounds and exact risk of one setting
    Bound(bound::Bound),
    /// Sample size for a target error, by each theory and by simulation
    PlanN(plan_n::PlanN),
    /// What this machine has of what convstat needs, and what to install
    Doctor(doctor::Doctor),
    /// Completions for a shell, on standard output
    Completions(completions::Completions),
    /// Write man pages, one a command
    Man(man::Man),
}

impl Command {
    /// Whether it computes.
    pub fn needs_blas(&self) -> bool {
        !matches!(self, Self::Doctor(_) | Self::Completions(_) | Self::Man(_))
    }

    /// Does it; `parser` makes the whole command line's, for what describes it.
    pub fn run(&self, parser: fn() -> clap::Command) -> Result<Status, Failure> {
        match self {
            Self::Study(c) => c.run(),
            Self::Figures(c) => c.run(),
            Self::Report(c) => c.run(),
            Self::Table(c) => c.run(),
            Self::Notebook(c) => c.run(),
            Self::Formulate(c) => c.run(),
            Self::Fit(c) => c.run(),
            Self::Select(c) => c.run(),
            Self::Test(c) => c.run(),
            Self::Audit(c) => c.run(),
            Self::Bound(c) => c.run(),
            Self::PlanN(c) => c.run(),
            Self::Doctor(c) => c.run(),
            Self::Completions(c) => c.run(parser()),
            Self::Man(c) => c.run(parser()),
        }
    }
}
