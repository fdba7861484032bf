//! The study that a command is about.

use std::path::{Path, PathBuf};

use clap::Args;
use convstat::prelude::*;
use convstat::report::figures;
use convstat::runner::RunDir;
use convstat::study::in_text;

use crate::commands::inputs::read_text;
use crate::failure::Failure;

/// A study file with what the command line changes.
#[derive(Debug, Args)]
pub struct StudyInput {
    /// Study file (TOML); or a run directory, to go on with the study that it holds
    file: PathBuf,
    /// Replicates a cell, instead of the file's
    #[arg(long, value_name = "N")]
    replicates: Option<u64>,
    /// Set a key of the file, for instance noise.sigma=0.5
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
}

impl StudyInput {
    /// Reads and plans it.
    pub fn study(&self) -> Result<Study, Failure> {
        let (text, replicates) = if self.file.is_dir() {
            let manifest = RunDir::open(&self.file)?.manifest()?;
            (manifest.study, self.replicates.or(Some(manifest.replicates)))
        } else {
            (read_text(&self.file)?, self.replicates)
        };
        let overrides = Overrides { replicates, set: self.set.clone() };
        let study = Study::new(&text, &overrides).map_err(|e| Failure::in_file(e, &self.file, &text))?;
        figures::check(&study.plan.file)
            .map_err(|e| Failure::in_file(in_text(e, &study.text), &self.file, &study.text))?;
        Ok(study)
    }

    /// The run directory: the one asked for, the one gone on with, or `runs/NAME`.
    pub fn out(&self, asked: Option<&PathBuf>, study: &Study) -> PathBuf {
        let default = || {
            if self.file.is_dir() {
                self.file.clone()
            } else {
                Path::new("runs").join(&study.plan.file.study.name)
            }
        };
        asked.cloned().unwrap_or_else(default)
    }
}
