//! `convstat`: parses, calls, prints.

#![forbid(unsafe_code)]
// No panic on a user's input; what cannot be reached says why.
#![warn(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::unreachable,
    clippy::todo,
    clippy::unimplemented
)]

mod arrays;
mod commands;
mod failure;
mod output;

use std::process::ExitCode;

use clap::Parser;

use commands::Command;

/// How many samples a convolutional network needs: theory, simulation and estimation.
#[derive(Debug, Parser)]
#[command(
    name = "convstat",
    version,
    after_help = "Examples:
  convstat study run experiments/cnn-rate.toml      run or resume a study
  convstat figures runs/cnn-rate                    draw its figures
  convstat bound --geometry g.toml --structure '{ kind = \"cnn\", kernels = 3 }' --n 500,2000
  convstat fit --x X.npy --y y.npy --structure '{ einsum = \"ar,br->ab\", sizes = { r = 2 } }'

Exit codes: 0 done, 1 a check failed, 2 bad input, 3 partly done (the same command resumes)."
)]
struct Cli {
    /// Largest size of one array in GiB; larger ones are refused before they are made
    #[arg(long, global = true, value_name = "GIB", default_value_t = 8.0)]
    memory: f64,
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let bytes = cli.memory * f64::from(1u32 << 30);
    if !(bytes > 0.0 && bytes <= convstat::tensor::memory::LARGEST_LIMIT as f64) {
        eprintln!(
            "error: --memory {}; it has to be a number of GiB above 0 and below 16, beyond which BLAS cannot count",
            cli.memory
        );
        return ExitCode::from(2);
    }
    convstat::tensor::memory::set_limit(bytes as u64);
    let result = convstat::tensor::blas::single_thread().map_err(Into::into).and_then(|()| cli.command.run());
    match result {
        Ok(status) => ExitCode::from(status.code()),
        Err(failure) => {
            eprintln!("{:?}", miette::Report::new(failure));
            ExitCode::from(2)
        }
    }
}
