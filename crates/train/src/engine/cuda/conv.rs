//! Which kernel convolves: products for single taps, our own for depthwise ones, cuDNN for the rest, and a product by
//! columns for what cuDNN does not do.

use candle_core::{DType, Tensor};

use super::Cuda;
use super::dnn::{Pass, Shape};
use super::gemm::Matrix;
use super::gpu::Arg::{At, Long, Size, Struct};
use super::gpu::{Places, bytes_of, pointer};
use crate::engine::{ConvSpec, Window};
use crate::{Result, TrainError};

/// Bytes that columns may take at a time.
const COLUMNS: usize = 512 << 20;
/// Bytes of weights that a block of a depthwise kernel keeps.
const SHARED: u32 = 200 << 10;
/// Taps that a thread of the depthwise weight kernel adds up; `MOST` there.
const TAPS: usize = 9;

/// A convolution with its tensors' sizes.
#[derive(Debug, Clone, Copy)]
pub struct Conv {
    pub shape: Shape,
    /// Spatial axes.
    pub axes: usize,
}

impl Conv {
    pub fn new(x: &[usize], w: &[usize], spec: &ConvSpec) -> Result<Self> {
        let axes = x.len() - 2;
        let window = Window::new(&x[1..=axes], &w[1..=axes], &spec.stride, &spec.padding, &spec.dilation)?;
        let shape = Shape { images: x[0], window, channels: x[axes + 1], kernels: w[0], groups: spec.groups };
        Ok(Self { shape, axes })
    }

    /// Output rows.
    fn rows(&self) -> usize {
        self.shape.images * self.shape.window.outputs()
    }

    /// Sizes of the output.
    pub fn output(&self) -> Vec<usize> {
        let s = &self.shape;
        [&[s.images], &s.window.output[3 - self.axes..], &[s.kernels]].concat()
    }

    fn is_depthwise(&self) -> bool {
        let s = &self.shape;
        s.groups > 1 && s.groups == s.channels && s.groups == s.kernels
    }
}

/// How a kernel over rows and packs of channels is laid out.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// Channels a thread reads at once.
    pub width: usize,
    /// Blocks: packs, rows.
    pub grid: [u32; 2],
    /// Threads: packs, rows.
    pub block: [u32; 2],
}

impl Cuda {
    /// A layout of about `blocks` blocks a processor for `rows × channels` entries at these addresses.
    pub fn layout(&self, dtype: DType, rows: usize, channels: usize, blocks: u32, at: &[u64]) -> Layout {
        let widest = 16 / dtype.size_in_bytes();
        let aligned = at.iter().all(|a| a % 16 == 0);
        let width = if channels.is_multiple_of(widest) && aligned { widest } else { 1 };
        let packs = channels / width;
        let across = packs.next_power_of_two().min(32) as u32;
        let down = 256 / across;
        let x = packs.div_ceil(across as usize) as u32;
        let most = rows.div_ceil(down as usize).min(65535) as u32;
        let y = (self.gpu.processors * blocks / x).clamp(1, most.max(1));
        Layout { width, grid: [x, y], block: [across, down] }
    }

    /// `y` of a convolution.
    pub fn forward(&self, x: &Tensor, w: &Tensor, conv: &Conv) -> Result<Tensor> {
        let s = &conv.shape;
        // Logits are kept in full.
        let dtype = if conv.axes == 0 { DType::F32 } else { x.dtype() };
        let y = self.gpu.empty(dtype, &conv.output())?;
        let (px, pw, py) = (pointer(x)?, pointer(w)?, pointer(&y)?);
        if s.window.is_pointwise() {
            self.pointwise(Pass::Forward, conv, [x.dtype(), w.dtype(), dtype], [px, pw, py])?;
        } else {
            let done = conv.is_depthwise() && self.depthwise("depthwise", conv, dtype, [px, pw, py])?
                || self.libraries && self.dnn.run(&self.gpu, Pass::Forward, *s, dtype, [px, pw, py])?;
            if !done {
                self.by_columns(Pass::Forward, conv, dtype, [px, pw, py])?;
            }
        }
        Ok(y)
    }

