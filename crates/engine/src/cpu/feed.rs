//! Batches of values, as a loader makes them.

use candle_core::{Device, Tensor};

use crate::{EngineError, Feed, Form, Inputs, Prepared, Result};

/// Takes values.
#[derive(Debug)]
pub struct Values;

impl Feed for Values {
    fn form(&self) -> Form {
        Form::Values
    }

    fn load(&self, batch: Prepared, _previous: Option<Inputs>) -> Result<Inputs> {
        let Prepared::Values { x, shape, labels } = batch else {
            return Err(EngineError::shape("portable backend", "a batch without its values"));
        };
        let n = labels.len();
        Ok(Inputs {
            x: Tensor::from_vec(x, shape, &Device::Cpu)?,
            labels: Tensor::from_vec(labels, n, &Device::Cpu)?,
        })
    }
}
