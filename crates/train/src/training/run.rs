//! A run: one network trained on one data set, epoch after epoch, from its checkpoint if there is one.

use std::path::PathBuf;
use std::time::Instant;

use convstat_data::{Augment, Dataset, Loader, Normalisation};
use convstat_engine::{Feed, Inputs};
use convstat_runner::{Digest, interrupt};

use super::evaluation::{evaluation_batch, test, threads};
use super::labels::check_labels;
use super::progress::{EpochMetrics, Progress, Trained, Watch};
use super::spec::EarlyStop;
use super::trainer::Trainer;
use crate::feed::{maker, samples};
use crate::score::Score;
use crate::{Result, TrainError};

/// Seconds between checkpoints.
const CHECKPOINT_SECONDS: f64 = 60.0;

/// Trains on `data` and evaluates on its test images. With a checkpoint a run that was cut off goes on from there, to the
/// same numbers.
///
/// # Errors
/// Values that do not fit; a loss that is no longer finite; files that cannot be written.
pub fn train(
    trainer: &mut Trainer,
    data: &Dataset,
    augment: &Augment,
    seed: u64,
    watch: Watch,
) -> Result<Trained> {
    Training::new(trainer, data, augment, seed, watch)?.run()
}

/// A run under way.
struct Training<'t, 'n, 'w> {
    trainer: &'t mut Trainer<'n>,
    data: &'t Dataset,
    seed: u64,
    watch: Watch<'w>,
    loader: Loader,
    feed: Box<dyn Feed + 'n>,
    validation: Option<Validation<'n>>,
    progress: Progress,
    clock: Clock,
    /// Steps of one epoch, and of the whole run.
    epoch_steps: u64,
    all_steps: u64,
    /// Steps done when the losses were last read.
    read_at: u64,
    interrupted: bool,
}

/// What early stopping needs.
struct Validation<'n> {
    stop: EarlyStop,
    /// The training samples that are held out.
    loader: Loader,
    /// The trainer as it was after its best epoch, and where it is kept.
    best: Trainer<'n>,
    path: Option<PathBuf>,
}

/// The time of a run.
struct Clock {
    started: Instant,
    saved: Instant,
    /// Seconds and steps before this process began.
    seconds_before: f64,
    steps_before: u64,
}

impl Clock {
    fn new(progress: &Progress) -> Self {
        let (seconds_before, steps_before) = (progress.seconds, progress.steps);
        Self { started: Instant::now(), saved: Instant::now(), seconds_before, steps_before }
    }

    fn seconds(&self) -> f64 {
        self.seconds_before + self.started.elapsed().as_secs_f64()
    }

    /// Samples a second of this process.
    fn rate(&self, steps: u64, batch: usize) -> f64 {
        (steps - self.steps_before) as f64 * batch as f64 / self.started.elapsed().as_secs_f64()
    }

    /// Whether a checkpoint is due.
    fn is_due(&self) -> bool {
        self.saved.elapsed().as_secs_f64() > CHECKPOINT_SECONDS
    }
}

/// Training samples that are held out for early stopping, and those that are left.
fn split(stop: Option<EarlyStop>, n: usize) -> Result<(usize, usize)> {
    let validation = stop.map_or(0, |s| (s.validation * n as f64).round() as usize);
    let training = n - validation;
    if let Some(stop) = stop.filter(|_| validation == 0 || training == 0) {
        let mend = format!(
            "holds out {validation} of {n} training images; give a share that leaves some on both sides"
        );
        return Err(TrainError::bad("training.early_stop.validation", stop.validation, mend));
    }
    Ok((validation, training))
}

