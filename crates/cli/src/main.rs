//! `convstat`: parses, calls, prints.

#![forbid(unsafe_code)]

mod arrays;
mod colour;
mod commands;
mod failure;
mod nearest;
mod output;
mod overview;
mod trace;

use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{ColorChoice, CommandFactory, FromArgMatches, Parser};

use commands::Command;

/// Heading of the options that every command has.
const GLOBAL: &str = "Global options";

/// How many samples a convolutional network needs: theory, simulation and estimation.
#[derive(Debug, Parser)]
#[command(
    name = "convstat",
    version,
    after_help = "Examples:
  convstat study new my-rate                        write a commented study file
  convstat study run my-rate.toml                   run or resume it
  convstat figures runs/my-rate                     draw its figures
  convstat bound --geometry g.toml --structure '{ kind = \"cnn\", kernels = 3 }' --n 500,2000
  convstat audit resnet50

Every command: convstat COMMAND --help, with examples; --json where a program reads it.
Exit codes: 0 done, 1 a check failed, 2 bad input, 3 partly done (the same command resumes)."
)]
struct Cli {
    /// Largest size of one array in GiB; larger ones are refused before they are made
    #[arg(long, global = true, value_name = "GIB", default_value_t = 8.0, help_heading = GLOBAL)]
    memory: f64,
    /// Colours (auto: on a terminal, unless NO_COLOR is set)
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto, help_heading = GLOBAL)]
    color: ColorChoice,
    #[command(subcommand)]
    command: Option<Command>,
}

/// The error of a command that stands below `study` with the whole command.
fn with_path(mut error: clap::Error, parser: &clap::Command) -> clap::Error {
    let word = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(word)) => word.clone(),
        _ => return error,
    };
    if parser.find_subcommand("study").is_some_and(|study| study.find_subcommand(&word).is_some()) {
        let full = vec![format!("study {word}")];
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(full));
    }
    error
}

fn main() -> ExitCode {
    let choice = colour::asked(std::env::args().skip(1));
    let mut parser = overview::with_overview(Cli::command().color(choice));
    let cli =
        match parser.try_get_matches_from_mut(std::env::args_os()).and_then(|m| Cli::from_arg_matches(&m)) {
            Ok(cli) => cli,
            Err(e) => with_path(e, &parser).exit(),
        };
    colour::output(cli.color);
    // Without it diagnostics choose for themselves.
    let _ = colour::diagnostics(cli.color);
    let bytes = cli.memory * f64::from(1u32 << 30);
    if !(bytes > 0.0 && bytes <= convstat::tensor::memory::LARGEST_LIMIT as f64) {
        eprintln!(
            "error: --memory {}; it has to be a number of GiB above 0 and below 16, beyond which BLAS cannot count",
            cli.memory
        );
        return ExitCode::from(2);
    }
    convstat::tensor::memory::set_limit(bytes as u64);
    let Some(command) = cli.command else {
        // Its own error says of a closed pipe nothing that matters.
        let _ = parser.print_help();
        return ExitCode::SUCCESS;
    };
    // The doctor is there to say what is wrong with BLAS.
    let blas = if command.needs_blas() { convstat::tensor::blas::single_thread() } else { Ok(()) };
    match blas.map_err(Into::into).and_then(|()| command.run(Cli::command)) {
        Ok(status) => ExitCode::from(status.code()),
        Err(failure) => {
            eprintln!("{:?}", miette::Report::new(failure));
            ExitCode::from(2)
        }
    }
}
