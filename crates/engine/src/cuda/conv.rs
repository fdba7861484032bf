//! Which kernel convolves: products for single taps, our own for depthwise ones, cuDNN for the rest, and a product by
//! columns for what cuDNN does not do.

use candle_core::{DType, Tensor};

use super::device::Cuda;
use super::dnn::{Pass, Shape};
use super::gemm::Matrix;
use super::gpu::Arg::{At, Int, Long, Size, Struct};
use super::gpu::{Places, bytes_of, pointer, suffix};
use crate::{ConvSpec, Result, Window};

/// Bytes that columns may take at a time.
const COLUMNS: usize = 512 << 20;
/// Taps that a thread of the depthwise weight kernel adds up; `MOST` there.
const TAPS: usize = 9;
/// Outputs of a thread of the strip kernels; `STRIP` there.
const STRIP: usize = 4;
/// Lines of a kernel that a block of the strip kernel by weight does; `LINES` there.
const LINES: usize = 3;

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
        self.layout_of(16 / dtype.size_in_bytes(), rows, channels, blocks, at)
    }

    /// The same with packs of `widest` channels, or of one.
    fn layout_of(&self, widest: usize, rows: usize, channels: usize, blocks: u32, at: &[u64]) -> Layout {
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
    ///
    /// # Errors
    /// A call of CUDA that fails, for instance for want of memory.
    pub fn forward(&self, x: &Tensor, w: &Tensor, conv: &Conv) -> Result<Tensor> {
        let s = &conv.shape;
        // Logits are kept in full.
        let dtype = if conv.axes == 0 { DType::F32 } else { x.dtype() };
        let y = self.gpu.empty(dtype, &conv.output())?;
        let (px, pw, py) = (pointer(x)?, pointer(w)?, pointer(&y)?);
        if s.window.is_pointwise() {
            self.pointwise(Pass::Forward, conv, [x.dtype(), w.dtype(), dtype], [px, pw, py])?;
        } else {
            let done = conv.is_depthwise() && self.depthwise(Pass::Forward, conv, dtype, [px, pw, py])?
                || self.libraries && self.dnn.run(&self.gpu, Pass::Forward, *s, dtype, [px, pw, py])?;
            if !done {
                self.by_columns(Pass::Forward, conv, dtype, [px, pw, py])?;
            }
        }
        Ok(y)
    }

    /// Its derivative by `x`, of the type of `w`.
    ///
    /// # Errors
    /// A call of CUDA that fails, for instance for want of memory.
    pub fn by_input(&self, dy: &Tensor, w: &Tensor, shape: &[usize], conv: &Conv) -> Result<Tensor> {
        let (s, dtype) = (&conv.shape, w.dtype());
        let dx = self.gpu.empty(dtype, shape)?;
        let dy = self.cast(dy, dtype)?;
        let (pd, pw, px) = (pointer(&dy)?, pointer(w)?, pointer(&dx)?);
        if s.window.is_pointwise() {
            self.pointwise(Pass::ByInput, conv, [dtype; 3], [pd, pw, px])?;
        } else {
            let done = conv.is_depthwise() && self.depthwise(Pass::ByInput, conv, dtype, [pd, pw, px])?
                || self.libraries && self.dnn.run(&self.gpu, Pass::ByInput, *s, dtype, [pd, pw, px])?;
            if !done {
                self.by_columns(Pass::ByInput, conv, dtype, [pd, pw, px])?;
            }
        }
        Ok(dx)
    }

    /// Its derivative by `w`: f32, except that of cuDNN, which has the type of `x`.
    ///
    /// # Errors
    /// A call of CUDA that fails, for instance for want of memory.
    pub fn by_weight(&self, dy: &Tensor, x: &Tensor, shape: &[usize], conv: &Conv) -> Result<Tensor> {
        let (s, dtype) = (&conv.shape, x.dtype());
        let dy = self.cast(dy, dtype)?;
        let (pd, px) = (pointer(&dy)?, pointer(x)?);
        let dw = self.gpu.empty(DType::F32, shape)?;
        let pw = pointer(&dw)?;
        if s.window.is_pointwise() {
            self.pointwise(Pass::ByWeight, conv, [dtype, dtype, DType::F32], [pd, px, pw])?;
            return Ok(dw);
        }
        if conv.is_depthwise() && self.depthwise_by_weight(conv, dtype, [pd, px, pw])? {
            return Ok(dw);
        }
        if self.libraries {
            let narrow = self.gpu.empty(dtype, shape)?;
            if self.dnn.run(&self.gpu, Pass::ByWeight, *s, dtype, [pd, px, pointer(&narrow)?])? {
                return Ok(narrow);
            }
        }
        self.by_columns(Pass::ByWeight, conv, dtype, [pd, px, pw])?;
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

    /// Forward or by input; false if sizes are too large for the kernels, which keep the weights of a block's channels in
    /// shared memory.
    fn depthwise(&self, pass: Pass, conv: &Conv, dtype: DType, [a, w, out]: [u64; 3]) -> Result<bool> {
        let s = &conv.shape;
        let forward = pass == Pass::Forward;
        let rows = s.images * if forward { s.window.outputs() } else { s.window.inputs() };
        let name = suffix(dtype)?;
        let channels = Size(s.channels as u32);
        let shared = |l: &Layout| l.block[0] * (l.width * s.window.taps() * 4) as u32;
        // At stride 1 the derivative by the input is a convolution with mirrored weights.
        let mirrored = || mirrored(&s.window).filter(|_| !forward);
        if let Some((window, across)) = strips(if forward { Some(s.window) } else { mirrored() }) {
            let lines = rows / window.output[2] * window.output[2].div_ceil(STRIP);
            let l = self.layout(dtype, lines, s.channels, 16, &[a, out]);
            if l.width > 1 && shared(&l) <= self.gpu.shared && u32::try_from(lines).is_ok() {
                let places = [Places::from(&window)];
                let places = Struct(bytes_of(&places));
                let args =
                    [At(a), At(w), At(out), places, Size(lines as u32), channels, Int(i32::from(!forward))];
                let name = format!("depthwise_strip_{name}_{}_{across}", l.width);
                self.gpu.launch(&name, [l.grid[0], l.grid[1], 1], l.block, shared(&l), &args)?;
                return Ok(true);
            }
        }
        let l = self.layout(dtype, rows, s.channels, 16, &[a, out]);
        if shared(&l) > self.gpu.shared || u32::try_from(rows).is_err() {
            return Ok(false);
        }
        let places = [Places::from(&s.window)];
        let args = [At(a), At(w), At(out), Struct(bytes_of(&places)), Size(rows as u32), channels];
        let kernel = if forward { "depthwise" } else { "depthwise_by_input" };
        let name = format!("{kernel}_{name}_{}", l.width);
        self.gpu.launch(&name, [l.grid[0], l.grid[1], 1], l.block, shared(&l), &args)?;
        Ok(true)
    }

    /// False if sizes are too large for the kernels.
    fn depthwise_by_weight(&self, conv: &Conv, dtype: DType, [dy, x, dw]: [u64; 3]) -> Result<bool> {
        let s = &conv.shape;
        let (rows, taps) = (conv.rows(), s.window.taps());
        if u32::try_from(rows).is_err() {
            return Ok(false);
        }
        let places = [Places::from(&s.window)];
        let (name, channels) = (suffix(dtype)?, Size(s.channels as u32));
        let strips = strips(Some(s.window)).map(|(window, across)| {
            let lines = rows / window.output[2] * window.output[2].div_ceil(STRIP);
            let groups = (window.kernel[0] * window.kernel[1]).div_ceil(LINES) as u32;
            let blocks = (8 / groups).max(1);
            (across, lines, groups, self.layout_of(4, lines, s.channels, blocks, &[dy, x]))
        });
        let (kernel, items, groups, l) =
            if let Some((across, lines, groups, l)) = strips.filter(|(.., l)| l.width > 1) {
                (format!("depthwise_strip_by_weight_{name}_{}_{across}", l.width), lines, groups, l)
            } else {
                let groups = taps.div_ceil(TAPS) as u32;
                let l = self.layout(dtype, rows, s.channels, (4 / groups).max(1), &[dy, x]);
                (format!("depthwise_by_weight_{name}_{}", l.width), rows, groups, l)
            };
        let blocks = l.grid[1];
        let partial = self.gpu.empty(DType::F32, &[blocks as usize * taps * s.channels])?;
        let at = pointer(&partial)?;
        let args = [At(dy), At(x), At(at), Struct(bytes_of(&places)), Size(items as u32), channels];
        self.gpu.launch(&kernel, [l.grid[0], blocks, groups], l.block, 0, &args)?;
        let args = [At(at), At(dw), Size(blocks), Size(taps as u32), channels];
        let grid = (taps * s.channels).div_ceil(8) as u32;
        self.gpu.launch("depthwise_finish", [grid, 1, 1], [256, 1], 0, &args)?;
        Ok(true)
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

/// The window over outputs whose convolution with mirrored weights is the derivative by the input; at stride 1 only.
fn mirrored(w: &Window) -> Option<Window> {
    let mut padding = [0; 3];
    for j in 0..3 {
        padding[j] = (w.dilation[j] * (w.kernel[j] - 1)).checked_sub(w.padding[j])?;
    }
    (w.stride == [1; 3]).then_some(Window { input: w.output, output: w.input, padding, ..*w })
}

/// The window and its taps on the last axis, if the strip kernels do it.
fn strips(window: Option<Window>) -> Option<(Window, usize)> {
    let w = window.filter(|w| w.stride[2] == 1 && w.dilation[2] == 1)?;
    matches!(w.kernel[2], 1 | 3 | 5).then_some((w, w.kernel[2]))
}
