//! Convolutions by cuDNN, channels last, two or three spatial axes.
//!
//! For each shape the algorithms that the library offers are listed once, the fastest first; one that fails is struck off,
//! and where none is left the caller takes the product by columns.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::c_void;
use std::sync::Mutex;

use candle_core::DType;
use candle_core::cuda_backend::cudarc;
// Its names carry the library's prefix; most of them are needed.
#[allow(clippy::wildcard_imports)]
use cudarc::cudnn::sys::{self, *};

use super::gpu::{Gpu, check, pointer};
use crate::{EngineError, Result};
use crate::{Precision, Window};

/// What is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pass {
    /// y from x and w.
    Forward,
    /// dx from dy and w.
    ByInput,
    /// dw from dy and x.
    ByWeight,
}

/// Shape of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Images.
    pub images: usize,
    /// Sizes, strides ….
    pub window: Window,
    /// Input channels.
    pub channels: usize,
    /// Output channels.
    pub kernels: usize,
    /// Groups of channels.
    pub groups: usize,
}

/// An algorithm, its math and its workspace.
#[derive(Debug, Clone, Copy)]
struct Choice {
    algorithm: u32,
    math: cudnnMathType_t,
    workspace: usize,
}

struct Plan {
    x: cudnnTensorDescriptor_t,
    y: cudnnTensorDescriptor_t,
    w: cudnnFilterDescriptor_t,
    c: cudnnConvolutionDescriptor_t,
    /// What is left to try, the best first.
    choices: Vec<Choice>,
}

impl Drop for Plan {
    fn drop(&mut self) {
        // SAFETY: made by this library, used by nobody else.
        unsafe {
            cudnnDestroyTensorDescriptor(self.x);
            cudnnDestroyTensorDescriptor(self.y);
            cudnnDestroyFilterDescriptor(self.w);
            cudnnDestroyConvolutionDescriptor(self.c);
        }
    }
}

/// cuDNN on one stream.
pub struct Dnn {
    handle: cudnnHandle_t,
    precision: Precision,
    plans: Mutex<HashMap<(Pass, Shape, DType), Plan>>,
}

// SAFETY: the handle is used by one thread at a time, behind the lock.
unsafe impl Send for Dnn {}
// SAFETY: as above.
unsafe impl Sync for Dnn {}

impl Drop for Dnn {
    fn drop(&mut self) {
        self.plans.get_mut().unwrap_or_else(std::sync::PoisonError::into_inner).clear();
        // SAFETY: nothing uses it any more.
        unsafe { cudnnDestroy(self.handle) };
    }
}

fn ok(status: cudnnStatus_t, what: &'static str) -> Result<()> {
    match status {
        cudnnStatus_t::CUDNN_STATUS_SUCCESS => Ok(()),
        other => Err(EngineError::Gpu { operation: what, reason: format!("{other:?}") }),
    }
}

/// Whether an algorithm does not do this convolution here; other failures say nothing about it.
fn cannot(status: cudnnStatus_t) -> bool {
    let name = format!("{status:?}");
    ["NOT_SUPPORTED", "BAD_PARAM", "EXECUTION_FAILED"].iter().any(|kind| name.contains(kind))
}

/// Most bytes an algorithm may use beside its tensors.
const WORKSPACE: usize = 1 << 30;

impl Dnn {
    pub fn new(gpu: &Gpu, precision: Precision) -> Result<Self> {
        check(gpu.stream.context().bind_to_thread(), "context")?;
        let mut handle = std::ptr::null_mut();
        // SAFETY: the stream lives as long as the backend.
        unsafe {
            ok(cudnnCreate(&mut handle), "cuDNN")?;
            ok(cudnnSetStream(handle, gpu.stream.cu_stream() as sys::cudaStream_t), "cuDNN")?;
        }
        Ok(Self { handle, precision, plans: Mutex::default() })
    }

    /// Version of the library.
    pub fn version() -> usize {
        // SAFETY: no arguments.
        unsafe { cudnnGetVersion() }
    }

