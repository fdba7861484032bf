//! The operations of the portable backend.

use candle_core::{DType, Device, Tensor};
use convstat_tensor::{Einsum, optimisers};
use ndarray::ArrayD;

use super::contract::{contract, to_array};
use super::conv::Conv;
use super::feed::Values;
use super::real::{Real, by_type, slice, tensor};
use super::{norm, pointwise, pool};
use crate::{
    Activation, Backend, ConvSpec, EngineError, Feed, Gradients, NORM_MOMENTUM, NormGradients, NormState,
    Normalised, Pool, PoolSpec, Precision, Result, Samples, Step, Window, optimiser,
};

/// The portable backend. Results are the same bits for any number of threads.
#[derive(Debug, Default, Clone, Copy)]
pub struct Cpu;

/// Binds the entries of contiguous tensors to names.
macro_rules! entries {
    ($t:ty; $($name:ident = $tensor:expr),+) => {
        $(let guard = $tensor.storage_and_layout();
        let $name: &[$t] = slice::<$t>(&guard.0, guard.1)?;)+
    };
}

/// Spatial axes of activations.
fn spatial(x: &Tensor) -> &[usize] {
    let dims = x.dims();
    &dims[1..dims.len() - 1]
}

fn conv_of(x: &[usize], w: &[usize], spec: &ConvSpec) -> Result<Conv> {
    let axes = x.len() - 1;
    let window = Window::new(&x[1..axes], &w[1..axes], &spec.stride, &spec.padding, &spec.dilation)?;
    Ok(Conv { images: x[0], window, channels: x[axes], kernels: w[0], groups: spec.groups })
}

/// Shape with other spatial sizes and channels.
fn shape_of(images: usize, window: &Window, axes: usize, channels: usize) -> Vec<usize> {
    [&[images], &window.output[3 - axes..], &[channels]].concat()
}

impl Backend for Cpu {
    fn device(&self) -> &Device {
        &Device::Cpu
    }

    fn name(&self) -> String {
        "CPU".to_owned()
    }

    fn precision(&self) -> Precision {
        Precision::F32
    }

