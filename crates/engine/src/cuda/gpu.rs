//! One GPU: its stream, memory, and the kernels of `kernels.cu`.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Arc, Mutex, OnceLock};

use candle_core::cuda_backend::{CudaStorageSlice, cudarc};
use candle_core::op::BackpropOp;
use candle_core::{CudaDevice, CudaStorage, DType, Device, Shape, Storage, Tensor};
use cudarc::driver::sys::{self, CUdevice_attribute, CUmemPool_attribute};
use cudarc::driver::{CudaContext, CudaFunction, CudaModule, CudaStream, DevicePtr};

use crate::Window;
use crate::{EngineError, Result};

const SOURCE: &str = include_str!("kernels.cu");

/// Kernels by number of the GPU.
static LOADED: Mutex<Vec<(usize, Arc<CudaModule>)>> = Mutex::new(Vec::new());

/// An error of the driver or a library.
pub fn failed(operation: &'static str) -> impl FnOnce(&dyn std::fmt::Debug) -> EngineError {
    move |e| EngineError::Gpu { operation, reason: format!("{e:?}") }
}

/// `Result` of a library as ours.
pub fn check<T, E: std::fmt::Debug>(result: std::result::Result<T, E>, operation: &'static str) -> Result<T> {
    result.map_err(|e| failed(operation)(&e))
}

/// A window as the kernels read it.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Places([[i32; 3]; 6]);

impl From<&Window> for Places {
    fn from(w: &Window) -> Self {
        let of = |v: [usize; 3]| v.map(|v| v as i32);
        Self([w.input, w.kernel, w.stride, w.padding, w.dilation, w.output].map(of))
    }
}

/// A GPU with a stream of its own.
pub struct Gpu {
    /// The device as tensors know it.
    pub device: Device,
    /// The same as candle's backend knows it.
    cuda: CudaDevice,
    /// All work runs here, in order.
    pub stream: Arc<CudaStream>,
    module: Arc<CudaModule>,
    functions: Mutex<HashMap<String, CudaFunction>>,
    /// Multiprocessors.
    pub processors: u32,
    /// Bytes of shared memory that a block may ask for.
    pub shared: u32,
    name: OnceLock<String>,
}

impl std::fmt::Debug for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.name())
    }
}

impl Gpu {
    /// GPU number `ordinal`.
    ///
    /// # Errors
    /// No driver, no such GPU, kernels that do not compile.
    pub fn new(ordinal: usize) -> Result<Self> {
        let cuda = CudaDevice::new_with_stream(ordinal).map_err(|e| {
            // Without the trace that candle adds.
            let text = e.to_string();
            let reason = text.lines().next().unwrap_or_default();
            let mend = format!("it does not open ({reason}); run nvidia-smi, or use --device cpu");
            EngineError::bad("--device", format!("cuda:{ordinal}"), mend)
        })?;
        // SAFETY: all work of this device runs on its one stream, in order.
        unsafe { cuda.disable_event_tracking() };
        let stream = cuda.cuda_stream();
        let context = stream.context().clone();
        keep_pool(context.cu_device())?;
        let what = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;
        let processors = check(context.attribute(what), "device attribute")? as u32;
        let what = CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
        let shared = check(context.attribute(what), "device attribute")? as u32;
        let module = kernels(&context, ordinal)?;
        let device = Device::Cuda(cuda.clone());
        Ok(Self {
            device,
            cuda,
            stream,
            module,
            functions: Mutex::default(),
            processors,
            shared,
            name: OnceLock::new(),
        })
    }

    /// The GPU's name.
    pub fn name(&self) -> &str {
        self.name.get_or_init(|| self.stream.context().name().unwrap_or_else(|_| "GPU".to_owned()))
    }

    /// Free and total memory in bytes.
    pub fn memory(&self) -> (usize, usize) {
        self.stream.context().mem_get_info().unwrap_or((0, 0))
    }

    /// Waits until all work is done.
    pub fn wait(&self) -> Result<()> {
        check(self.stream.synchronize(), "synchronise")
    }

    /// Gives memory that no tensor uses back to the driver.
    pub fn trim(&self) -> Result<()> {
        self.wait()?;
        // SAFETY: the pool is the device's own, nothing in use is freed.
        unsafe {
            let pool = pool(self.stream.context().cu_device())?;
            check(sys::cuMemPoolTrimTo(pool, 0).result(), "memory pool")?;
            // Recorded steps that are gone leave theirs in another one.
            check(sys::cuDeviceGraphMemTrim(self.stream.context().cu_device()).result(), "memory of graphs")
        }
    }

