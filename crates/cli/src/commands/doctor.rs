//! `convstat doctor`: what this machine has of what convstat needs.

mod core;
mod finding;
mod others;

use clap::Args;

use finding::{Finding, State};

use crate::failure::Failure;
use crate::output::{Status, print, print_json};

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
