//! The CUDA backend: one NVIDIA GPU.
//!
//! Products by cuBLAS, convolutions by cuDNN, everything else by the kernels of `kernels.cu`. Parameters, their moments and
//! running statistics are f32 and change in place; activations are f32 or bf16. All work runs on one stream, in order, and
//! a training step becomes a CUDA graph.

mod contract;
mod conv;
mod dnn;
mod feed;
mod gemm;
mod gpu;
mod record;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use candle_core::{DType, Device, Tensor};
use convstat_tensor::Einsum;

use super::{
    Activation, Backend, ConvSpec, EPSILON, Feed, Gradients, NORM_MOMENTUM, NormGradients, NormState,
    Normalised, Pool, PoolSpec, Precision, Recorder, Step,
};
use crate::data::{Images, Normalisation, Store};
use crate::engine::pairs;
use crate::optimiser::OptimiserSpec;
use crate::{Result, TrainError};
use conv::{Conv, suffix};
use gpu::Arg::{At, Double, Float, Int, Long, Size, Struct};
use gpu::{Gpu, Places, Plain, bytes_of, pointer};

/// An NVIDIA GPU.
pub struct Cuda {
    // Libraries go before the stream they run on.
    dnn: dnn::Dnn,
    blas: gemm::Blas,
    /// Numbers of the step, see [`Step::numbers`].
    numbers: Tensor,
    constants: Mutex<HashMap<Vec<u64>, Tensor>>,
    /// Stores that are held here, see [`feed`].
    stores: Mutex<Vec<(Arc<Store>, Tensor)>>,
    precision: Precision,
    records: bool,
    libraries: bool,
    gpu: Gpu,
    /// Last, so that it is given back when all else is gone: nobody may record while libraries close.
    closing: Option<record::Beside>,
}

impl Drop for Cuda {
    fn drop(&mut self) {
        let _ = self.gpu.wait();
        self.closing = Some(record::beside());
    }
}

impl std::fmt::Debug for Cuda {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {:?}", self.gpu.name(), self.precision)
    }
}

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
    /// GPU number `ordinal`.
    ///
    /// # Errors
    /// No driver, no such GPU, libraries that do not load.
    pub fn new(ordinal: usize, precision: Precision) -> Result<Self> {
        let _beside = record::beside();
        let gpu = Gpu::new(ordinal)?;
        let (dnn, blas) = (dnn::Dnn::new(&gpu, precision)?, gemm::Blas::new(&gpu, precision)?);
        let numbers = gpu.empty(DType::F32, &[Step::NUMBERS])?;
        gpu.clear(&numbers)?;
        Ok(Self {
            dnn,
            blas,
            numbers,
            constants: Mutex::default(),
            stores: Mutex::default(),
            precision,
            records: true,
            libraries: true,
            gpu,
            closing: None,
        })
    }

    /// The same without CUDA graphs.
    pub fn without_graphs(mut self) -> Self {
        self.records = false;
        self
    }

    /// The same with convolutions by columns in place of cuDNN's.
    pub fn without_dnn(mut self) -> Self {
        self.libraries = false;
        self
    }

    /// Waits until all work is done.
    pub fn wait(&self) -> Result<()> {
        self.gpu.wait()
    }

    /// Free and total memory in bytes.
    pub fn memory_left(&self) -> (usize, usize) {
        self.gpu.memory()
    }

    /// Type of activations.
    fn dtype(&self) -> DType {
        if self.precision == Precision::Bf16 { DType::BF16 } else { DType::F32 }
    }

    /// `t` as numbers of another type.
    fn cast(&self, t: &Tensor, dtype: DType) -> Result<Tensor> {
        if t.dtype() == dtype {
            return Ok(t.clone());
        }
        let to = self.gpu.empty(dtype, t.dims())?;
        let n = t.elem_count();
        let name = format!("cast_{}_{}", suffix(t.dtype())?, suffix(dtype)?);
        self.gpu.over(&name, n, 4, &[At(pointer(t)?), At(pointer(&to)?), Long(n)])?;
        Ok(to)
    }

    /// A tensor of no axes that is 1.
    fn constant_one(&self) -> Result<Tensor> {
        Ok(self.constant(&[1.0], DType::F32)?.reshape(())?)
    }

    /// An operation on every entry of `inputs`.
    fn entries(&self, name: &str, inputs: &[&Tensor], more: &[gpu::Arg]) -> Result<Tensor> {
        let like = inputs[0];
        if inputs.iter().any(|t| t.dims() != like.dims() || t.dtype() != like.dtype()) {
            return Err(TrainError::shape("CUDA backend", format!("{name}: tensors that differ")));
        }
        let (y, n) = (self.gpu.empty(like.dtype(), like.dims())?, like.elem_count());
        let mut args = Vec::with_capacity(6);
        for t in inputs {
            args.push(At(pointer(t)?));
        }
        args.extend([At(pointer(&y)?), Long(n)]);
        args.extend_from_slice(more);
        self.gpu.over(&format!("{name}_{}", suffix(like.dtype())?), n, 4, &args)?;
        Ok(y)
    }
}