    /// A tensor of any values.
    pub fn empty(&self, dtype: DType, shape: &[usize]) -> Result<Tensor> {
        let shape = Shape::from(shape);
        let n = shape.elem_count().max(1);
        // SAFETY: callers write every entry before it is read.
        let slice = unsafe {
            match dtype {
                DType::F32 => CudaStorageSlice::F32(self.cuda.alloc(n)?),
                DType::F64 => CudaStorageSlice::F64(self.cuda.alloc(n)?),
                DType::BF16 => CudaStorageSlice::BF16(self.cuda.alloc(n)?),
                DType::U32 => CudaStorageSlice::U32(self.cuda.alloc(n)?),
                DType::U8 => CudaStorageSlice::U8(self.cuda.alloc(n)?),
                other => {
                    return Err(EngineError::shape("CUDA backend", format!("numbers of type {other:?}")));
                }
            }
        };
        let storage = Storage::Cuda(CudaStorage { slice, device: self.cuda.clone() });
        Ok(Tensor::from_storage(storage, shape, BackpropOp::none(), false))
    }

    /// Writes bytes to a tensor's memory.
    ///
    /// # Errors
    /// More bytes than it has.
    pub fn upload(&self, t: &Tensor, bytes: &[u8]) -> Result<()> {
        if bytes.len() > t.elem_count() * t.dtype().size_in_bytes() {
            return Err(EngineError::shape("upload", format!("{} bytes for {:?}", bytes.len(), t.shape())));
        }
        let to = pointer(t)?;
        check(self.stream.context().bind_to_thread(), "context")?;
        // SAFETY: the memory has room, and the driver copies pageable memory before it returns.
        check(
            unsafe { cudarc::driver::result::memcpy_htod_async(to, bytes, self.stream.cu_stream()) },
            "copy to the GPU",
        )
    }

    /// Fills a tensor with zeros.
    pub fn clear(&self, t: &Tensor) -> Result<()> {
        let bytes = t.elem_count() * t.dtype().size_in_bytes();
        check(self.stream.context().bind_to_thread(), "context")?;
        // SAFETY: the tensor has that many bytes.
        check(
            unsafe {
                cudarc::driver::result::memset_d8_async(pointer(t)?, 0, bytes, self.stream.cu_stream())
            },
            "fill with zeros",
        )
    }

    /// Runs a kernel: `grid` blocks of `block` threads with `shared` bytes beside its own.
    pub fn launch(
        &self,
        name: &str,
        grid: [u32; 3],
        block: [u32; 2],
        shared: u32,
        args: &[Arg],
    ) -> Result<()> {
        let mut functions = self.functions.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if !functions.contains_key(name) {
            let function = check(self.module.load_function(name), "kernel")?;
            functions.insert(name.to_owned(), function);
        }
        // The module keeps the function; the clone only carries its handle.
        let function = functions[name].clone();
        drop(functions);
        if shared > 48 << 10 {
            let what = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            check(function.set_attribute(what, shared as i32), "shared memory")?;
        }
        let mut parameters: Vec<*mut c_void> = args.iter().map(Arg::address).collect();
        check(self.stream.context().bind_to_thread(), "context")?;
        // SAFETY: names and arguments are those of `kernels.cu`, sizes are those of the tensors.
        let launched = unsafe {
            cudarc::driver::result::launch_kernel(
                function.cu_function(),
                (grid[0], grid[1], grid[2]),
                (block[0], block[1], 1),
                shared,
                self.stream.cu_stream(),
                &mut parameters,
            )
        };
        check(launched, "kernel launch")
    }

    /// A kernel over `n` entries, `each` a thread.
    pub fn over(&self, name: &str, n: usize, each: usize, args: &[Arg]) -> Result<()> {
        let blocks = n.div_ceil(256 * each).max(1);
        let blocks = u32::try_from(blocks).ok().filter(|b| *b < 1 << 31).ok_or_else(|| {
            EngineError::shape("CUDA backend", format!("{n} entries are too many for a kernel"))
        })?;
        self.launch(name, [blocks, 1, 1], [256, 1], 0, args)
    }
}

/// An argument of a kernel.
#[derive(Debug, Clone, Copy)]
pub enum Arg<'a> {
    /// A device address.
    At(u64),
    /// A size of 64 bits.
    Long(usize),
    /// A size of 32 bits.
    Size(u32),
    /// An integer.
    Int(i32),
    /// A number.
    Float(f32),
    /// A number in double precision.
    Double(f64),
    /// A structure by value: its bytes, aligned as it is.
    Struct(&'a [u8]),
}

