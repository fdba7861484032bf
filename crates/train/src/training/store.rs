//! A trainer in a checkpoint, and its weights for other programs.

use std::path::Path;

use candle_core::Tensor;

use super::progress::Progress;
use super::trainer::Trainer;
use crate::network::Network;
use crate::{Result, TrainError, checkpoint};

impl Trainer<'_> {
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
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn save(&self, path: &Path, progress: &Progress) -> Result<()> {
        let state = serde_json::to_string(progress).map_err(|e| TrainError::data(path, e.to_string()))?;
        checkpoint::write(path, &self.named(), &state)
    }

    /// Writes the parameters that are evaluated, and the running statistics, for other programs: names of
    /// [`Network::torch_name`], convolutions as PyTorch has them (`O, C / groups, taps…`).
    ///
    /// # Errors
    /// A file that cannot be written.
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