impl<'t, 'n, 'w> Training<'t, 'n, 'w> {
    fn new(
        trainer: &'t mut Trainer<'n>,
        data: &'t Dataset,
        augment: &Augment,
        seed: u64,
        watch: Watch<'w>,
    ) -> Result<Self> {
        let spec = trainer.spec;
        spec.check()?;
        let normalisation = data.normalisation();
        let (_, kept) = split(spec.early_stop, data.train.len())?;
        check_labels(data.train.labels().chain(data.test.labels()), trainer.network.classes())?;
        let feed = trainer.backend.feed(&samples(&data.train, &normalisation))?;
        let images = data.train.take(kept)?;
        let threads = threads(&images);
        let loader = Loader::new(images, normalisation.clone(), spec.batch, augment.clone(), seed)?;
        let loader = loader.with_threads(threads);
        let progress = begin(trainer, data, augment, seed, &watch)?;
        let validation = match spec.early_stop {
            Some(stop) => Some(Validation::new(stop, trainer, data, normalisation, seed, &watch, &progress)?),
            None => None,
        };
        let epoch_steps = loader.batches() as u64;
        Ok(Self {
            data,
            seed,
            watch,
            feed,
            validation,
            clock: Clock::new(&progress),
            epoch_steps,
            all_steps: epoch_steps * spec.epochs,
            read_at: progress.steps,
            interrupted: false,
            trainer,
            loader,
            progress,
        })
    }

    fn run(mut self) -> Result<Trained> {
        self.trainer.start_losses(self.progress.loss)?;
        while !(self.interrupted || self.is_done()) {
            let Some(mut metrics) = self.epoch()? else { break };
            metrics.validation = self.validate(metrics.epoch)?;
            self.progress.epochs.push(metrics);
            (self.watch.on_epoch)(&metrics)?;
            if self.interrupted || self.clock.is_due() {
                self.checkpoint()?;
            }
        }
        self.finish()
    }

    /// Whether all steps are done, or validation has not improved for long enough.
    fn is_done(&self) -> bool {
        let done = self.progress.steps / self.epoch_steps;
        let is_patient = |v: &Validation| {
            self.progress.best.is_none_or(|(_, at)| done < at.saturating_add(v.stop.patience))
        };
        self.progress.steps >= self.all_steps || !self.validation.as_ref().is_none_or(is_patient)
    }

    /// Trains to the end of the epoch; none if a signal came before it.
    fn epoch(&mut self) -> Result<Option<EpochMetrics>> {
        let spec = self.trainer.spec;
        let (epoch, first) = (self.progress.steps / self.epoch_steps, self.progress.steps % self.epoch_steps);
        let reads_every = self.trainer.backend.reads_every();
        let mut inputs: Option<Inputs> = None;
        let mut rate = 0.0;
        for batch in self.loader.epoch(epoch, first as usize, maker(self.feed.form())) {
            let shape = &self.data.train.shape;
            let loaded = self.feed.load(batch, inputs.take()).map_err(TrainError::from);
            let loaded = loaded.map_err(|e| self.trainer.explain(e, shape))?;
            let factor = spec.schedule.factor_at(self.progress.steps, self.all_steps);
            rate = factor * spec.optimiser.rate();
            self.trainer.advance(&loaded, factor).map_err(|e| self.trainer.explain(e, shape))?;
            inputs = Some(loaded);
            self.progress.steps += 1;
            let steps = self.progress.steps;
            let (is_last, is_due) = (steps.is_multiple_of(self.epoch_steps), self.clock.is_due());
            if is_last || is_due || interrupt::requested() || steps.is_multiple_of(reads_every) {
                self.read_losses()?;
                // The end of an epoch is saved with its figures.
                if (is_due || self.interrupted) && !is_last {
                    self.checkpoint()?;
                    if self.interrupted {
                        return Ok(None);
                    }
                }
            }
        }
        let metrics = EpochMetrics {
            epoch: epoch + 1,
            steps: self.progress.steps,
            rate,
            train_loss: self.progress.loss / self.epoch_steps as f64,
            validation: None,
            images_per_second: self.clock.rate(self.progress.steps, spec.batch),
        };
        self.progress.loss = 0.0;
        self.trainer.start_losses(0.0)?;
        Ok(Some(metrics))
    }

    /// Waits for the steps and tells their mean loss.
    fn read_losses(&mut self) -> Result<()> {
        let loss = self.trainer.read_losses()?;
        let steps = self.progress.steps;
        let mean = (loss - self.progress.loss) / (steps - self.read_at) as f64;
        self.progress.loss = loss;
        self.progress.seconds = self.clock.seconds();
        self.read_at = steps;
        let rate = self.clock.rate(steps, self.trainer.spec.batch);
        (self.watch.on_step)(steps, self.all_steps, mean, rate);
        self.interrupted = interrupt::requested();
        Ok(())
    }

