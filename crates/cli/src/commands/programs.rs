//! Other programs that `convstat doctor` asks for.

use std::path::PathBuf;
use std::time::Duration;

use convstat::runner::RunnerError;
use convstat::runner::slurm::client;

/// How long a program may take to say its version.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a program says.
pub enum Answer {
    /// Its output.
    Said(String),
    /// It is not in PATH.
    Missing,
    /// It is there and does not work, with the reason.
    Broken(String),
}

/// Asks a program.
pub fn ask(program: &'static str, arguments: &[&str]) -> Answer {
    let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
    match client::call(program, &arguments, PATIENCE) {
        Ok(text) => Answer::Said(text),
        Err(RunnerError::SlurmMissing { .. }) => Answer::Missing,
        Err(RunnerError::SlurmSilent { seconds, .. }) => Answer::Broken(format!("no answer in {seconds} s")),
        Err(RunnerError::SlurmFailed { reason, .. }) => {
            // The last line of what a program says names the error.
            let last = reason.lines().rev().map(str::trim).find(|l| !l.is_empty()).unwrap_or_default();
            Answer::Broken(last.trim_start_matches(&format!("{program}: ")).to_owned())
        }
        Err(e) => Answer::Broken(e.to_string()),
    }
}

/// The first line of what the first of `programs` that is there says.
pub fn first_of(programs: &[(&'static str, &[&str])]) -> Answer {
    let mut broken = Answer::Missing;
    for (program, arguments) in programs {
        match ask(program, arguments) {
            Answer::Said(text) => {
                return Answer::Said(text.lines().next().unwrap_or_default().trim().to_owned());
            }
            Answer::Broken(reason) => broken = Answer::Broken(format!("{program}: {reason}")),
            Answer::Missing => {}
        }
    }
    broken
}

/// Which of some shared libraries, by the beginning of their names, the loader finds.
pub fn libraries(wanted: &[&'static str]) -> Vec<(&'static str, Option<String>)> {
    let cache = ["ldconfig", "/sbin/ldconfig"].into_iter().find_map(|program| match ask(program, &["-p"]) {
        Answer::Said(text) => Some(text),
        _ => None,
    });
    let mut names: Vec<String> = cache
        .unwrap_or_default()
        .lines()
        .filter_map(|l| l.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    let path = std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).filter(|p| *p != PathBuf::new());
    for entry in folders.filter_map(|f| std::fs::read_dir(f).ok()).flatten().flatten() {
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    wanted.iter().map(|w| (*w, names.iter().find(|n| n.starts_with(w)).cloned())).collect()
}