    fn input(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.clone())
    }

    fn output(&self, x: &Tensor) -> Result<Tensor> {
        Ok(x.clone())
    }

    fn operand(&self, w: &Tensor, _x: &Tensor) -> Result<Tensor> {
        Ok(w.clone())
    }

    fn constant(&self, entries: &[f64], dtype: DType) -> Result<Tensor> {
        Ok(Tensor::from_slice(entries, entries.len(), &Device::Cpu)?.to_dtype(dtype)?)
    }

    fn convolve(&self, x: &Tensor, w: &Tensor, spec: &ConvSpec) -> Result<Tensor> {
        let conv = conv_of(x.dims(), w.dims(), spec)?;
        let shape = shape_of(conv.images, &conv.window, spatial(x).len(), conv.kernels);
        by_type!(x, T => {
            entries!(T; a = x, b = w);
            tensor(conv.forward(a, b), &shape)
        })
    }

    fn convolve_by_input(&self, dy: &Tensor, w: &Tensor, shape: &[usize], spec: &ConvSpec) -> Result<Tensor> {
        let conv = conv_of(shape, w.dims(), spec)?;
        by_type!(dy, T => {
            entries!(T; a = dy, b = w);
            tensor(conv.by_input(a, b), shape)
        })
    }

    fn convolve_by_weight(
        &self,
        dy: &Tensor,
        x: &Tensor,
        shape: &[usize],
        spec: &ConvSpec,
    ) -> Result<Tensor> {
        let conv = conv_of(x.dims(), shape, spec)?;
        by_type!(dy, T => {
            entries!(T; a = dy, b = x);
            tensor(conv.by_weight(a, b), shape)
        })
    }

    fn normalise(
        &self,
        x: &Tensor,
        state: NormState,
        residual: Option<&Tensor>,
        activation: Activation,
        training: bool,
    ) -> Result<Normalised> {
        by_type!(x, T => normalise::<T>(x, state, residual, activation, training))
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
        by_type!(x, T => {
            entries!(T; d = dy, a = x, y = forward.y, g = gamma, mean = forward.mean,
                inverse = forward.inverse_deviation);
            let back = norm::backward([d, a, y], g, mean, inverse, has_residual, activation);
            Ok(NormGradients {
                x: tensor(back.x, x.dims())?,
                gamma: tensor(back.gamma, gamma.dims())?,
                beta: tensor(back.beta, gamma.dims())?,
                residual: back.residual.map(|r| tensor(r, x.dims())).transpose()?,
            })
        })
    }

    fn activate(&self, x: &Tensor, activation: Activation) -> Result<Tensor> {
        by_type!(x, T => {
            entries!(T; a = x);
            tensor(pointwise::activate(a, activation), x.dims())
        })
    }

    fn activate_backward(&self, dy: &Tensor, x: &Tensor, activation: Activation) -> Result<Tensor> {
        by_type!(x, T => {
            entries!(T; d = dy, a = x);
            tensor(pointwise::activate_backward(d, a, activation), x.dims())
        })
    }

    fn pool(&self, x: &Tensor, kind: Pool, spec: &PoolSpec) -> Result<(Tensor, Option<Tensor>)> {
        let window = spec.window(x.dims())?;
        let (images, channels) = (x.dims()[0], x.dims()[x.dims().len() - 1]);
        let shape = shape_of(images, &window, spatial(x).len(), channels);
        by_type!(x, T => {
            entries!(T; a = x);
            match kind {
                Pool::Average => Ok((tensor(pool::average(&window, a, channels, images), &shape)?, None)),
                Pool::Max => {
                    let (y, winners) = pool::maximum(&window, a, channels, images);
                    let winners = Tensor::from_vec(winners, shape.as_slice(), &Device::Cpu)?;
                    Ok((tensor(y, &shape)?, Some(winners)))
                }
            }
        })
    }

    fn pool_backward(
        &self,
        dy: &Tensor,
        winners: Option<&Tensor>,
        shape: &[usize],
        kind: Pool,
        spec: &PoolSpec,
    ) -> Result<Tensor> {
        let window = spec.window(shape)?;
        let (images, channels) = (shape[0], shape[shape.len() - 1]);
        by_type!(dy, T => {
            entries!(T; d = dy);
            let dx = match (kind, winners) {
                (Pool::Max, Some(winners)) => {
                    let winners = winners.flatten_all()?.to_vec1::<u32>()?;
                    pool::maximum_backward(&window, d, &winners, channels, images)
                }
                (Pool::Max, None) => return Err(EngineError::shape("maximum pool", "no winners are given")),
                (Pool::Average, _) => pool::average_backward(&window, d, channels, images),
            };
            tensor(dx, shape)
        })
    }

    fn add_bias(&self, x: &Tensor, b: &Tensor) -> Result<Tensor> {
        by_type!(x, T => {
            entries!(T; a = x, c = b);
            tensor(pointwise::add_bias(a, c), x.dims())
        })
    }

    fn sum_rows(&self, dy: &Tensor) -> Result<Tensor> {
        let channels = dy.dims()[dy.dims().len() - 1];
        by_type!(dy, T => {
            entries!(T; a = dy);
            tensor(pointwise::sum_rows(a, channels), &[channels])
        })
    }

    fn add(&self, a: &Tensor, b: &Tensor) -> Result<Tensor> {
        by_type!(a, T => {
            entries!(T; c = a, d = b);
            tensor(pointwise::add(c, d), a.dims())
        })
    }

    fn shuffle(&self, x: &Tensor, groups: usize) -> Result<Tensor> {
        let channels = x.dims()[x.dims().len() - 1];
        by_type!(x, T => {
            entries!(T; a = x);
            tensor(pointwise::shuffle(a, channels, groups), x.dims())
        })
    }

    /// In double precision, whatever the type of the operands.
    fn contract(&self, network: &Einsum, operands: &[Tensor]) -> Result<Tensor> {
        let dtype = operands.first().map_or(DType::F32, Tensor::dtype);
        let values: Vec<ArrayD<f64>> = operands.iter().map(to_array).collect::<Result<_>>()?;
        let y = contract(network, &values)?;
        let entries: Vec<f64> = y.iter().copied().collect();
        Ok(Tensor::from_vec(entries, y.shape(), &Device::Cpu)?.to_dtype(dtype)?)
    }

    fn cross_entropy(&self, logits: &Tensor, labels: &Tensor, smoothing: f64) -> Result<(Tensor, Tensor)> {
        let labels = labels.to_vec1::<u32>()?;
        let (n, classes) = logits.dims2()?;
        if labels.len() != n || labels.iter().any(|l| *l as usize >= classes) {
            let reason = format!("{} labels for {n} images of {classes} classes", labels.len());
            return Err(EngineError::shape("cross-entropy", reason));
        }
        by_type!(logits, T => {
            entries!(T; a = logits);
            let (loss, gradient) = pointwise::cross_entropy(a, &labels, smoothing);
            Ok((tensor(vec![loss], &[1])?, tensor(gradient, logits.dims())?))
        })
    }

    fn begin(&self, _step: &Step) -> Result<()> {
        Ok(())
    }

    fn update(
        &self,
        step: &Step,
        parameters: &mut [Tensor],
        gradients: &Gradients,
        moments: &mut [Vec<Tensor>],
        decays: &dyn Fn(usize) -> bool,
    ) -> Result<()> {
        for (&number, gradient) in gradients {
            let (parameter, moments) = (&mut parameters[number], &mut moments[number]);
            by_type!(parameter, T => update::<T>(step, parameter, gradient, moments, decays(number)))?;
        }
        Ok(())
    }

    fn average(&self, step: &Step, mean: &Tensor, value: &Tensor) -> Result<Tensor> {
        by_type!(mean, T => {
            entries!(T; m = mean, v = value);
            let mut new = m.to_vec();
            optimisers::average(&mut new, v, step.average);
            tensor(new, mean.dims())
        })
    }

    fn accumulate(&self, sum: &Tensor, loss: &Tensor) -> Result<Tensor> {
        self.add(sum, loss)
    }

    fn cleared(&self, t: &Tensor) -> Result<Tensor> {
        Ok(t.zeros_like()?)
    }

    fn feed(&self, _samples: &Samples) -> Result<Box<dyn Feed + '_>> {
        Ok(Box::new(Values))
    }
}

