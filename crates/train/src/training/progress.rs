//! Where a run stands, and whom it tells.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Result;

/// Where a run stands; with the tensors of a checkpoint all that it needs to go on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Digest of seed, data and settings: a run goes on only as what it began.
    #[serde(default)]
    pub key: String,
    /// Digest of the data, see [`Dataset::digest`](convstat_data::Dataset::digest).
    #[serde(default)]
    pub data: String,
    /// Seed of its random numbers.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Steps done.
    pub steps: u64,
    /// Sum of losses of the epoch under way.
    pub loss: f64,
    /// Best validation accuracy and the epoch it was reached in.
    pub best: Option<(f64, u64)>,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Epochs done.
    pub epochs: Vec<EpochMetrics>,
}

/// What an epoch brought.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpochMetrics {
    /// Epoch, from 1.
    pub epoch: u64,
    /// Steps done at its end.
    pub steps: u64,
    /// Learning rate of its last step.
    pub rate: f64,
    /// Mean training loss.
    pub train_loss: f64,
    /// Validation accuracy, with early stopping.
    pub validation: Option<f64>,
    /// Images a second.
    pub images_per_second: f64,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// Share of test images, or of videos by the mean over their clips, classified right.
    pub accuracy: f64,
    /// Share of test clips classified right; of images the same.
    pub clip_accuracy: f64,
    /// Mean cross-entropy of the test images.
    pub loss: f64,
    /// Epochs and all else.
    pub progress: Progress,
    /// Whether a signal ended it before its end; its checkpoint is written.
    pub interrupted: bool,
}

/// Where a run writes and whom it tells.
pub struct Watch<'a> {
    /// Checkpoint, read at the start if it is there; none to keep nothing.
    pub checkpoint: Option<&'a Path>,
    /// Told when losses are read, on a processor after every step: steps done, steps in all, mean loss since, images a second.
    pub on_step: &'a mut dyn FnMut(u64, u64, f64, f64),
    /// Told after every epoch.
    pub on_epoch: &'a mut dyn FnMut(&EpochMetrics) -> Result<()>,
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Watch({:?})", self.checkpoint)
    }
}
