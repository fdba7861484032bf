//! The operations of the CUDA backend.

use std::sync::PoisonError;

use candle_core::{DType, Device, Tensor};
use convstat_tensor::Einsum;

use super::conv::Conv;
use super::device::{Cuda, number_of, sides};
use super::gpu::Arg::{At, Double, Int, Long, Size, Struct};
use super::gpu::{Places, bytes_of, pointer, suffix};
use super::{dnn, feed, record};
use crate::{
    Activation, Backend, ConvSpec, EngineError, Feed, Gradients, NormGradients, NormState, Normalised, Pool,
    PoolSpec, Precision, Recorder, Result, Samples, Step, pairs,
};

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
        let mut all = self.constants.lock().unwrap_or_else(PoisonError::into_inner);
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
        self.normalised(x, state, residual, activation, training)
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
        self.norm_gradients([dy, x, gamma], has_residual, activation, forward)
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
            return Err(EngineError::shape("maximum pool", "no winners are given"));
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
        self.optimise(step, parameters, gradients, moments, decays)
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
        let _shared = record::shared();
        body()
    }

    fn reads_every(&self) -> u64 {
        32
    }

    fn feed(&self, samples: &Samples) -> Result<Box<dyn Feed + '_>> {
        Ok(Box::new(feed::CudaFeed::new(self, samples)?))
    }

    fn is_out_of_memory(&self, error: &dyn std::error::Error) -> bool {
        let text = format!("{error:?}");
        text.contains("OUT_OF_MEMORY") || text.contains("ALLOC_FAILED")
    }

    fn release(&self) -> Result<()> {
        let _shared = record::shared();
        self.gpu.trim()
    }

    fn memory(&self) -> Option<usize> {
        Some(self.gpu.memory().1)
    }
}