fn update<T: Real>(
    step: &Step,
    parameter: &mut Tensor,
    gradient: &Tensor,
    moments: &mut [Tensor],
    decays: bool,
) -> Result<()> {
    let shape = parameter.dims().to_vec();
    let mut buffers = Vec::with_capacity(moments.len());
    for moment in &*moments {
        entries!(T; m = moment);
        buffers.push(m.to_vec());
    }
    let new = {
        entries!(T; p = parameter, g = gradient);
        let mut new = p.to_vec();
        optimiser::update(step.spec, step.rate, decays, step.number, &mut new, g, &mut buffers)?;
        new
    };
    *parameter = tensor(new, &shape)?;
    for (moment, buffer) in moments.iter_mut().zip(buffers) {
        *moment = tensor(buffer, &shape)?;
    }
    Ok(())
}

fn normalise<T: Real>(
    x: &Tensor,
    state: NormState,
    residual: Option<&Tensor>,
    activation: Activation,
    training: bool,
) -> Result<Normalised> {
    entries!(T; a = x, gamma = state.gamma, beta = state.beta, old_mean = state.mean, old_variance = state.variance);
    let channels = gamma.len();
    let doubles = |v: &[T]| v.iter().map(|v| v.double()).collect::<Vec<f64>>();
    let singles = |v: &[f64]| v.iter().map(|v| T::of(*v)).collect::<Vec<T>>();
    let (mean, variance) =
        if training { norm::moments(a, channels) } else { (doubles(old_mean), doubles(old_variance)) };
    let inverse = norm::inverse_deviation(&variance);
    let scale: Vec<f64> = gamma.iter().zip(&inverse).map(|(g, i)| g.double() * i).collect();
    let shift: Vec<f64> = (0..channels).map(|c| beta[c].double() - scale[c] * mean[c]).collect();
    let (scale, shift) = (singles(&scale), singles(&shift));
    let y = if let Some(residual) = residual {
        entries!(T; z = residual);
        norm::forward(a, &scale, &shift, Some(z), activation)
    } else {
        norm::forward(a, &scale, &shift, None, activation)
    };
    let running = if training {
        let rows = (a.len() / channels) as f64;
        // The running variance is the unbiased one, as in PyTorch.
        let unbiased = rows / (rows - 1.0).max(1.0);
        let blend = |old: &[T], new: &[f64], factor: f64| -> Vec<T> {
            let pairs = old.iter().zip(new);
            pairs
                .map(|(o, n)| T::of((1.0 - NORM_MOMENTUM) * o.double() + NORM_MOMENTUM * factor * n))
                .collect()
        };
        let shape = [channels];
        Some((
            tensor(blend(old_mean, &mean, 1.0), &shape)?,
            tensor(blend(old_variance, &variance, unbiased), &shape)?,
        ))
    } else {
        None
    };
    Ok(Normalised {
        y: tensor(y, x.dims())?,
        mean: tensor(singles(&mean), &[channels])?,
        inverse_deviation: tensor(singles(&inverse), &[channels])?,
        scale: tensor(scale, &[channels])?,
        shift: tensor(shift, &[channels])?,
        running,
    })
}