    /// Its derivative by `x`, of the type of `w`.
    pub fn by_input(&self, dy: &Tensor, w: &Tensor, shape: &[usize], conv: &Conv) -> Result<Tensor> {
        let (s, dtype) = (&conv.shape, w.dtype());
        let dx = self.gpu.empty(dtype, shape)?;
        let dy = self.cast(dy, dtype)?;
        let (pd, pw, px) = (pointer(&dy)?, pointer(w)?, pointer(&dx)?);
        if s.window.is_pointwise() {
            self.pointwise(Pass::ByInput, conv, [dtype; 3], [pd, pw, px])?;
        } else {
            let done = conv.is_depthwise()
                && self.depthwise("depthwise_by_input", conv, dtype, [pd, pw, px])?
                || self.libraries && self.dnn.run(&self.gpu, Pass::ByInput, *s, dtype, [pd, pw, px])?;
            if !done {
                self.by_columns(Pass::ByInput, conv, dtype, [pd, pw, px])?;
            }
        }
        Ok(dx)
    }

    /// Its derivative by `w`: f32, except that of cuDNN, which has the type of `x`.
    pub fn by_weight(&self, dy: &Tensor, x: &Tensor, shape: &[usize], conv: &Conv) -> Result<Tensor> {
        let (s, dtype) = (&conv.shape, x.dtype());
        let dy = self.cast(dy, dtype)?;
        let (pd, px) = (pointer(&dy)?, pointer(x)?);
        if !s.window.is_pointwise() && !conv.is_depthwise() && self.libraries {
            let dw = self.gpu.empty(dtype, shape)?;
            if self.dnn.run(&self.gpu, Pass::ByWeight, *s, dtype, [pd, px, pointer(&dw)?])? {
                return Ok(dw);
            }
        }
        let dw = self.gpu.empty(DType::F32, shape)?;
        let pw = pointer(&dw)?;
        if s.window.is_pointwise() {
            self.pointwise(Pass::ByWeight, conv, [dtype, dtype, DType::F32], [pd, px, pw])?;
        } else if conv.is_depthwise() {
            self.depthwise_by_weight(conv, dtype, [pd, px, pw])?;
        } else {
            self.by_columns(Pass::ByWeight, conv, dtype, [pd, px, pw])?;
        }
        Ok(dw)
    }

    /// One tap: a product for each group.
    fn pointwise(&self, pass: Pass, conv: &Conv, types: [DType; 3], [a, b, out]: [u64; 3]) -> Result<()> {
        let s = &conv.shape;
        let (g, rows) = (s.groups, conv.rows());
        let (c, o) = (s.channels / g, s.kernels / g);
        let matrix = |at, dtype, leading, transposed, apart| Matrix { at, dtype, leading, transposed, apart };
        let x = |at, dtype, transposed| matrix(at, dtype, s.channels, transposed, c);
        let y = |at, dtype, transposed| matrix(at, dtype, s.kernels, transposed, o);
        let w = |at, dtype, transposed| matrix(at, dtype, c, transposed, o * c);
        let [ta, tb, to] = types;
        match pass {
            Pass::Forward => {
                self.blas.product([rows, o, c], x(a, ta, false), w(b, tb, true), y(out, to, false), 0.0, g)
            }
            Pass::ByInput => {
                self.blas.product([rows, c, o], y(a, ta, false), w(b, tb, false), x(out, to, false), 0.0, g)
            }
            Pass::ByWeight => {
                self.blas.product([o, c, rows], y(a, ta, true), x(b, tb, false), w(out, to, false), 0.0, g)
            }
        }
    }

    /// Forward or by input; false if the weights are too large for the kernel.
    fn depthwise(&self, name: &str, conv: &Conv, dtype: DType, [a, w, out]: [u64; 3]) -> Result<bool> {
        let s = &conv.shape;
        let positions = if name == "depthwise" { s.window.outputs() } else { s.window.inputs() };
        let rows = s.images * positions;
        let l = self.layout(dtype, rows, s.channels, 16, &[a, out]);
        let shared = l.block[0] * (l.width * s.window.taps() * 4) as u32;
        if shared > SHARED {
            return Ok(false);
        }
        let places = [Places::from(&s.window)];
        let args = [At(a), At(w), At(out), Struct(bytes_of(&places)), Long(rows), Size(s.channels as u32)];
        let name = format!("{name}_{}_{}", suffix(dtype)?, l.width);
        self.gpu.launch(&name, [l.grid[0], l.grid[1], 1], l.block, shared, &args)?;
        Ok(true)
    }

