//! `convstat-train`: parses, calls, prints.

mod commands;

use std::process::ExitCode;

use clap::Parser;
use convstat_data::DataError;
use convstat_train::TrainError;

/// Trains compressed convolutional networks and shows what the K/R ratio buys.
#[derive(Debug, Parser)]
#[command(
    name = "convstat-train",
    version,
    after_help = "Examples:
  convstat-train ablate experiments/ablation-digits.toml    table and figure
  convstat-train fetch cifar10 --data D                     CIFAR-10 into folder D
  convstat-train ablate experiments/ablation-cifar10.toml --data D --device cuda
  convstat-train train experiments/ablation-digits.toml --kr 4 --out runs/one
  convstat-train eval experiments/ablation-digits.toml --kr 4 --out runs/one

Exit codes:
  0    done
  1    a cell has no network that ended well
  2    bad input, or a file that cannot be fetched
  3    partly done: the same command resumes
  130  a second Ctrl-C"
)]
struct Cli {
    #[command(subcommand)]
    command: commands::Command,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    convstat_train::keep_memory();
    convstat_runner::interrupt::install();
    match convstat_tensor::blas::single_thread()
        .map_err(|e| commands::Failure::from(TrainError::from(e)))
        .and_then(|()| cli.command.run())
    {
        Ok(code) => code,
        Err(failure) => {
            let partly =
                matches!(failure, commands::Failure::Train(TrainError::Data(DataError::Stopped { .. })));
            eprintln!("{:?}", miette::Report::new(failure));
            ExitCode::from(if partly { 3 } else { 2 })
        }
    }
}
