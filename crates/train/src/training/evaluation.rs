//! What a network makes of test samples.

use candle_core::DType;
use convstat_data::{Augment, Dataset, Images, Loader};
use convstat_engine::{Feed, Prepared};

use super::spec::TrainingSpec;
use super::trainer::Trainer;
use crate::Result;
use crate::feed::{maker, samples};
use crate::score::{Score, score};

/// Most samples that are evaluated together.
const EVALUATION_BATCH: usize = 256;

impl Trainer<'_> {
    /// What the network makes of samples in order, `clips` of each video one after another, without label smoothing.
    ///
    /// # Errors
    /// Inputs of another shape; the device fails.
    pub fn evaluate(
        &mut self,
        feed: &dyn Feed,
        batches: impl Iterator<Item = Prepared>,
        clips: usize,
    ) -> Result<Score> {
        let (mut logits, mut labels) = (Vec::new(), Vec::new());
        let mut inputs = None;
        for batch in batches {
            labels.extend_from_slice(batch.labels());
            let loaded = feed.load(batch, inputs.take())?;
            let y = self.logits(&loaded.x)?.to_dtype(DType::F64)?;
            logits.extend(y.flatten_all()?.to_vec1::<f64>()?);
            inputs = Some(loaded);
        }
        let classes = logits.len() / labels.len().max(1);
        score(&logits, &labels, classes, clips)
    }
}

/// Threads that make batches ahead: clips are read from a file.
pub(super) fn threads(images: &Images) -> usize {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    if images.clip.is_some() { all.min(4) } else { 1 }
}

/// Samples that are evaluated together: no more than are trained on, which are known to fit.
pub(super) fn evaluation_batch(images: &Images, spec: &TrainingSpec) -> usize {
    EVALUATION_BATCH.min(spec.batch).min(images.len())
}

/// What a network makes of the test images or videos.
///
/// # Errors
/// Samples that do not fit the network or the device.
pub fn test(trainer: &mut Trainer, data: &Dataset, seed: u64) -> Result<Score> {
    let normalisation = data.normalisation();
    trainer.release()?;
    let feed = trainer.backend.feed(&samples(&data.test, &normalisation))?;
    let batch = evaluation_batch(&data.test, trainer.spec);
    let loader = Loader::new(data.test.clone(), normalisation, batch, Augment::default(), seed)?;
    let loader = loader.with_threads(threads(&data.test));
    let score = trainer.evaluate(&*feed, loader.in_order(maker(feed.form())), loader.clips_per_sample());
    score.map_err(|e| trainer.explain(e, &data.test.shape))
}
