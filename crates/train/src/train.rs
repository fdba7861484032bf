//! Training of one network: steps, epochs, checkpoints, evaluation.

use std::path::Path;
use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use convstat_runner::{Digest, interrupt, stream};
use serde::{Deserialize, Serialize};

use crate::data::{Augment, Dataset, Images, Loader};
use crate::engine::{Backend, Feed, Inputs, Prepared, Recorder, Step, Tape};
use crate::layer::State;
use crate::network::Network;
use crate::optimiser::OptimiserSpec;
use crate::schedule::ScheduleSpec;
use crate::score::{Score, score};
use crate::{Result, TrainError, checkpoint};

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

/// Everything that changes in training.
#[derive(Debug)]
pub struct Trainer<'a> {
    network: &'a Network,
    backend: &'a dyn Backend,
    spec: &'a TrainingSpec,
    /// By number, as the running statistics. A recorded step writes into these tensors, so that nobody may exchange them.
    parameters: Vec<Tensor>,
    running: Vec<Tensor>,
    moments: Vec<Vec<Tensor>>,
    average: Option<Vec<Tensor>>,
    /// Steps done.
    pub steps: u64,
    /// Sum of the losses since [`start_losses`](Self::start_losses).
    losses: Tensor,
    /// What runs a step on these inputs, which a recorded step reads.
    recorder: Option<(Inputs, Box<dyn Recorder + 'a>)>,
}

impl<'a> Trainer<'a> {
    /// A network with parameters drawn from `seed`.
    pub fn new(
        network: &'a Network,
        backend: &'a dyn Backend,
        spec: &'a TrainingSpec,
        seed: u64,
        dtype: DType,
    ) -> Result<Self> {
        let draw = stream(seed, "parameters", "", 0);
        let parameters = network.parameters.draw(draw, dtype, backend.device())?;
        Self::from_parameters(network, backend, spec, parameters)
    }

    /// A network with copies of these parameters, by number.
    pub fn from_parameters(
        network: &'a Network,
        backend: &'a dyn Backend,
        spec: &'a TrainingSpec,
        parameters: Vec<Tensor>,
    ) -> Result<Self> {
        let dtype = parameters.first().map_or(DType::F32, Tensor::dtype);
        let parameters = copies(&parameters)?;
        let running = network.running.draw(stream(0, "running", "", 0), dtype, backend.device())?;
        let zeros =
            |p: &Tensor| (0..spec.optimiser.moments()).map(|_| Ok(p.zeros_like()?)).collect::<Result<_>>();
        let moments = parameters.iter().map(zeros).collect::<Result<_>>()?;
        let average = spec.ema.map(|_| copies(&parameters)).transpose()?;
        let losses = Tensor::zeros(1, DType::F64, backend.device())?;
        Ok(Self {
            network,
            backend,
            spec,
            parameters,
            running,
            moments,
            average,
            steps: 0,
            losses,
            recorder: None,
        })
    }

    /// A copy that shares no tensor with this one.
    fn twin(&self) -> Result<Self> {
        Ok(Self {
            parameters: copies(&self.parameters)?,
            running: copies(&self.running)?,
            moments: self.moments.iter().map(|m| copies(m)).collect::<Result<_>>()?,
            average: self.average.as_deref().map(copies).transpose()?,
            losses: self.losses.copy()?,
            recorder: None,
            ..*self
        })
    }

    /// The parameters, by number.
    pub fn parameters(&self) -> &[Tensor] {
        &self.parameters
    }

    /// The parameters that are evaluated.
    pub fn evaluated(&self) -> &[Tensor] {
        self.average.as_deref().unwrap_or(&self.parameters)
    }

    /// One step on inputs (`N, spatial…, C`) in main memory at a rate of `factor` times the optimiser's; the loss before
    /// it.
    ///
    /// # Errors
    /// A label that is no class; a loss that is infinite or NaN.
    pub fn step(&mut self, x: Tensor, labels: &[u32], factor: f64) -> Result<f64> {
        check_labels(labels.iter().copied(), self.network.classes())?;
        let labels = Tensor::from_slice(labels, labels.len(), self.backend.device())?;
        self.start_losses(0.0)?;
        self.advance(&Inputs { x: self.backend.input(&x)?, labels }, factor)?;
        self.read_losses()
    }

