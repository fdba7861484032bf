//! What changes from step to step of training.

use crate::optimiser::{Method, OptimiserSpec};

/// What an optimiser's step needs besides tensors.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// The optimiser.
    pub spec: &'a OptimiserSpec,
    /// Learning rate at this step.
    pub rate: f64,
    /// Number of the step, from 1.
    pub number: u64,
    /// Decay of the moving average at this step.
    pub average: f64,
}

impl Step<'_> {
    /// Length of [`numbers`](Self::numbers).
    pub const NUMBERS: usize = 6;

    /// What changes from step to step, for devices that replay the rest: rate; `AdamW`'s factor of weight decay, step size
    /// and correction of the deviation; the moving average's decay and what is left to one.
    pub fn numbers(&self) -> [f32; 6] {
        let (shrink, size, correction) = match self.spec.method() {
            Method::Sgd(_) => (1.0, 0.0, 1.0),
            Method::Adam(adam) => {
                let factors = adam.factors(self.rate, self.number);
                (factors.shrink, self.rate / factors.mean, factors.square.sqrt())
            }
        };
        [self.rate, shrink, size, correction, self.average, 1.0 - self.average].map(|v| v as f32)
    }
}
