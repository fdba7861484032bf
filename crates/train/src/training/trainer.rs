//! One network in training: its parameters, and one step after another.

use candle_core::{DType, Device, Tensor};
use convstat_engine::{Backend, Gradients, Inputs, Recorder, Step, Tape};
use convstat_runner::stream;

use super::labels::check_labels;
use super::spec::TrainingSpec;
use crate::layer::State;
use crate::network::Network;
use crate::{Result, TrainError};

/// Everything that changes in training.
#[derive(Debug)]
pub struct Trainer<'a> {
    pub(super) network: &'a Network,
    pub(super) backend: &'a dyn Backend,
    pub(super) spec: &'a TrainingSpec,
    /// By number, as the running statistics. A recorded step writes into these tensors, so that nobody may exchange them.
    pub(super) parameters: Vec<Tensor>,
    pub(super) running: Vec<Tensor>,
    pub(super) moments: Vec<Vec<Tensor>>,
    pub(super) average: Option<Vec<Tensor>>,
    /// Steps done.
    pub steps: u64,
    /// Sum of the losses since [`start_losses`](Self::start_losses).
    losses: Tensor,
    /// What runs a step on these inputs, which a recorded step reads.
    pub(super) recorder: Option<(Inputs, Box<dyn Recorder + 'a>)>,
}

impl<'a> Trainer<'a> {
    /// A network with parameters drawn from `seed`.
    ///
    /// # Errors
    /// The device has no room.
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
    ///
    /// # Errors
    /// The device has no room.
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
    pub(super) fn twin(&self) -> Result<Self> {
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
    ///
    /// # Errors
    /// The device fails.
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
        Ok(result?)
    }

    /// Forward, backward and update.
    fn pass(&mut self, step: &Step, inputs: &Inputs) -> convstat_engine::Result<()> {
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
    pub(super) fn differentiate(&mut self, inputs: &Inputs) -> convstat_engine::Result<(Tensor, Gradients)> {
        let mut tape = Tape::new(self.backend, true);
        let x = tape.constant(inputs.x.clone());
        let mut state = State { parameters: &self.parameters, running: &mut self.running };
        let logits = self.network.forward(&mut tape, &mut state, x)?;
        tape.backward(logits, &inputs.labels, self.spec.label_smoothing)
    }

    /// Begins the sum of losses at `value`.
    ///
    /// # Errors
    /// The device fails.
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
    pub(super) fn release(&mut self) -> Result<()> {
        self.recorder = None;
        Ok(self.backend.release()?)
    }

    /// Logits (`N, classes`) of inputs (`N, spatial…, C`), both in main memory, in evaluation mode.
    ///
    /// # Errors
    /// Inputs of another shape; the device fails.
    pub fn predict(&mut self, x: &Tensor) -> Result<Tensor> {
        self.logits(&self.backend.input(x)?)
    }

    /// Logits in main memory of inputs on the device.
    pub(super) fn logits(&mut self, x: &Tensor) -> Result<Tensor> {
        let (network, backend, running) = (self.network, self.backend, &mut self.running);
        let parameters = self.average.as_deref().unwrap_or(&self.parameters);
        let mut logits = None;
        backend.direct(&mut || {
            logits = Some(backend.output(&network.predict(backend, parameters, running, x.clone())?)?);
            Ok(())
        })?;
        logits.ok_or_else(|| TrainError::shape("prediction", "the device did nothing"))
    }
}

/// Tensors of the same values with memory of their own.
fn copies(all: &[Tensor]) -> Result<Vec<Tensor>> {
    all.iter().map(|t| Ok(t.copy()?)).collect()
}
