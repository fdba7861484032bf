//! The curves of one training run as files.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use convstat_runner::{Column, Table};

use crate::events::EventWriter;
use crate::training::EpochMetrics;
use crate::{Result, TrainError};

/// The curves of one run: TensorBoard events and CSV as it goes, Parquet at its end.
#[derive(Debug)]
pub struct MetricsFolder {
    folder: PathBuf,
    /// From the first epoch on: a command that finds nothing to do leaves no file.
    events: Option<EventWriter>,
}

/// Heading of the CSV file.
const HEADING: &str = "epoch,steps,rate,train_loss,validation,images_per_second\n";

impl MetricsFolder {
    /// A folder for the curves of one run.
    ///
    /// # Errors
    /// A folder that cannot be made.
    pub fn create(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder).map_err(TrainError::io("create", folder))?;
        let csv = folder.join("metrics.csv");
        if !csv.exists() {
            fs::write(&csv, HEADING).map_err(TrainError::io("write", &csv))?;
        }
        Ok(Self { folder: folder.to_owned(), events: None })
    }

    /// Adds an epoch.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn add(&mut self, e: &EpochMetrics) -> Result<()> {
        let step = e.steps as i64;
        let events = match &mut self.events {
            Some(events) => events,
            none => none.insert(EventWriter::create(&self.folder)?),
        };
        events.scalar("rate", step, e.rate as f32)?;
        events.scalar("train/loss", step, e.train_loss as f32)?;
        events.scalar("images per second", step, e.images_per_second as f32)?;
        if let Some(v) = e.validation {
            events.scalar("validation/accuracy", step, v as f32)?;
        }
        events.flush()?;
        let path = self.folder.join("metrics.csv");
        let mut file =
            fs::OpenOptions::new().append(true).open(&path).map_err(TrainError::io("write", &path))?;
        file.write_all(line(e).as_bytes()).map_err(TrainError::io("write", &path))
    }

    /// Writes all epochs anew, without those that a cut-off run left twice.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn finish(&self, epochs: &[EpochMetrics]) -> Result<()> {
        let csv = self.folder.join("metrics.csv");
        let text: String = std::iter::once(HEADING.to_owned()).chain(epochs.iter().map(line)).collect();
        fs::write(&csv, text).map_err(TrainError::io("write", &csv))?;
        let float = |f: &dyn Fn(&EpochMetrics) -> f64| Column::Float(epochs.iter().map(f).collect());
        let int =
            |f: &dyn Fn(&EpochMetrics) -> u64| Column::Int(epochs.iter().map(|e| f(e) as i64).collect());
        Table::new(vec![
            ("epoch", int(&|e| e.epoch)),
            ("steps", int(&|e| e.steps)),
            ("rate", float(&|e| e.rate)),
            ("train_loss", float(&|e| e.train_loss)),
            ("validation", float(&|e| e.validation.unwrap_or(f64::NAN))),
            ("images_per_second", float(&|e| e.images_per_second)),
        ])
        .write(&self.folder.join("metrics.parquet"))?;
        Ok(())
    }
}

fn line(e: &EpochMetrics) -> String {
    let validation = e.validation.map_or(String::new(), |v| format!("{v:.6}"));
    format!(
        "{},{},{:.8},{:.8},{validation},{:.1}\n",
        e.epoch, e.steps, e.rate, e.train_loss, e.images_per_second
    )
}
