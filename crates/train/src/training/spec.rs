//! How to train, as an ablation file says it.

use convstat_engine::OptimiserSpec;
use serde::{Deserialize, Serialize};

use crate::schedule::ScheduleSpec;
use crate::{Result, TrainError};

/// How to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainingSpec {
    /// Passes over the training images.
    pub epochs: u64,
    /// Images a step.
    pub batch: usize,
    /// Share of the label that is spread over all classes.
    #[serde(default)]
    pub label_smoothing: f64,
    /// Decay of an exponential moving average of the parameters, which is then what is evaluated; none without.
    pub ema: Option<f64>,
    /// When to stop before the last epoch.
    pub early_stop: Option<EarlyStop>,
    /// The optimiser.
    pub optimiser: OptimiserSpec,
    /// The schedule of its rate.
    #[serde(default)]
    pub schedule: ScheduleSpec,
}

/// Epochs beyond which a number is a mistake.
const MOST_EPOCHS: u64 = 1_000_000;

/// Ends training when held-out training images are classified no better for some epochs; the best parameters count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EarlyStop {
    /// Epochs without improvement.
    pub patience: u64,
    /// Share of the training images that is held out.
    pub validation: f64,
}

impl TrainingSpec {
    /// Whether the values make sense.
    ///
    /// # Errors
    /// The first that does not, with the key.
    pub fn check(&self) -> Result<()> {
        let bad = |key: &str, value: String, mend: &str| {
            Err(TrainError::bad(format!("training.{key}"), value, mend))
        };
        if !(1..=MOST_EPOCHS).contains(&self.epochs) {
            return bad("epochs", self.epochs.to_string(), &format!("give 1 to {MOST_EPOCHS}"));
        }
        if self.batch < 2 {
            return bad("batch", self.batch.to_string(), "batch normalisation needs at least 2 images");
        }
        if !(0.0..1.0).contains(&self.label_smoothing) {
            return bad(
                "label_smoothing",
                self.label_smoothing.to_string(),
                "give a share from 0 to below 1",
            );
        }
        if let Some(ema) = self.ema.filter(|e| !(0.0..1.0).contains(e)) {
            return bad("ema", ema.to_string(), "give a decay from 0 to below 1");
        }
        if let Some(stop) = self.early_stop.filter(|s| !(s.validation > 0.0 && s.validation < 1.0)) {
            return bad("early_stop.validation", stop.validation.to_string(), "give a share between 0 and 1");
        }
        if self.early_stop.is_some_and(|s| s.patience == 0) {
            return bad("early_stop.patience", "0".to_owned(), "give at least 1");
        }
        self.optimiser.check()?;
        self.schedule.check()
    }
}