    /// One step on a batch on the device, whose loss [`read_losses`](Self::read_losses) will tell.
    pub fn advance(&mut self, inputs: &Inputs, factor: f64) -> Result<()> {
        self.steps += 1;
        // The average has a short memory at first, so that the start is forgotten.
        let n = self.steps as f64;
        let step = Step {
            spec: &self.spec.optimiser,
            rate: factor * self.spec.optimiser.rate(),
            number: self.steps,
            average: self.spec.ema.map_or(0.0, |decay| decay.min((1.0 + n) / (10.0 + n))),
        };
        let backend = self.backend;
        backend.begin(&step)?;
        let mut recorder = match self.recorder.take() {
            Some((old, recorder)) if old.same(inputs) => recorder,
            _ => backend.recorder(),
        };
        let result = recorder.run(&mut || self.pass(&step, inputs));
        self.recorder = Some((inputs.clone(), recorder));
        result
    }

    /// Forward, backward and update.
    fn pass(&mut self, step: &Step, inputs: &Inputs) -> Result<()> {
        let (loss, gradients) = self.differentiate(inputs)?;
        self.losses = self.backend.accumulate(&self.losses, &loss)?;
        let network = self.network;
        let decays = |number| network.decays(number);
        self.backend.update(step, &mut self.parameters, &gradients, &mut self.moments, &decays)?;
        if let Some(average) = &mut self.average {
            for (mean, value) in average.iter_mut().zip(&self.parameters) {
                *mean = self.backend.average(step, mean, value)?;
            }
        }
        Ok(())
    }

    /// The loss and its derivatives by the parameters.
    fn differentiate(&mut self, inputs: &Inputs) -> Result<(Tensor, crate::engine::Gradients)> {
        let mut tape = Tape::new(self.backend, true);
        let x = tape.constant(inputs.x.clone());
        let mut state = State { parameters: &self.parameters, running: &mut self.running };
        let logits = self.network.forward(&mut tape, &mut state, x)?;
        tape.backward(logits, &inputs.labels, self.spec.label_smoothing)
    }

    /// Begins the sum of losses at `value`.
    pub fn start_losses(&mut self, value: f64) -> Result<()> {
        self.losses = self.backend.cleared(&self.losses)?;
        if value != 0.0 {
            let value = Tensor::from_slice(&[value], 1, self.backend.device())?;
            self.losses = self.backend.accumulate(&self.losses, &value)?;
        }
        Ok(())
    }

    /// The sum of losses. Waits for the steps.
    ///
    /// # Errors
    /// A loss that is infinite or NaN.
    pub fn read_losses(&mut self) -> Result<f64> {
        let loss = self.losses.to_device(&Device::Cpu)?.to_vec1::<f64>()?[0];
        if !loss.is_finite() {
            return Err(TrainError::Diverged { loss, step: self.steps });
        }
        Ok(loss)
    }

    /// Gives back what recorded steps hold beside the tensors.
    fn release(&mut self) -> Result<()> {
        self.recorder = None;
        self.backend.release()
    }

    /// Says which batch would fit, if `error` says that this one does not.
    fn explain(&mut self, error: TrainError, shape: &[usize]) -> TrainError {
        if !self.backend.is_out_of_memory(&error) {
            return error;
        }
        let mut fits = self.spec.batch;
        let mend = loop {
            if fits < 2 {
                break "no batch does: use a smaller network or smaller inputs".to_owned();
            }
            match self.release().and_then(|()| self.rehearse(fits, shape)) {
                Ok(()) if fits == self.spec.batch => {
                    break "alone it does: train fewer networks side by side (--threads)".to_owned();
                }
                Ok(()) => break format!("{fits} does, or more with fewer networks side by side (--threads)"),
                Err(e) if self.backend.is_out_of_memory(&e) => fits /= 2,
                // The device no longer answers: what was first is what matters.
                Err(_) => return error,
            }
        };
        let gib = self.backend.memory().unwrap_or(0) >> 30;
        TrainError::OutOfMemory { batch: self.spec.batch, gib, mend }
    }

    /// Forward and backward on zeros.
    fn rehearse(&mut self, batch: usize, shape: &[usize]) -> Result<()> {
        let shape = [&[batch], shape].concat();
        let x = self.backend.input(&Tensor::zeros(shape, DType::F32, &Device::Cpu)?)?;
        let labels = Tensor::zeros(batch, DType::U32, self.backend.device())?;
        let (inputs, backend) = (Inputs { x, labels }, self.backend);
        backend.direct(&mut || {
            let (loss, _) = self.differentiate(&inputs)?;
            loss.to_device(&Device::Cpu)?;
            Ok(())
        })
    }

    /// Logits (`N, classes`) of inputs (`N, spatial…, C`), both in main memory, in evaluation mode.
    pub fn predict(&mut self, x: &Tensor) -> Result<Tensor> {
        self.logits(&self.backend.input(x)?)
    }