    /// The share of held-out samples that is classified right, with early stopping; the best trainer is kept.
    fn validate(&mut self, epoch: u64) -> Result<Option<f64>> {
        let Some(validation) = &mut self.validation else { return Ok(None) };
        let batches = validation.loader.in_order(maker(self.feed.form()));
        let score = self.trainer.evaluate(&*self.feed, batches, validation.loader.clips_per_sample());
        let accuracy = score.map_err(|e| self.trainer.explain(e, &self.data.train.shape))?.accuracy;
        if self.progress.best.is_none_or(|(best, _)| accuracy > best) {
            self.progress.best = Some((accuracy, epoch));
            validation.best = self.trainer.twin()?;
            if let Some(path) = &validation.path {
                validation.best.save(path, &self.progress)?;
            }
        }
        Ok(Some(accuracy))
    }

    /// Writes the checkpoint, if there is to be one.
    fn checkpoint(&mut self) -> Result<()> {
        self.clock.saved = Instant::now();
        self.watch.checkpoint.map_or(Ok(()), |path| self.trainer.save(path, &self.progress))
    }

    /// Evaluates what came out, the best of validation if there is one.
    fn finish(mut self) -> Result<Trained> {
        if self.interrupted {
            let nothing = f64::NAN;
            return Ok(Trained {
                accuracy: nothing,
                clip_accuracy: nothing,
                loss: nothing,
                progress: self.progress,
                interrupted: true,
            });
        }
        if let Some(validation) = self.validation.filter(|_| self.progress.best.is_some()) {
            let steps = self.trainer.steps;
            *self.trainer = validation.best;
            self.trainer.steps = steps;
        }
        let started = Instant::now();
        let Score { clip_accuracy, accuracy, loss } = test(self.trainer, self.data, self.seed)?;
        self.progress.seconds += started.elapsed().as_secs_f64();
        if !loss.is_finite() {
            // The last step broke what the loss before it could not show.
            return Err(TrainError::Diverged { loss, step: self.progress.steps });
        }
        Ok(Trained { accuracy, clip_accuracy, loss, progress: self.progress, interrupted: false })
    }
}

impl<'n> Validation<'n> {
    fn new(
        stop: EarlyStop,
        trainer: &Trainer<'n>,
        data: &Dataset,
        normalisation: Normalisation,
        seed: u64,
        watch: &Watch,
        progress: &Progress,
    ) -> Result<Self> {
        let n = data.train.len();
        let (_, kept) = split(Some(stop), n)?;
        let images = data.train.subset(&(kept..n).collect::<Vec<_>>());
        let (batch, threads) = (evaluation_batch(&images, trainer.spec), threads(&images));
        let loader =
            Loader::new(images, normalisation, batch, Augment::default(), seed)?.with_threads(threads);
        let mut best = trainer.twin()?;
        let path = watch.checkpoint.map(|p| p.with_extension("best"));
        if let Some(path) = path.as_deref().filter(|p| progress.best.is_some() && p.exists()) {
            best.restore(path)?;
        }
        Ok(Self { stop, loader, best, path })
    }
}

/// Where the run stands: at its checkpoint, or at the start.
fn begin(
    trainer: &mut Trainer,
    data: &Dataset,
    augment: &Augment,
    seed: u64,
    watch: &Watch,
) -> Result<Progress> {
    let digest = data.digest();
    let key = key(trainer, &digest, augment, seed)?;
    let Some(path) = watch.checkpoint.filter(|p| p.exists()) else {
        return Ok(Progress { key, data: digest, seed: Some(seed), ..Progress::default() });
    };
    let progress = trainer.restore(path)?;
    if progress.key != key {
        let reason = "is of a run with another seed, other data or settings; remove it to start afresh, or write elsewhere";
        return Err(TrainError::data(path, reason));
    }
    Ok(progress)
}

/// Digest of what the numbers of a run depend on besides its network's tensors.
fn key(trainer: &Trainer, data: &str, augment: &Augment, seed: u64) -> Result<String> {
    let macs = trainer.network.counts().macs;
    let precision = trainer.backend.precision().name();
    let all = (trainer.spec, augment, seed, macs, data, precision);
    let text = serde_json::to_string(&all).map_err(|e| TrainError::bad("training", "", e.to_string()))?;
    Ok(Digest::of(&text).short())
}
