//! `convstat study status`.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use convstat::prelude::*;
use convstat::runner::{RunDir, Walked, slurm::quoted, time_left};
use convstat::study::{run::look, running::RunProgress};

use super::slurm_status::SlurmStatus;
use crate::colour::verdicts;
use crate::failure::Failure;
use crate::output::{Status, print, print_json, wrap_lines};

/// `study status`.
#[derive(Debug, Args)]
pub struct StatusCommand {
    /// Run directory
    run: PathBuf,
    /// Look again and again until the run ends; Ctrl-C leaves, and the run goes on
    #[arg(long)]
    watch: bool,
    /// Seconds between looks
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, requires = "watch")]
    interval: f64,
    /// Print JSON; with --watch an object a line
    #[arg(long)]
    json: bool,
}

/// What a look has found.
struct Look {
    study: Study,
    walked: Walked,
    progress: RunProgress,
    /// Whether a process writes in it, where that can be told.
    at_work: Option<bool>,
}

/// Looking takes at most this share of the time of a watch.
const SHARE: u32 = 10;

impl StatusCommand {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        if !(self.interval >= 0.1 && self.interval <= 86_400.0) {
            return Err(Failure::new(format!(
                "--interval {}; it has to be from 0.1 to 86400 seconds",
                self.interval
            )));
        }
        let run = RunDir::open(&self.run)?;
        if self.watch { self.follow(&run) } else { self.once(&run) }
    }

    fn look(run: &RunDir) -> Result<Look, Failure> {
        // Before the parts, so that what a process stores last is seen after it is known to have ended.
        let at_work = run.is_at_work();
        let study = Study::of_run(run)?;
        let (walked, running) = look(&study.plan, run)?;
        let progress = running.progress();
        Ok(Look { study, walked, progress, at_work })
    }

    /// The command that goes on with an unfinished run at which no one is at work.
    fn next(&self, look: &Look) -> Option<String> {
        let goes_on = look.progress.done < look.progress.planned && look.at_work != Some(true);
        goes_on.then(|| format!("convstat study run {}", quoted(&self.run.to_string_lossy())))
    }

    fn once(&self, run: &RunDir) -> Result<Status, Failure> {
        let look = Self::look(run)?;
        let manifest = run.manifest()?;
        let p = &manifest.provenance;
        let slurm = SlurmStatus::new(&self.run, &look.study, &look.walked.present)?;
        let next = self.next(&look).filter(|_| slurm.is_none());
        let RunProgress { done, planned, cells_done, cells, failures, largest_relative_mcse } = look.progress;
        if self.json {
            print_json(&serde_json::json!({
                "study": manifest.name, "done": done, "planned": planned, "cells_done": cells_done, "cells": cells,
                "failures": failures, "largest_relative_mcse": largest_relative_mcse, "at_work": look.at_work,
                "damaged_parts": look.walked.damaged.len(), "provenance": p, "slurm": slurm, "command": next,
            }))?;
            return Ok(status_of(&look.progress));
        }
        print(&wrap_lines(&format!(
            "study {}: {done} of {planned} replicates done\n{}, {failures} errors\nstarted {} by convstat {} (commit {}), {}, \
             {}\n",
            manifest.name,
            look.progress.text(),
            p.started,
            p.version,
            p.commit,
            p.processor,
            p.blas
        )))?;
        // The manifest names who began; parts name who computed them.
        for (origin, rows) in look.walked.origins.iter().filter(|_| look.walked.origins.len() > 1) {
            let by = origin.as_ref().map_or_else(
                || "a program that does not say".to_owned(),
                |o| format!("convstat {} (commit {}), {}, {}", o.version, o.commit, o.processor, o.blas),
            );
            print(&format!("{rows} replicates by {by}\n"))?;
        }
        for e in &look.walked.damaged {
            print(&format!("warning: {e}; its replicates will run again\n"))?;
        }
        if let Some(slurm) = &slurm {
            print(&verdicts(&slurm.text()))?;
        }
        match next {
            Some(command) => print(&format!("next: {command}\n"))?,
            None if look.at_work == Some(true) && slurm.is_none() => {
                print(&format!(
                    "a process is at work; follow it: convstat study status {} --watch\n",
                    quoted(&self.run.to_string_lossy())
                ))?;
            }
            None => {}
        }
        Ok(status_of(&look.progress))
    }

    /// Looks again and again: until all is there, or the process that was at work no longer is.
    fn follow(&self, run: &RunDir) -> Result<Status, Failure> {
        let terminal = std::io::stdout().is_terminal() && !self.json;
        let interval = Duration::from_secs_f64(self.interval);
        let mut first: Option<(Instant, u64)> = None;
        let mut was_at_work = false;
        let mut last = String::new();
        loop {
            let began = Instant::now();
            let look = Self::look(run)?;
            let (since, at_start) = *first.get_or_insert((began, look.progress.done));
            let pace =
                look.progress.done.saturating_sub(at_start) as f64 / since.elapsed().as_secs_f64().max(1e-9);
            let left = (look.progress.planned - look.progress.done) as f64 / pace;
            let complete = look.progress.done == look.progress.planned;
            let ended = complete || (was_at_work && look.at_work != Some(true));
            was_at_work |= look.at_work == Some(true);
            if self.json {
                let mut value = serde_json::to_value(look.progress).map_err(Failure::from_error)?;
                value["at_work"] = look.at_work.into();
                value["seconds_left"] = left.into();
                value["ended"] = ended.into();
                print(&format!("{value}\n"))?;
            } else {
                let mut text = line(&look, if complete { None } else { Some(left) });
                if !complete && look.at_work == Some(false) && !ended {
                    text += "; no process is at work";
                }
                if terminal {
                    // The line is written over; what is left of a longer one is erased.
                    print(&format!("\r{text}\x1b[K"))?;
                } else if text != last {
                    print(&format!("{text}\n"))?;
                }
                last = text;
            }
            if ended {
                if terminal {
                    print("\n")?;
                }
                if let Some(command) = self.next(&look) {
                    eprintln!("the process has ended before all was done; this goes on: {command}");
                }
                return Ok(status_of(&look.progress));
            }
            std::io::stdout().flush().map_err(Failure::from_error)?;
            std::thread::sleep(interval.max(began.elapsed() * SHARE));
        }
    }
}

/// A look in a line of at most 80 characters, where the numbers allow it.
fn line(look: &Look, left: Option<f64>) -> String {
    let s = &look.progress;
    let share = 100.0 * s.done as f64 / s.planned.max(1) as f64;
    let left = match left {
        Some(left) if left.is_finite() => format!(", {} left", time_left(left)),
        _ => String::new(),
    };
    format!("{}/{} ({share:.1} %), {}, {} errors{left}", s.done, s.planned, s.text(), s.failures)
}

fn status_of(progress: &RunProgress) -> Status {
    if progress.done == progress.planned { Status::Done } else { Status::Partly }
}