/// Rows and channels of activations.
fn sides(x: &Tensor) -> (usize, usize) {
    let channels = x.dims().last().copied().unwrap_or(1);
    (x.elem_count() / channels.max(1), channels)
}

/// The functions' numbers in the kernels.
fn number_of(activation: Activation) -> i32 {
    match activation {
        Activation::Identity => 0,
        Activation::Relu => 1,
        Activation::Relu6 => 2,
        Activation::Silu => 3,
        Activation::Tanh => 4,
        Activation::Sigmoid => 5,
        Activation::Gelu => 6,
    }
}

impl Backend for Cuda {
    fn device(&self) -> &Device {
        &self.gpu.device
    }

    fn name(&self) -> String {
        format!("{} ({}, cuDNN {})", self.gpu.name(), self.precision.name(), dnn::Dnn::version())
    }

    fn precision(&self) -> Precision {
        self.precision
    }

    fn input(&self, x: &Tensor) -> Result<Tensor> {
        // Copied where it is a part of another: kernels read aligned memory.
        let x = x.to_dtype(DType::F32)?.force_contiguous()?;
        self.cast(&x.to_device(&self.gpu.device)?, self.dtype())
    }

    fn output(&self, x: &Tensor) -> Result<Tensor> {
        Ok(self.cast(x, DType::F32)?.to_device(&Device::Cpu)?)
    }

    fn operand(&self, w: &Tensor, x: &Tensor) -> Result<Tensor> {
        self.cast(w, x.dtype())
    }

    fn constant(&self, entries: &[f64], dtype: DType) -> Result<Tensor> {
        let key: Vec<u64> = entries.iter().map(|v| v.to_bits()).collect();
        let mut all = self.constants.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(t) = all.get(&key) {
            return self.cast(t, dtype);
        }
        let t = self.gpu.empty(DType::F32, &[entries.len()])?;
        let singles: Vec<f32> = entries.iter().map(|v| *v as f32).collect();
        self.gpu.upload(&t, bytes_of(&singles))?;
        all.insert(key, t.clone());
        self.cast(&t, dtype)
    }

    fn convolve(&self, x: &Tensor, w: &Tensor, spec: &ConvSpec) -> Result<Tensor> {
        self.forward(x, w, &Conv::new(x.dims(), w.dims(), spec)?)
    }

    fn convolve_by_input(&self, dy: &Tensor, w: &Tensor, shape: &[usize], spec: &ConvSpec) -> Result<Tensor> {
        self.by_input(dy, w, shape, &Conv::new(shape, w.dims(), spec)?)
    }

    fn convolve_by_weight(
        &self,
        dy: &Tensor,
        x: &Tensor,
        shape: &[usize],
        spec: &ConvSpec,
    ) -> Result<Tensor> {
        self.by_weight(dy, x, shape, &Conv::new(x.dims(), shape, spec)?)
    }