impl Arg<'_> {
    fn address(&self) -> *mut c_void {
        match self {
            Self::At(v) => std::ptr::from_ref(v).cast_mut().cast(),
            Self::Long(v) => std::ptr::from_ref(v).cast_mut().cast(),
            Self::Size(v) => std::ptr::from_ref(v).cast_mut().cast(),
            Self::Int(v) => std::ptr::from_ref(v).cast_mut().cast(),
            Self::Float(v) => std::ptr::from_ref(v).cast_mut().cast(),
            Self::Double(v) => std::ptr::from_ref(v).cast_mut().cast(),
            Self::Struct(v) => v.as_ptr().cast_mut().cast(),
        }
    }
}

/// Structures without padding that kernels or copies take as bytes.
///
/// # Safety
/// Every byte of a value is written.
pub unsafe trait Plain: Copy {}
// SAFETY: integers and pointers only, no padding.
unsafe impl Plain for Places {}
// SAFETY: as above.
unsafe impl Plain for [i32; 3] {}
// SAFETY: as above.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for f32 {}

/// The bytes of values.
pub fn bytes_of<T: Plain>(values: &[T]) -> &[u8] {
    // SAFETY: the trait's.
    unsafe { std::slice::from_raw_parts(values.as_ptr().cast(), std::mem::size_of_val(values)) }
}

/// The kernels on GPU number `ordinal`, compiled and loaded once a process.
fn kernels(context: &Arc<CudaContext>, ordinal: usize) -> Result<Arc<CudaModule>> {
    let mut all = LOADED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some((_, module)) = all.iter().find(|(known, _)| *known == ordinal) {
        return Ok(module.clone());
    }
    let attribute = |a| check(context.attribute(a), "device attribute");
    let major = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
    let minor = attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
    let options = vec![format!("--gpu-architecture=compute_{major}{minor}"), "--std=c++17".to_owned()];
    let options = cudarc::nvrtc::CompileOptions { options, ..Default::default() };
    let ptx = check(cudarc::nvrtc::compile_ptx_with_opts(SOURCE, options), "compilation of the kernels")?;
    let module = check(context.load_module(ptx), "kernels")?;
    all.push((ordinal, module.clone()));
    Ok(module)
}

/// # Safety
/// The device exists.
unsafe fn pool(device: sys::CUdevice) -> Result<sys::CUmemoryPool> {
    let mut pool = std::ptr::null_mut();
    // SAFETY: the caller's.
    check(unsafe { sys::cuDeviceGetDefaultMemPool(&mut pool, device).result() }, "memory pool")?;
    Ok(pool)
}

/// Keeps freed memory for the next tensors: by default every synchronisation gives it back.
fn keep_pool(device: sys::CUdevice) -> Result<()> {
    let mut most = u64::MAX;
    let what = CUmemPool_attribute::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
    // SAFETY: the attribute is a u64.
    unsafe {
        let pool = pool(device)?;
        check(
            sys::cuMemPoolSetAttribute(pool, what, (&raw mut most).cast::<c_void>()).result(),
            "memory pool",
        )
    }
}

/// Device address of a contiguous tensor. No guard is kept: frees are in stream order.
///
/// # Errors
/// A tensor elsewhere, or with gaps.
pub fn pointer(t: &Tensor) -> Result<u64> {
    if !t.is_contiguous() {
        return Err(EngineError::shape("CUDA backend", format!("a tensor of {:?} has gaps", t.shape())));
    }
    let (storage, layout) = t.storage_and_layout();
    let Storage::Cuda(storage) = &*storage else {
        return Err(EngineError::shape("CUDA backend", "a tensor is not on the GPU"));
    };
    let stream = storage.device.cuda_stream();
    let start = match &storage.slice {
        CudaStorageSlice::F32(s) => s.device_ptr(&stream).0,
        CudaStorageSlice::F64(s) => s.device_ptr(&stream).0,
        CudaStorageSlice::BF16(s) => s.device_ptr(&stream).0,
        CudaStorageSlice::U32(s) => s.device_ptr(&stream).0,
        CudaStorageSlice::U8(s) => s.device_ptr(&stream).0,
        _ => {
            return Err(EngineError::shape("CUDA backend", format!("numbers of type {:?}", t.dtype())));
        }
    };
    let at = start + (layout.start_offset() * t.dtype().size_in_bytes()) as u64;
    // Kernels read 16 bytes at once; a fault there would end the process's use of the GPU.
    if at.is_multiple_of(16) {
        Ok(at)
    } else {
        Err(EngineError::shape(
            "CUDA backend",
            format!("a part of a tensor, {:?}, is not aligned", t.shape()),
        ))
    }
}

/// End of a kernel's name.
pub fn suffix(dtype: DType) -> Result<&'static str> {
    match dtype {
        DType::F32 => Ok("f32"),
        DType::BF16 => Ok("bf16"),
        other => {
            Err(EngineError::shape("CUDA backend", format!("numbers of type {other:?}; use --device cpu")))
        }
    }
}