    /// Runs a pass on device addresses; false if no algorithm of the library does it. `out` is written whole.
    pub fn run(
        &self,
        gpu: &Gpu,
        pass: Pass,
        shape: Shape,
        dtype: DType,
        [a, b, out]: [u64; 3],
    ) -> Result<bool> {
        let mut plans = self.plans.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        check(gpu.stream.context().bind_to_thread(), "context")?;
        let plan = match plans.entry((pass, shape, dtype)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.plan(pass, &shape, dtype)?),
        };
        while let Some(choice) = plan.choices.first().copied() {
            let space = gpu.empty(DType::U8, &[choice.workspace.max(256)])?;
            // SAFETY: descriptors and addresses are of one convolution.
            let status = unsafe {
                ok(cudnnSetConvolutionMathType(plan.c, choice.math), "cuDNN")?;
                self.execute(pass, plan, choice, [a, b, out], pointer(&space)?)
            };
            match status {
                cudnnStatus_t::CUDNN_STATUS_SUCCESS => return Ok(true),
                status if cannot(status) => plan.choices.remove(0),
                status => {
                    return Err(EngineError::Gpu { operation: "convolution", reason: format!("{status:?}") });
                }
            };
        }
        Ok(false)
    }

    unsafe fn execute(
        &self,
        pass: Pass,
        plan: &Plan,
        choice: Choice,
        [a, b, out]: [u64; 3],
        space: u64,
    ) -> cudnnStatus_t {
        let (one, zero) = (1.0f32, 0.0f32);
        let scalar = |v: &f32| std::ptr::from_ref(v).cast::<c_void>();
        let (alpha, beta) = (scalar(&one), scalar(&zero));
        let (a, b, out, space) =
            (a as *const c_void, b as *const c_void, out as *mut c_void, space as *mut c_void);
        let size = choice.workspace;
        // SAFETY: the caller's; the numbers of algorithms came from the library.
        unsafe {
            match pass {
                Pass::Forward => {
                    let algorithm = std::mem::transmute::<u32, cudnnConvolutionFwdAlgo_t>(choice.algorithm);
                    cudnnConvolutionForward(
                        self.handle,
                        alpha,
                        plan.x,
                        a,
                        plan.w,
                        b,
                        plan.c,
                        algorithm,
                        space,
                        size,
                        beta,
                        plan.y,
                        out,
                    )
                }
                Pass::ByInput => {
                    let algorithm =
                        std::mem::transmute::<u32, cudnnConvolutionBwdDataAlgo_t>(choice.algorithm);
                    cudnnConvolutionBackwardData(
                        self.handle,
                        alpha,
                        plan.w,
                        b,
                        plan.y,
                        a,
                        plan.c,
                        algorithm,
                        space,
                        size,
                        beta,
                        plan.x,
                        out,
                    )
                }
                Pass::ByWeight => {
                    let algorithm =
                        std::mem::transmute::<u32, cudnnConvolutionBwdFilterAlgo_t>(choice.algorithm);
                    cudnnConvolutionBackwardFilter(
                        self.handle,
                        alpha,
                        plan.x,
                        b,
                        plan.y,
                        a,
                        plan.c,
                        algorithm,
                        space,
                        size,
                        beta,
                        plan.w,
                        out,
                    )
                }
            }
        }
    }

    fn plan(&self, pass: Pass, shape: &Shape, dtype: DType) -> Result<Plan> {
        let w = &shape.window;
        // One axis is two with a size of 1; three only where the first is used.
        let from = usize::from(w.input[0] == 1 && w.kernel[0] == 1 && w.padding[0] == 0);
        let ints = |v: &[usize]| v.iter().map(|v| *v as i32).collect::<Vec<i32>>();
        let sizes = |n: usize, c: usize, spatial: &[usize; 3]| ints(&[&[n, c], &spatial[from..]].concat());
        let kind = match dtype {
            DType::BF16 => cudnnDataType_t::CUDNN_DATA_BFLOAT16,
            _ => cudnnDataType_t::CUDNN_DATA_FLOAT,
        };
        let last = cudnnTensorFormat_t::CUDNN_TENSOR_NHWC;
        let mut plan = Plan {
            x: std::ptr::null_mut(),
            y: std::ptr::null_mut(),
            w: std::ptr::null_mut(),
            c: std::ptr::null_mut(),
            choices: Vec::new(),
        };
        let input = sizes(shape.images, shape.channels, &w.input);
        let output = sizes(shape.images, shape.kernels, &w.output);
        let filter = sizes(shape.kernels, shape.channels / shape.groups, &w.kernel);
        let [padding, stride, dilation] = [w.padding, w.stride, w.dilation].map(|v| ints(&v[from..]));
        let axes = input.len() as i32;
        // SAFETY: lists have the lengths given.
        unsafe {
            ok(cudnnCreateTensorDescriptor(&mut plan.x), "cuDNN")?;
            ok(cudnnCreateTensorDescriptor(&mut plan.y), "cuDNN")?;
            ok(cudnnCreateFilterDescriptor(&mut plan.w), "cuDNN")?;
            ok(cudnnCreateConvolutionDescriptor(&mut plan.c), "cuDNN")?;
            let set = [
                cudnnSetTensorNdDescriptorEx(plan.x, last, kind, axes, input.as_ptr()),
                cudnnSetTensorNdDescriptorEx(plan.y, last, kind, axes, output.as_ptr()),
                cudnnSetFilterNdDescriptor(plan.w, kind, last, axes, filter.as_ptr()),
                cudnnSetConvolutionNdDescriptor(
                    plan.c,
                    axes - 2,
                    padding.as_ptr(),
                    stride.as_ptr(),
                    dilation.as_ptr(),
                    cudnnConvolutionMode_t::CUDNN_CROSS_CORRELATION,
                    cudnnDataType_t::CUDNN_DATA_FLOAT,
                ),
                cudnnSetConvolutionGroupCount(plan.c, shape.groups as i32),
                cudnnSetConvolutionMathType(plan.c, self.math(dtype)),
            ];
            // What the library does not know has no choices.
            if set.iter().all(|s| *s == cudnnStatus_t::CUDNN_STATUS_SUCCESS) {
                plan.choices = self.choices(pass, &plan);
            }
        }
        Ok(plan)
    }

    fn math(&self, dtype: DType) -> cudnnMathType_t {
        match (self.precision, dtype) {
            (Precision::F32, _) => cudnnMathType_t::CUDNN_FMA_MATH,
            (_, DType::BF16) => cudnnMathType_t::CUDNN_TENSOR_OP_MATH,
            _ => cudnnMathType_t::CUDNN_DEFAULT_MATH,
        }
    }

    /// Algorithms that give the same bits every time, the fastest by the library's own reckoning first.
    unsafe fn choices(&self, pass: Pass, plan: &Plan) -> Vec<Choice> {
        const MOST: usize = 10;
        let mut found = 0i32;
        macro_rules! ask {
            ($ask:ident, $perf:ty, $($descriptor:expr),+) => {{
                // SAFETY: plain numbers, filled by the library.
                let mut all: [$perf; MOST] = unsafe { std::mem::zeroed() };
                // SAFETY: descriptors of one convolution.
                let status = unsafe { $ask(self.handle, $($descriptor),+, MOST as i32, &mut found, all.as_mut_ptr()) };
                if status != cudnnStatus_t::CUDNN_STATUS_SUCCESS {
                    return Vec::new();
                }
                all[..(found.max(0) as usize).min(MOST)]
                    .iter()
                    .filter(|p| {
                        p.status == cudnnStatus_t::CUDNN_STATUS_SUCCESS
                            && p.memory <= WORKSPACE
                            && p.determinism == cudnnDeterminism_t::CUDNN_DETERMINISTIC
                    })
                    .map(|p| Choice {
                        algorithm: p.algo as u32,
                        math: if self.precision == Precision::F32 { cudnnMathType_t::CUDNN_FMA_MATH } else { p.mathType },
                        workspace: p.memory,
                    })
                    .collect()
            }};
        }
        match pass {
            Pass::Forward => {
                ask!(
                    cudnnGetConvolutionForwardAlgorithm_v7,
                    cudnnConvolutionFwdAlgoPerf_t,
                    plan.x,
                    plan.w,
                    plan.c,
                    plan.y
                )
            }
            Pass::ByInput => {
                ask!(
                    cudnnGetConvolutionBackwardDataAlgorithm_v7,
                    cudnnConvolutionBwdDataAlgoPerf_t,
                    plan.w,
                    plan.y,
                    plan.c,
                    plan.x
                )
            }
            Pass::ByWeight => {
                ask!(
                    cudnnGetConvolutionBackwardFilterAlgorithm_v7,
                    cudnnConvolutionBwdFilterAlgoPerf_t,
                    plan.x,
                    plan.y,
                    plan.c,
                    plan.w
                )
            }
        }
    }
}
