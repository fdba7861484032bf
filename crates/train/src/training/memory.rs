//! Which batch fits into a device's memory.

use candle_core::{DType, Device, Tensor};
use convstat_engine::Inputs;

use super::trainer::Trainer;
use crate::{Result, TrainError};

impl Trainer<'_> {
    /// Says which batch would fit, if `error` says that this one does not.
    pub(super) fn explain(&mut self, error: TrainError, shape: &[usize]) -> TrainError {
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
        })?;
        Ok(())
    }
}