    /// Logits in main memory of inputs on the device.
    fn logits(&mut self, x: &Tensor) -> Result<Tensor> {
        let (network, backend, running) = (self.network, self.backend, &mut self.running);
        let parameters = self.average.as_deref().unwrap_or(&self.parameters);
        let mut logits = None;
        backend.direct(&mut || {
            logits = Some(backend.output(&network.predict(backend, parameters, running, x.clone())?)?);
            Ok(())
        })?;
        logits.ok_or_else(|| TrainError::shape("prediction", "the device did nothing"))
    }

    /// What the network makes of samples in order, `clips` of each video one after another, without label smoothing.
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

    fn named(&self) -> Vec<(String, Tensor)> {
        let mut all = Vec::new();
        for i in 0..self.network.parameters.len() {
            let name = self.network.parameters.name(i);
            all.push((format!("parameter:{name}"), self.parameters[i].clone()));
            if let Some(average) = &self.average {
                all.push((format!("average:{name}"), average[i].clone()));
            }
            for (k, m) in self.moments[i].iter().enumerate() {
                all.push((format!("moment{k}:{name}"), m.clone()));
            }
        }
        for i in 0..self.network.running.len() {
            all.push((format!("running:{}", self.network.running.name(i)), self.running[i].clone()));
        }
        all
    }

    /// Writes a checkpoint with what a caller needs besides.
    pub fn save(&self, path: &Path, progress: &Progress) -> Result<()> {
        let state = serde_json::to_string(progress).map_err(|e| TrainError::data(path, e.to_string()))?;
        checkpoint::write(path, &self.named(), &state)
    }

    /// Writes the parameters that are evaluated, and the running statistics, for other programs: names of
    /// [`Network::torch_name`], convolutions as PyTorch has them (`O, C / groups, taps…`).
    pub fn save_weights(&self, path: &Path) -> Result<()> {
        let (parameters, running) = (&self.network.parameters, &self.network.running);
        let mut all = Vec::new();
        for (i, tensor) in self.evaluated().iter().enumerate() {
            let name = parameters.name(i);
            let axes = tensor.dims().len();
            let is_kernel = name.ends_with(".conv.weight") && axes > 2;
            // The channels behind the first mode.
            let order: Vec<usize> = [0, axes - 1].into_iter().chain(1..axes - 1).collect();
            let tensor = if is_kernel { tensor.permute(order)?.contiguous()? } else { tensor.clone() };
            all.push((Network::torch_name(name), tensor));
        }
        for (i, tensor) in self.running.iter().enumerate() {
            all.push((Network::torch_name(running.name(i)), tensor.clone()));
        }
        checkpoint::write_weights(path, &all)
    }

    /// Goes on from a checkpoint of the same network and optimiser.
    ///
    /// # Errors
    /// A file that is none, or of another network.
    pub fn restore(&mut self, path: &Path) -> Result<Progress> {
        let (tensors, state) = checkpoint::read(path, self.backend.device())?;
        let progress: Progress =
            serde_json::from_str(&state).map_err(|e| TrainError::data(path, format!("its state: {e}")))?;
        let find = |name: String, like: &Tensor| match tensors.get(&name) {
            Some(t) if t.dims() == like.dims() && t.dtype() == like.dtype() => Ok(t.clone()),
            Some(t) => {
                let about = |t: &Tensor| format!("{:?} of {:?}", t.dims(), t.dtype());
                let reason = format!(
                    "{name} is {}; the network has {}: it is of another --kr or file, give another --out",
                    about(t),
                    about(like)
                );
                Err(TrainError::data(path, reason))
            }
            None => {
                Err(TrainError::data(path, format!("has no {name}: it is of another network or optimiser")))
            }
        };
        // What is there and not asked for would be lost without a word.
        let wanted = self.named().len();
        if tensors.len() > wanted {
            let reason =
                format!("has {} tensors, not {wanted}: it is of another network or optimiser", tensors.len());
            return Err(TrainError::data(path, reason));
        }
        for i in 0..self.network.parameters.len() {
            let name = self.network.parameters.name(i);
            let p = find(format!("parameter:{name}"), &self.parameters[i])?;
            if let Some(average) = &mut self.average {
                average[i] = find(format!("average:{name}"), &p)?;
            }
            for (k, m) in self.moments[i].iter_mut().enumerate() {
                *m = find(format!("moment{k}:{name}"), &p)?;
            }
            self.parameters[i] = p;
        }
        for i in 0..self.network.running.len() {
            self.running[i] = find(format!("running:{}", self.network.running.name(i)), &self.running[i])?;
        }
        self.steps = progress.steps;
        self.recorder = None;
        Ok(progress)
    }
}

