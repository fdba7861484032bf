//! `convstat doctor`: what this machine has of what convstat needs.

mod core;
mod others;

use clap::Args;
use serde::Serialize;

use crate::failure::Failure;
use crate::output::{Status, print, print_json, wrap};

/// `doctor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit code 0 unless something is missing that studies, theory and fits need; the rest is for single commands.

Examples:
  convstat doctor
  convstat doctor --json"
)]
pub struct Doctor {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// There, and works.
    Ok,
    /// There, with something to know.
    Note,
    /// Not there; only single commands need it.
    Missing,
    /// Not as the core needs it.
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    name: &'static str,
    state: State,
    /// What was found.
    found: String,
    /// What needs it.
    needed_for: &'static str,
    /// What to do, where something is to be done.
    mend: Option<String>,
    /// Numbers for programs.
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    numbers: serde_json::Value,
}

impl Finding {
    fn new(name: &'static str, needed_for: &'static str, state: State, found: impl Into<String>) -> Self {
        Self { name, state, found: found.into(), needed_for, mend: None, numbers: serde_json::Value::Null }
    }

    fn mend(mut self, mend: impl Into<String>) -> Self {
        self.mend = Some(mend.into());
        self
    }

    fn numbers(mut self, numbers: serde_json::Value) -> Self {
        self.numbers = numbers;
        self
    }

    /// Two or three lines, none wider than the terminal.
    fn text(&self) -> String {
        let mark = match self.state {
            State::Ok => "ok",
            State::Note => "note",
            State::Missing => "-",
            State::Bad => "BAD",
        };
        let mut text = wrap(&format!("{mark:5}{:12}", self.name), &self.found);
        text += &wrap(&" ".repeat(17), &format!("for {}", self.needed_for));
        if let Some(mend) = &self.mend {
            text += &wrap(&" ".repeat(17), &format!("-> {mend}"));
        }
        text
    }
}

impl Doctor {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        let mut all = core::findings();
        all.extend(others::findings());
        let bad: Vec<&str> = all.iter().filter(|f| f.state == State::Bad).map(|f| f.name).collect();
        if self.json {
            let version = env!("CARGO_PKG_VERSION");
            print_json(&serde_json::json!({ "version": version, "ok": bad.is_empty(), "findings": all }))?;
        } else {
            print(&all.iter().map(Finding::text).collect::<String>())?;
            print(&match bad.as_slice() {
                [] => "\nall that studies, theory and fits need is there\n".to_owned(),
                names => {
                    format!("\nto be mended before studies, theory and fits work: {}\n", names.join(", "))
                }
            })?;
        }
        Ok(if bad.is_empty() { Status::Done } else { Status::CheckFailed })
    }
}
