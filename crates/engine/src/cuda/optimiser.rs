//! A step of an optimiser on the GPU, many parameters a launch.

use candle_core::{DType, Tensor};
use convstat_tensor::optimisers::{Adam, Sgd};

use super::device::Cuda;
use super::gpu::Arg::{At, Float, Int, Struct};
use super::gpu::{Plain, bytes_of, pointer};
use crate::{EngineError, Gradients, Method, Result, Step};

/// Parameters of one launch of an optimiser.
const SLOTS: usize = 64;

/// A parameter as an optimiser's kernel reads it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Slot {
    parameter: u64,
    mean: u64,
    square: u64,
    gradient: u64,
    size: u32,
    flags: u32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Slots {
    count: u32,
    unused: u32,
    slot: [Slot; SLOTS],
}
// SAFETY: integers only, without padding.
unsafe impl Plain for Slots {}

impl Cuda {
    /// [`Backend::update`](crate::Backend::update).
    ///
    /// # Errors
    /// A call of CUDA that fails, for instance for want of memory.
    pub fn optimise(
        &self,
        step: &Step,
        parameters: &mut [Tensor],
        gradients: &Gradients,
        moments: &mut [Vec<Tensor>],
        decays: &dyn Fn(usize) -> bool,
    ) -> Result<()> {
        let mut all = Vec::with_capacity(gradients.len());
        for (&number, gradient) in gradients {
            let parameter = &parameters[number];
            let moment = |k: usize| moments[number].get(k).map_or(Ok(0), pointer);
            let size = u32::try_from(parameter.elem_count())
                .map_err(|_| EngineError::shape("optimiser", "a parameter of more than 2^32 entries"))?;
            if gradient.elem_count() != parameter.elem_count() {
                return Err(EngineError::shape("optimiser", "a gradient of another size than its parameter"));
            }
            let narrow = u32::from(gradient.dtype() == DType::BF16);
            all.push(Slot {
                parameter: pointer(parameter)?,
                mean: moment(0)?,
                square: moment(1)?,
                gradient: pointer(gradient)?,
                size,
                flags: narrow | u32::from(decays(number)) << 1,
            });
        }
        for slots in all.chunks(SLOTS) {
            let mut table = Slots { count: slots.len() as u32, unused: 0, slot: [slots[0]; SLOTS] };
            table.slot[..slots.len()].copy_from_slice(slots);
            let most = slots.iter().map(|s| s.size).max().unwrap_or(1);
            let grid = [most.div_ceil(1024).clamp(1, 64), slots.len() as u32, 1];
            let table = [table];
            let (slots, numbers) = (Struct(bytes_of(&table)), At(pointer(&self.numbers)?));
            match step.spec.method() {
                Method::Sgd(Sgd { momentum, nesterov, weight_decay }) => {
                    let more = [Float(momentum as f32), Float(weight_decay as f32), Int(i32::from(nesterov))];
                    let args = [&[slots, numbers], &more[..]].concat();
                    self.gpu.launch("sgd", grid, [256, 1], 0, &args)?;
                }
                Method::Adam(Adam { beta1, beta2, epsilon, .. }) => {
                    let more = [1.0 - beta1, beta2, 1.0 - beta2, epsilon].map(|v| Float(v as f32));
                    let args = [&[slots, numbers], &more[..]].concat();
                    self.gpu.launch("adamw", grid, [256, 1], 0, &args)?;
                }
            }
        }
        Ok(())
    }
}