/// Whether all labels are classes.
fn check_labels(mut labels: impl Iterator<Item = u32>, classes: usize) -> Result<()> {
    match labels.find(|l| *l as usize >= classes) {
        Some(label) => {
            Err(TrainError::shape("labels", format!("{label} is none of {classes} classes, from 0")))
        }
        None => Ok(()),
    }
}

/// Tensors of the same values with memory of their own.
fn copies(all: &[Tensor]) -> Result<Vec<Tensor>> {
    all.iter().map(|t| Ok(t.copy()?)).collect()
}

/// Where a run stands; with the tensors of a checkpoint all that it needs to go on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Digest of seed, data and settings: a run goes on only as what it began.
    #[serde(default)]
    pub key: String,
    /// Digest of the data, see [`Dataset::digest`].
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

/// Seconds between checkpoints.
const CHECKPOINT_SECONDS: f64 = 60.0;
/// Most samples that are evaluated together.
const EVALUATION_BATCH: usize = 256;

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
    let spec = trainer.spec;
    spec.check()?;
    let normalisation = data.normalisation();
    let loader = |images: Images, batch: usize, augment: &Augment| {
        let threads = threads(&images);
        Ok::<_, TrainError>(
            Loader::new(images, normalisation.clone(), batch, augment.clone(), seed)?.with_threads(threads),
        )
    };
    let n = data.train.len();
    let held = spec.early_stop.map_or(0, |s| (s.validation * n as f64).round() as usize);
    let kept = n - held;
    if let Some(stop) = spec.early_stop.filter(|_| held == 0 || kept == 0) {
        let mend =
            format!("holds out {held} of {n} training images; give a share that leaves some on both sides");
        return Err(TrainError::bad("training.early_stop.validation", stop.validation, mend));
    }
    let validation: Vec<usize> = (kept..data.train.len()).collect();
    let classes = trainer.network.classes();
    check_labels(data.train.labels().chain(data.test.labels()), classes)?;
    let feed = trainer.backend.feed(&data.train, &normalisation)?;
    let train = loader(data.train.take(kept)?, spec.batch, augment)?;
    let plain = Augment::default();
    let digest = data.digest();
    let key = key(trainer, &digest, augment, seed)?;
    let mut progress = match watch.checkpoint.filter(|p| p.exists()) {
        Some(path) => trainer.restore(path)?,
        None => Progress { key: key.clone(), data: digest, seed: Some(seed), ..Progress::default() },
    };
    if let Some(path) = watch.checkpoint.filter(|_| progress.key != key) {
        let reason = "is of a run with another seed, other data or settings; remove it to start afresh, or write elsewhere";
        return Err(TrainError::data(path, reason));
    }
    let (each, steps) = (train.batches() as u64, train.batches() as u64 * spec.epochs);
    let (mut started, mut since) = (Instant::now(), Instant::now());
    let before = progress.seconds;
    let (first_step, mut last_read, mut interrupted) = (progress.steps, progress.steps, false);
    let mut best = spec.early_stop.map(|_| trainer.twin()).transpose()?;
    let best_path = watch.checkpoint.map(|p| p.with_extension("best"));
    if let (Some(best), Some(path)) = (&mut best, best_path.as_deref())
        && progress.best.is_some()
        && path.exists()
    {
        best.restore(path)?;
    }
    let stopped = |p: &Progress| {
        let done = p.steps / each;
        spec.early_stop.is_some_and(|s| p.best.is_some_and(|(_, at)| done >= at.saturating_add(s.patience)))
    };
    let save = |trainer: &Trainer, progress: &Progress| -> Result<()> {
        watch.checkpoint.map_or(Ok(()), |path| trainer.save(path, progress))
    };
    let reads = trainer.backend.reads_every();
    let mut inputs: Option<Inputs> = None;
    trainer.start_losses(progress.loss)?;
    'run: while progress.steps < steps && !stopped(&progress) {
        let epoch = progress.steps / each;
        let mut rate = 0.0;
        for batch in train.epoch(epoch, (progress.steps % each) as usize, feed.maker()) {
            let shape = &data.train.shape;
            let loaded = feed.load(batch, inputs.take()).map_err(|e| trainer.explain(e, shape))?;
            let factor = spec.schedule.factor_at(progress.steps, steps);
            rate = factor * spec.optimiser.rate();
            trainer.advance(&loaded, factor).map_err(|e| trainer.explain(e, shape))?;
            inputs = Some(loaded);
            progress.steps += 1;
            let ends = progress.steps.is_multiple_of(each);
            let due = since.elapsed().as_secs_f64() > CHECKPOINT_SECONDS;
            if !(ends || due || interrupt::requested() || progress.steps.is_multiple_of(reads)) {
                continue;
            }
            let loss = trainer.read_losses()?;
            let mean = (loss - progress.loss) / (progress.steps - last_read) as f64;
            progress.loss = loss;
            progress.seconds = before + started.elapsed().as_secs_f64();
            let images = (progress.steps - first_step) as f64 * spec.batch as f64;
            last_read = progress.steps;
            (watch.on_step)(progress.steps, steps, mean, images / started.elapsed().as_secs_f64());
            interrupted = interrupt::requested();
            // The end of an epoch is saved with its figures.
            if (due || interrupted) && !ends {
                since = Instant::now();
                save(trainer, &progress)?;
                if interrupted {
                    break 'run;
                }
            }
        }
        let mut metrics = EpochMetrics {
            epoch: epoch + 1,
            steps: progress.steps,
            rate,
            train_loss: progress.loss / each as f64,
            validation: None,
            images_per_second: (progress.steps - first_step) as f64 * spec.batch as f64
                / started.elapsed().as_secs_f64(),
        };
        progress.loss = 0.0;
        trainer.start_losses(0.0)?;
        if let Some(best) = &mut best {
            let images = data.train.subset(&validation);
            let batch = evaluation_batch(&images, spec);
            let loader = loader(images, batch, &plain)?;
            let batches = loader.in_order(feed.maker());
            let score = trainer.evaluate(&*feed, batches, loader.clips_per_sample());
            let accuracy = score.map_err(|e| trainer.explain(e, &data.train.shape))?.accuracy;
            metrics.validation = Some(accuracy);
            if progress.best.is_none_or(|(b, _)| accuracy > b) {
                progress.best = Some((accuracy, epoch + 1));
                *best = trainer.twin()?;
                if let Some(path) = &best_path {
                    best.save(path, &progress)?;
                }
            }
        }
        progress.epochs.push(metrics);
        (watch.on_epoch)(&metrics)?;
        if interrupted || since.elapsed().as_secs_f64() > CHECKPOINT_SECONDS {
            since = Instant::now();
            save(trainer, &progress)?;
        }
        if interrupted {
            break;
        }
    }
    if let Some(mut best) = best.filter(|_| progress.best.is_some() && !interrupted) {
        best.steps = trainer.steps;
        *trainer = best;
    }
    started = Instant::now();
    let nothing = Score { clip_accuracy: f64::NAN, accuracy: f64::NAN, loss: f64::NAN };
    let Score { clip_accuracy, accuracy, loss } =
        if interrupted { nothing } else { test(trainer, data, seed)? };
    progress.seconds += started.elapsed().as_secs_f64();
    if !(loss.is_finite() || interrupted) {
        // The last step broke what the loss before it could not show.
        return Err(TrainError::Diverged { loss, step: progress.steps });
    }
    Ok(Trained { accuracy, clip_accuracy, loss, progress, interrupted })
}

