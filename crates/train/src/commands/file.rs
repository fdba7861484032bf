//! The ablation file of a command, and its data.

use std::path::Path;

use convstat_data::Dataset;
use convstat_text::Diagnostic;
use convstat_train::TrainError;
use convstat_train::ablation::{AblationFile, MOST_SEEDS};
use miette::NamedSource;

use super::failure::{Failure, Result};

/// The file, its text and its data.
pub fn load(path: &Path, data: Option<&Path>, seeds: Option<u64>) -> Result<(AblationFile, String, Dataset)> {
    let text = convstat_runner::read_text(path).map_err(TrainError::io("read", path))?;
    let mut file = AblationFile::parse(&text).map_err(|e| match e {
        TrainError::Toml(Diagnostic { message, help, span: Some(span), .. }) => Failure::InFile {
            message,
            help,
            file: NamedSource::new(path.display().to_string(), text.clone()),
            place: span.into(),
        },
        e => e.into(),
    })?;
    if let Some(seeds) = seeds {
        file.ablation.seeds = seeds;
        if !(1..=MOST_SEEDS).contains(&seeds) {
            return Err(TrainError::bad("--seeds", seeds, format!("give 1 to {MOST_SEEDS}")).into());
        }
    }
    let data = file.data.load(data, file.ablation.seed)?;
    Ok((file, text, data))
}