    fn normalise(
        &self,
        x: &Tensor,
        state: NormState,
        residual: Option<&Tensor>,
        activation: Activation,
        training: bool,
    ) -> Result<Normalised> {
        let (rows, channels) = sides(x);
        let (dtype, c) = (x.dtype(), Size(channels as u32));
        let y = self.gpu.empty(dtype, x.dims())?;
        let [mean, inverse, scale, shift] = [(); 4].map(|()| self.gpu.empty(DType::F32, &[channels]));
        let (mean, inverse, scale, shift) = (mean?, inverse?, scale?, shift?);
        let (px, py) = (pointer(x)?, pointer(&y)?);
        let pz = residual.map_or(Ok(0), pointer)?;
        let [gamma, beta, running_mean, running_variance] =
            [state.gamma, state.beta, state.mean, state.variance].map(pointer);
        let (gamma, beta, running) = (gamma?, beta?, [At(running_mean?), At(running_variance?)]);
        let found = [At(pointer(&mean)?), At(pointer(&inverse)?), At(pointer(&scale)?), At(pointer(&shift)?)];
        let name = suffix(dtype)?;
        if training {
            let l = self.layout(dtype, rows, channels, 4, &[px]);
            let partial = self.gpu.empty(DType::F32, &[l.grid[1] as usize * 2 * channels])?;
            let at = At(pointer(&partial)?);
            let kernel = format!("norm_sums_{name}_{}", l.width);
            self.gpu.launch(&kernel, [l.grid[0], l.grid[1], 1], l.block, 0, &[At(px), at, Long(rows), c])?;
            let mut args = vec![At(px), at, Size(l.grid[1]), At(gamma), At(beta)];
            args.extend(found);
            args.extend(running);
            args.extend([Double(rows as f64), c, Double(EPSILON), Double(NORM_MOMENTUM)]);
            let grid = [channels.div_ceil(32) as u32, 1, 1];
            self.gpu.launch(&format!("norm_finish_{name}"), grid, [32, 32], 0, &args)?;
        } else {
            let mut args = vec![At(gamma), At(beta)];
            args.extend(running);
            args.extend(found);
            args.extend([c, Double(EPSILON)]);
            self.gpu.over("norm_running", channels, 1, &args)?;
        }
        let l = self.layout(dtype, rows, channels, 8, &[px, py, pz]);
        let kernel = format!("norm_apply_{name}_{}", l.width);
        let args = [At(px), At(pz), At(py), found[2], found[3], Long(rows), c, Int(number_of(activation))];
        self.gpu.launch(&kernel, [l.grid[0], l.grid[1], 1], l.block, 0, &args)?;
        let running = training.then(|| (state.mean.clone(), state.variance.clone()));
        Ok(Normalised { y, mean, inverse_deviation: inverse, scale, shift, running })
    }

    fn normalise_backward(
        &self,
        dy: &Tensor,
        x: &Tensor,
        gamma: &Tensor,
        has_residual: bool,
        activation: Activation,
        forward: &Normalised,
    ) -> Result<NormGradients> {
        let (rows, channels) = sides(x);
        let (dtype, c) = (x.dtype(), Size(channels as u32));
        let dx = self.gpu.empty(dtype, x.dims())?;
        let dz = has_residual.then(|| self.gpu.empty(dtype, x.dims())).transpose()?;
        let [dgamma, dbeta, by_g, by_x, constant] = [(); 5].map(|()| self.gpu.empty(DType::F32, &[channels]));
        let (dgamma, dbeta, by_g, by_x, constant) = (dgamma?, dbeta?, by_g?, by_x?, constant?);
        let (pd, px, po) = (pointer(dy)?, pointer(x)?, pointer(&dx)?);
        let pz = dz.as_ref().map_or(Ok(0), pointer)?;
        // The output shows what the clamp cut; without a residual the input does too.
        let py = if has_residual { pointer(&forward.y)? } else { 0 };
        let (mean, inverse) = (At(pointer(&forward.mean)?), At(pointer(&forward.inverse_deviation)?));
        let (scale, shift) = (At(pointer(&forward.scale)?), At(pointer(&forward.shift)?));
        let (name, act) = (suffix(dtype)?, Int(number_of(activation)));
        let l = self.layout(dtype, rows, channels, 4, &[pd, px, py]);
        let partial = self.gpu.empty(DType::F32, &[l.grid[1] as usize * 2 * channels])?;
        let at = At(pointer(&partial)?);
        let args = [At(pd), At(px), At(py), mean, scale, shift, at, Long(rows), c, act];
        let kernel = format!("norm_back_sums_{name}_{}", l.width);
        self.gpu.launch(&kernel, [l.grid[0], l.grid[1], 1], l.block, 0, &args)?;
        let coefficients = [At(pointer(&by_g)?), At(pointer(&by_x)?), At(pointer(&constant)?)];
        let mut args = vec![at, Size(l.grid[1]), At(pointer(gamma)?), mean, inverse];
        args.extend([At(pointer(&dgamma)?), At(pointer(&dbeta)?)]);
        args.extend(coefficients);
        args.extend([Double(rows as f64), c]);
        self.gpu.launch("norm_back_finish", [channels.div_ceil(32) as u32, 1, 1], [32, 32], 0, &args)?;
        let l = self.layout(dtype, rows, channels, 8, &[pd, px, py, po, pz]);
        let mut args = vec![At(pd), At(px), At(py), scale, shift];
        args.extend(coefficients);
        args.extend([At(po), At(pz), Long(rows), c, act]);
        let kernel = format!("norm_back_apply_{name}_{}", l.width);
        self.gpu.launch(&kernel, [l.grid[0], l.grid[1], 1], l.block, 0, &args)?;
        Ok(NormGradients { x: dx, gamma: dgamma, beta: dbeta, residual: dz })
    }

