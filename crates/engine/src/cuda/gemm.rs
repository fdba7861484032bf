//! Matrix products by cuBLAS. Matrices are in C order; cuBLAS reads them as their transposes.

use std::ffi::c_void;

use candle_core::DType;
use candle_core::cuda_backend::cudarc;
use cudarc::cublas::sys::{
    self, cublasComputeType_t, cublasGemmAlgo_t, cublasMath_t, cublasOperation_t, cudaDataType_t,
};

use super::gpu::{Gpu, check};
use crate::Precision;
use crate::{EngineError, Result};

/// A matrix on the GPU: address, entries from row to row, whether rows of memory are its columns, entries from matrix to
/// matrix in a batch.
#[derive(Debug, Clone, Copy)]
pub struct Matrix {
    /// Its first entry.
    pub at: u64,
    /// Type of its entries.
    pub dtype: DType,
    /// Entries from row to row of memory.
    pub leading: usize,
    /// Whether rows of memory are its columns.
    pub transposed: bool,
    /// Entries from one matrix of a batch to the next.
    pub apart: usize,
}

/// cuBLAS on one stream.
pub struct Blas {
    handle: cudarc::cublas::CudaBlas,
    compute: cublasComputeType_t,
    /// Kept so that results don't depend on what runs beside it.
    _workspace: cudarc::driver::CudaSlice<u8>,
}

/// What NVIDIA recommends on the largest GPUs.
const WORKSPACE: usize = 32 << 20;

impl Blas {
    pub fn new(gpu: &Gpu, precision: Precision) -> Result<Self> {
        let blas = check(cudarc::cublas::CudaBlas::new(gpu.stream.clone()), "cuBLAS")?;
        let compute = match precision {
            Precision::F32 => cublasComputeType_t::CUBLAS_COMPUTE_32F,
            Precision::Tf32 | Precision::Bf16 => cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
        };
        let workspace = check(gpu.stream.alloc_zeros::<u8>(WORKSPACE), "cuBLAS")?;
        let at = cudarc::driver::DevicePtr::device_ptr(&workspace, &gpu.stream).0;
        // SAFETY: the handle is alive, and the workspace lives as long as it.
        unsafe {
            check(
                sys::cublasSetWorkspace_v2(*blas.handle(), at as *mut c_void, WORKSPACE).result(),
                "cuBLAS",
            )?;
            // bf16 products must not add up in bf16.
            let mode = cublasMath_t::CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
            check(sys::cublasSetMathMode(*blas.handle(), mode).result(), "cuBLAS")?;
        }
        Ok(Self { handle: blas, compute, _workspace: workspace })
    }

    /// `c ← a b` in single precision, whatever the backend's.
    pub fn exact_product(
        &self,
        sides: [usize; 3],
        a: Matrix,
        b: Matrix,
        c: Matrix,
        batch: usize,
    ) -> Result<()> {
        self.product_in(cublasComputeType_t::CUBLAS_COMPUTE_32F, sides, a, b, c, 0.0, batch)
    }

    /// `c ← a b + beta c` for `a` of `m × k`, `b` of `k × n`, `batch` times; `c` is not transposed.
    pub fn product(
        &self,
        sides: [usize; 3],
        a: Matrix,
        b: Matrix,
        c: Matrix,
        beta: f32,
        batch: usize,
    ) -> Result<()> {
        let compute = match a.dtype {
            DType::BF16 => cublasComputeType_t::CUBLAS_COMPUTE_32F,
            _ => self.compute,
        };
        self.product_in(compute, sides, a, b, c, beta, batch)
    }

    // What cuBLAS takes.
    #[allow(clippy::too_many_arguments)]
    fn product_in(
        &self,
        compute: cublasComputeType_t,
        [m, n, k]: [usize; 3],
        a: Matrix,
        b: Matrix,
        c: Matrix,
        beta: f32,
        batch: usize,
    ) -> Result<()> {
        if m * n * k * batch == 0 {
            return Ok(());
        }
        let int = |v: usize| {
            i32::try_from(v).map_err(|_| EngineError::shape("CUDA backend", format!("a matrix side of {v}")))
        };
        let operation = |m: Matrix| {
            if m.transposed { cublasOperation_t::CUBLAS_OP_T } else { cublasOperation_t::CUBLAS_OP_N }
        };
        let one = 1.0f32;
        let scalar = |v: &f32| std::ptr::from_ref(v).cast::<c_void>();
        // In column order the product is cᵀ = bᵀ aᵀ.
        // SAFETY: sizes and addresses are those of tensors.
        let status = unsafe {
            let handle = *self.handle.handle();
            let (alpha, beta) = (scalar(&one), scalar(&beta));
            let (left, right, out) = (b.at as *const c_void, a.at as *const c_void, c.at as *mut c_void);
            let (m, n, k) = (int(n)?, int(m)?, int(k)?);
            let (ldl, ldr, ldo) = (int(b.leading)?, int(a.leading)?, int(c.leading)?);
            let (left_kind, right_kind, out_kind) = (kind(b.dtype)?, kind(a.dtype)?, kind(c.dtype)?);
            let any = cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT;
            let (left_op, right_op) = (operation(b), operation(a));
            if batch == 1 {
                // Long sums are split over the GPU only in this one.
                sys::cublasGemmEx(
                    handle, left_op, right_op, m, n, k, alpha, left, left_kind, ldl, right, right_kind, ldr,
                    beta, out, out_kind, ldo, compute, any,
                )
            } else {
                let (sl, sr, so) = (b.apart as i64, a.apart as i64, c.apart as i64);
                sys::cublasGemmStridedBatchedEx(
                    handle,
                    left_op,
                    right_op,
                    m,
                    n,
                    k,
                    alpha,
                    left,
                    left_kind,
                    ldl,
                    sl,
                    right,
                    right_kind,
                    ldr,
                    sr,
                    beta,
                    out,
                    out_kind,
                    ldo,
                    so,
                    int(batch)?,
                    compute,
                    any,
                )
            }
        };
        check(status.result(), "matrix product")
    }
}

fn kind(dtype: DType) -> Result<cudaDataType_t> {
    match dtype {
        DType::F32 => Ok(cudaDataType_t::CUDA_R_32F),
        DType::BF16 => Ok(cudaDataType_t::CUDA_R_16BF),
        other => Err(EngineError::shape("matrix product", format!("numbers of type {other:?}"))),
    }
}