    fn depthwise_by_weight(&self, conv: &Conv, dtype: DType, [dy, x, dw]: [u64; 3]) -> Result<()> {
        let s = &conv.shape;
        let (rows, taps) = (conv.rows(), s.window.taps());
        let runs = taps.div_ceil(TAPS) as u32;
        let l = self.layout(dtype, rows, s.channels, (4 / runs).max(1), &[dy, x]);
        let blocks = l.grid[1];
        let partial = self.gpu.empty(DType::F32, &[blocks as usize * taps * s.channels])?;
        let at = pointer(&partial)?;
        let places = [Places::from(&s.window)];
        let args = [At(dy), At(x), At(at), Struct(bytes_of(&places)), Long(rows), Size(s.channels as u32)];
        let name = format!("depthwise_by_weight_{}_{}", suffix(dtype)?, l.width);
        self.gpu.launch(&name, [l.grid[0], blocks, runs], l.block, 0, &args)?;
        let args = [At(at), At(dw), Size(blocks), Size(taps as u32), Size(s.channels as u32)];
        let grid = (taps * s.channels).div_ceil(8) as u32;
        self.gpu.launch("depthwise_finish", [grid, 1, 1], [256, 1], 0, &args)
    }

    /// The product by columns, some images at a time.
    fn by_columns(&self, pass: Pass, conv: &Conv, dtype: DType, [a, b, out]: [u64; 3]) -> Result<()> {
        let s = &conv.shape;
        let (inputs, outputs, taps) = (s.window.inputs(), s.window.outputs(), s.window.taps());
        let (g, size) = (s.groups, dtype.size_in_bytes());
        let (c, o) = (s.channels / g, s.kernels / g);
        let each = outputs * taps * s.channels * size;
        let together = (COLUMNS / each.max(1)).clamp(1, s.images);
        let name = suffix(dtype)?;
        let places = [Places::from(&s.window)];
        let places = bytes_of(&places);
        let columns = self.gpu.empty(dtype, &[together * outputs * taps * s.channels])?;
        let cols = pointer(&columns)?;
        for first in (0..s.images).step_by(together) {
            let images = together.min(s.images - first);
            let rows = images * outputs;
            let (skip_x, skip_y) =
                ((first * inputs * s.channels * size) as u64, (first * outputs * s.kernels * size) as u64);
            let deep = taps * c;
            let columns =
                |transposed| Matrix { at: cols, dtype, leading: deep, transposed, apart: rows * deep };
            let y = |at, transposed| Matrix { at, dtype, leading: s.kernels, transposed, apart: o };
            let w = |at, dtype, transposed| Matrix { at, dtype, leading: deep, transposed, apart: o * deep };
            let n = rows * taps * s.channels;
            let gather = |x: u64| {
                let args =
                    [At(x), At(cols), Struct(places), Long(rows), Size(s.channels as u32), Size(g as u32)];
                self.gpu.over(&format!("columns_{name}"), n, 1, &args)
            };
            match pass {
                Pass::Forward => {
                    gather(a + skip_x)?;
                    self.blas.product(
                        [rows, o, deep],
                        columns(false),
                        w(b, dtype, true),
                        y(out + skip_y, false),
                        0.0,
                        g,
                    )?;
                }
                Pass::ByInput => {
                    self.blas.product(
                        [rows, deep, o],
                        y(a + skip_y, false),
                        w(b, dtype, false),
                        columns(false),
                        0.0,
                        g,
                    )?;
                    let n = images * inputs * s.channels;
                    let args = [
                        At(cols),
                        At(out + skip_x),
                        Struct(places),
                        Long(rows),
                        Long(n),
                        Size(s.channels as u32),
                        Size(g as u32),
                    ];
                    self.gpu.over(&format!("columns_backward_{name}"), n, 1, &args)?;
                }
                Pass::ByWeight => {
                    gather(b + skip_x)?;
                    let beta = if first == 0 { 0.0 } else { 1.0 };
                    self.blas.product(
                        [o, deep, rows],
                        y(a + skip_y, true),
                        columns(false),
                        w(out, DType::F32, false),
                        beta,
                        g,
                    )?;
                }
            }
        }
        Ok(())
    }
}

/// End of a kernel's name.
pub fn suffix(dtype: DType) -> Result<&'static str> {
    match dtype {
        DType::F32 => Ok("f32"),
        DType::BF16 => Ok("bf16"),
        other => {
            Err(TrainError::shape("CUDA backend", format!("numbers of type {other:?}; use --device cpu")))
        }
    }
}