    fn activate(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        self.entries("activate", &[x], &[Int(number_of(activation))])
    }

    fn activate_backward(&self, dy: &Tensor, x: &Tensor, activation: Activation) -> Result<Tensor> {
        self.entries("activate_backward", &[dy, x], &[Int(number_of(activation))])
    }

    fn pool(&self, x: &Tensor, kind: Pool, spec: &PoolSpec) -> Result<(Tensor, Option<Tensor>)> {
        let window = spec.window(x.dims())?;
        let (axes, channels) = (x.dims().len() - 2, sides(x).1);
        let shape = [&[x.dims()[0]], &window.output[3 - axes..], &[channels]].concat();
        let y = self.gpu.empty(x.dtype(), &shape)?;
        let winners = (kind == Pool::Max).then(|| self.gpu.empty(DType::U32, &shape)).transpose()?;
        let (places, n, name) = ([Places::from(&window)], y.elem_count(), suffix(x.dtype())?);
        let mut args = vec![At(pointer(x)?), At(pointer(&y)?)];
        if let Some(winners) = &winners {
            args.push(At(pointer(winners)?));
        }
        args.extend([Struct(bytes_of(&places)), Long(n), Size(channels as u32)]);
        let kernel = if winners.is_some() { "maximum" } else { "average" };
        self.gpu.over(&format!("{kernel}_{name}"), n, 1, &args)?;
        Ok((y, winners))
    }

    fn pool_backward(
        &self,
        dy: &Tensor,
        winners: Option<&Tensor>,
        shape: &[usize],
        kind: Pool,
        spec: &PoolSpec,
    ) -> Result<Tensor> {
        if kind == Pool::Max && winners.is_none() {
            return Err(TrainError::shape("maximum pool", "no winners are given"));
        }
        let window = spec.window(shape)?;
        let dx = self.gpu.empty(dy.dtype(), shape)?;
        let (places, n) = ([Places::from(&window)], dx.elem_count());
        let args = [
            At(pointer(dy)?),
            At(winners.map_or(Ok(0), pointer)?),
            At(pointer(&dx)?),
            Struct(bytes_of(&places)),
            Long(n),
            Size(sides(&dx).1 as u32),
        ];
        self.gpu.over(&format!("pool_backward_{}", suffix(dy.dtype())?), n, 1, &args)?;
        Ok(dx)
    }

    fn add_bias(&self, x: &Tensor, b: &Tensor) -> Result<Tensor> {
        let (y, n) = (self.gpu.empty(x.dtype(), x.dims())?, x.elem_count());
        let args = [At(pointer(x)?), At(pointer(b)?), At(pointer(&y)?), Long(n), Size(sides(x).1 as u32)];
        self.gpu.over(&format!("add_bias_{}", suffix(x.dtype())?), n, 1, &args)?;
        Ok(y)
    }

    fn sum_rows(&self, dy: &Tensor) -> Result<Tensor> {
        let (rows, channels) = sides(dy);
        let sum = self.gpu.empty(DType::F32, &[channels])?;
        let args = [At(pointer(dy)?), At(pointer(&sum)?), Long(rows), Size(channels as u32)];
        let name = format!("sum_rows_{}", suffix(dy.dtype())?);
        self.gpu.launch(&name, [channels as u32, 1, 1], [256, 1], 0, &args)?;
        Ok(sum)
    }

    fn add(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        self.entries("add", &[a, b], &[])
    }

    fn shuffle(&self, x: &Tensor, groups: usize) -> Result<Tensor> {
        let (y, n) = (self.gpu.empty(x.dtype(), x.dims())?, x.elem_count());
        let args = [At(pointer(x)?), At(pointer(&y)?), Long(n), Size(sides(x).1 as u32), Size(groups as u32)];
        self.gpu.over(&format!("shuffle_{}", suffix(x.dtype())?), n, 1, &args)?;
        Ok(y)
    }

