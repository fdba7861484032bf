//! The commands.

mod ablate;
mod device;
mod eval;
mod failure;
mod fetch;
mod file;
mod one;
mod train;

use std::process::ExitCode;

use clap::Subcommand;

pub use failure::{Failure, Result};

/// What `convstat-train` does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Downloads a data set, checks and unpacks it; goes on where it was interrupted
    #[command(after_help = "Examples:
  convstat-train fetch cifar10 --data D
  convstat-train fetch svhn --data D --from https://mirror.example/svhn")]
    Fetch(fetch::Fetch),
    /// Runs what is missing of an ablation, prints its table and draws its figure
    #[command(after_help = "Examples:
  convstat-train ablate experiments/ablation-digits.toml
  convstat-train ablate experiments/ablation-digits.toml --seeds 10   only what is missing
  convstat-train ablate experiments/ablation-cifar10.toml --data D --shard 3/8")]
    Ablate(ablate::Ablate),
    /// Trains one network of an ablation file; writes checkpoint, weights and curves
    #[command(after_help = "Examples:
  convstat-train train experiments/ablation-digits.toml --kr 4 --out runs/one
  convstat audit runs/one/weights.safetensors")]
    Train(one::One),
    /// Evaluates a checkpoint on the test images
    #[command(after_help = "Example:
  convstat-train eval experiments/ablation-digits.toml --kr 4 --out runs/one")]
    Eval(eval::Eval),
}

impl Command {
    /// Runs it.
    pub fn run(self) -> Result<ExitCode> {
        match self {
            Self::Fetch(args) => fetch::run(&args),
            Self::Ablate(args) => ablate::run(&args),
            Self::Train(args) => train::run(&args),
            Self::Eval(args) => eval::run(&args),
        }
    }
}
