//! `convstat study …`

mod check;
mod input;
mod merge;
mod new;
mod plan;
mod rerun;
mod resources;
mod run;
mod slurm_status;
mod status;
mod submit;
mod summary;
mod verify;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Status;

/// Subcommands of `study`.
#[derive(Debug, Subcommand)]
pub enum StudyCommand {
    /// Write a commented study file from a template
    #[command(after_help = "Examples:
  convstat study new --list
  convstat study new my-rate                          writes my-rate.toml
  convstat study new choice --template selection --out experiments/choice.toml")]
    New(new::New),
    /// Run what is missing of a study, summarise and check it
    #[command(after_help = "Examples:
  convstat study run experiments/cnn-rate.toml
  convstat study run experiments/cnn-rate.toml --replicates 400     only what is missing
  convstat study run experiments/cnn-rate.toml --set study.seed=7 --out runs/other-seed
  convstat study run experiments/cnn-rate.toml --shard 3/8          a share of it
  convstat study run runs/cnn-rate                                  goes on with a run")]
    Run(run::Run),
    /// Cells, fits, estimated time, memory and disk, expected MCSE
    #[command(
        after_help = "Cells are numbered from 0, as study rerun takes them: setting by setting, in it by design, estimator and n.

Examples:
  convstat study plan experiments/cnn-rate.toml
  convstat study plan experiments/cnn-rate.toml --cells             every cell with its number
  convstat study plan experiments/cnn-rate.toml --replicates 1000 --threads 8 --json"
    )]
    Plan(plan::PlanCommand),
    /// Run a study on a cluster: a job array of shards, and a job that merges them
    #[command(after_help = "\
The study text is fixed at submission, overrides included: later edits of FILE change no task. Tasks that reach their time \
limit or are preempted stop, keep what is done and go back to the queue. The same command again submits only the shards that \
miss replicates and are neither queued nor running.

Examples:
  convstat study submit experiments/cnn-rate.toml --engine slurm --shards 100
  convstat study submit experiments/cnn-rate.toml --engine slurm --shards 20 \\
      --partition long --time 12:00:00 --threads 8
  convstat study submit experiments/cnn-rate.toml --engine slurm --shards 20 --sbatch=--qos=low --dry-run
  convstat study status runs/cnn-rate")]
    Submit(submit::Submit),
    /// What a run has and what is missing; of a submitted one also the state of its tasks
    #[command(after_help = "Examples:
  convstat study status runs/cnn-rate
  convstat study status runs/cnn-rate --watch --interval 5    from another terminal, while it runs
  convstat study status runs/cnn-rate --json")]
    Status(status::StatusCommand),
    /// Run the checks of a study again on what its run has
    #[command(after_help = "Examples:
  convstat study check runs/cnn-rate
  convstat study check runs/cnn-rate --file other-checks.toml --json")]
    Check(check::Check),
    /// Unite the shards of a study, summarise and check it
    #[command(after_help = "Examples:
  convstat study merge runs/cnn-rate                       shards that wrote in one folder
  convstat study merge node1/cnn-rate node2/cnn-rate --out runs/cnn-rate")]
    Merge(merge::Merge),
    /// Repeat a random share of a run's replicates and compare them with what is stored
    #[command(after_help = "Example:
  convstat study verify runs/cnn-rate --share 0.05")]
    Verify(verify::Verify),
    /// Repeat one replicate of a run and compare it with the stored row
    #[command(after_help = "Example:
  convstat study rerun runs/cnn-rate --cell 3 --replicate 17 --trace")]
    Rerun(rerun::Rerun),
}

impl StudyCommand {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        match self {
            Self::New(c) => c.run(),
            Self::Run(c) => c.run(),
            Self::Plan(c) => c.run(),
            Self::Submit(c) => c.run(),
            Self::Status(c) => c.run(),
            Self::Check(c) => c.run(),
            Self::Merge(c) => c.run(),
            Self::Verify(c) => c.run(),
            Self::Rerun(c) => c.run(),
        }
    }
}