    fn contract(&self, network: &Einsum, operands: &[Tensor]) -> Result<Tensor> {
        let operands: Vec<(Tensor, Vec<usize>)> = operands
            .iter()
            .map(|t| Ok((self.cast(t, DType::F32)?, t.dims().to_vec())))
            .collect::<Result<_>>()?;
        let (y, shape) = pairs::contract(self, network, operands)?;
        Ok(y.reshape(shape)?)
    }

    fn cross_entropy(&self, logits: &Tensor, labels: &Tensor, smoothing: f64) -> Result<(Tensor, Tensor)> {
        let logits = self.cast(logits, DType::F32)?;
        let (rows, classes) = sides(&logits);
        let gradient = self.gpu.empty(DType::F32, logits.dims())?;
        let (losses, loss) = (self.gpu.empty(DType::F64, &[rows])?, self.gpu.empty(DType::F64, &[1])?);
        let args = [
            At(pointer(&logits)?),
            At(pointer(labels)?),
            At(pointer(&gradient)?),
            At(pointer(&losses)?),
            Size(rows as u32),
            Size(classes as u32),
            Double(smoothing),
        ];
        self.gpu.launch("cross_entropy", [rows.div_ceil(8) as u32, 1, 1], [256, 1], 0, &args)?;
        let args = [At(pointer(&losses)?), At(pointer(&loss)?), Size(rows as u32)];
        self.gpu.launch("mean_loss", [1; 3], [256, 1], 0, &args)?;
        Ok((loss, gradient))
    }

    fn begin(&self, step: &Step) -> Result<()> {
        self.gpu.upload(&self.numbers, bytes_of(&step.numbers()))
    }

    fn update(
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
                .map_err(|_| TrainError::shape("optimiser", "a parameter of more than 2^32 entries"))?;
            if gradient.elem_count() != parameter.elem_count() {
                return Err(TrainError::shape("optimiser", "a gradient of another size than its parameter"));
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
            match *step.spec {
                OptimiserSpec::Sgd { momentum, nesterov, weight_decay, .. } => {
                    let more = [Float(momentum as f32), Float(weight_decay as f32), Int(i32::from(nesterov))];
                    let args = [&[slots, numbers], &more[..]].concat();
                    self.gpu.launch("sgd", grid, [256, 1], 0, &args)?;
                }
                OptimiserSpec::Adamw { beta1, beta2, epsilon, .. } => {
                    let more = [1.0 - beta1, beta2, 1.0 - beta2, epsilon].map(|v| Float(v as f32));
                    let args = [&[slots, numbers], &more[..]].concat();
                    self.gpu.launch("adamw", grid, [256, 1], 0, &args)?;
                }
            }
        }
        Ok(())
    }

    fn average(&self, _step: &Step, mean: &Tensor, value: &Tensor) -> Result<Tensor> {
        let n = mean.elem_count();
        let args = [At(pointer(mean)?), At(pointer(value)?), At(pointer(&self.numbers)?), Long(n)];
        self.gpu.over("moving_average", n, 1, &args)?;
        Ok(mean.clone())
    }

    fn accumulate(&self, sum: &Tensor, value: &Tensor) -> Result<Tensor> {
        self.gpu.launch("accumulate", [1; 3], [1, 1], 0, &[At(pointer(sum)?), At(pointer(value)?)])?;
        Ok(sum.clone())
    }

    fn cleared(&self, t: &Tensor) -> Result<Tensor> {
        self.gpu.clear(t)?;
        Ok(t.clone())
    }

    fn recorder(&self) -> Box<dyn Recorder + '_> {
        Box::new(record::Recording::new(&self.gpu, self.records))
    }

    fn direct(&self, body: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let _beside = record::beside();
        body()
    }

    fn reads_every(&self) -> u64 {
        32
    }

    fn feed(&self, images: &Images, normalisation: &Normalisation) -> Result<Arc<dyn Feed + '_>> {
        Ok(Arc::new(feed::Samples::new(self, images, normalisation)?))
    }

    fn is_out_of_memory(&self, error: &TrainError) -> bool {
        let text = format!("{error:?}");
        text.contains("OUT_OF_MEMORY") || text.contains("ALLOC_FAILED")
    }

    fn release(&self) -> Result<()> {
        let _beside = record::beside();
        self.gpu.trim()
    }

    fn memory(&self) -> Option<usize> {
        Some(self.gpu.memory().1)
    }
}
