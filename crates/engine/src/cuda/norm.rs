//! Batch normalisation on the GPU.

use candle_core::{DType, Tensor};

use super::device::{Cuda, number_of, sides};
use super::gpu::Arg::{At, Double, Int, Long, Size};
use super::gpu::{pointer, suffix};
use crate::{Activation, EPSILON, NORM_MOMENTUM, NormGradients, NormState, Normalised, Result};

impl Cuda {
    /// [`Backend::normalise`](crate::Backend::normalise).
    ///
    /// # Errors
    /// A call of CUDA that fails, for instance for want of memory.
    pub fn normalised(
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

    /// [`Backend::normalise_backward`](crate::Backend::normalise_backward).
    ///
    /// # Errors
    /// A call of CUDA that fails, for instance for want of memory.
    pub fn norm_gradients(
        &self,
        [dy, x, gamma]: [&Tensor; 3],
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
}