/// Digest of what the numbers of a run depend on besides its network's tensors.
fn key(trainer: &Trainer, data: &str, augment: &Augment, seed: u64) -> Result<String> {
    let macs = trainer.network.counts().macs;
    let precision = trainer.backend.precision().name();
    let all = (trainer.spec, augment, seed, macs, data, precision);
    let text = serde_json::to_string(&all).map_err(|e| TrainError::bad("training", "", e.to_string()))?;
    Ok(Digest::of(&text).short())
}

/// Threads that make batches ahead: clips are read from a file.
fn threads(images: &Images) -> usize {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    if images.clip.is_some() { all.min(4) } else { 1 }
}

/// Samples that are evaluated together: no more than are trained on, which are known to fit.
fn evaluation_batch(images: &Images, spec: &TrainingSpec) -> usize {
    EVALUATION_BATCH.min(spec.batch).min(images.len())
}

/// What a network makes of the test images or videos.
pub fn test(trainer: &mut Trainer, data: &Dataset, seed: u64) -> Result<Score> {
    let normalisation = data.normalisation();
    trainer.release()?;
    let feed = trainer.backend.feed(&data.test, &normalisation)?;
    let batch = evaluation_batch(&data.test, trainer.spec);
    let loader = Loader::new(data.test.clone(), normalisation, batch, Augment::default(), seed)?;
    let loader = loader.with_threads(threads(&data.test));
    let score = trainer.evaluate(&*feed, loader.in_order(feed.maker()), loader.clips_per_sample());
    score.map_err(|e| trainer.explain(e, &data.test.shape))
}
