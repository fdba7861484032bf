//! Numbers the portable backend computes with, and slices of tensors.

use candle_core::{Layout, Storage, Tensor, WithDType};
use cblas_sys::{CBLAS_LAYOUT, CBLAS_TRANSPOSE};
use num_traits::{Float, NumAssign};

use crate::{EngineError, Result};

/// `f32` or `f64`.
pub trait Real: WithDType + Float + NumAssign + std::iter::Sum + Send + Sync + 'static {
    /// From a double.
    fn of(v: f64) -> Self;
    /// To a double.
    fn double(self) -> f64;
    /// `c ← a b + beta c` on raw matrices in C order.
    ///
    /// # Safety
    /// The matrices have the sizes and strides given.
    unsafe fn gemm(shape: [usize; 3], a: Operand<Self>, b: Operand<Self>, beta: Self, c: (*mut Self, usize));
}

/// A matrix of a product: pointer, entries from row to row, transposed or not.
pub type Operand<T> = (*const T, usize, bool);

macro_rules! real {
    ($t:ty, $gemm:path) => {
        impl Real for $t {
            fn of(v: f64) -> Self {
                v as Self
            }

            fn double(self) -> f64 {
                f64::from(self)
            }

            unsafe fn gemm(
                [m, n, k]: [usize; 3],
                a: Operand<Self>,
                b: Operand<Self>,
                beta: Self,
                c: (*mut Self, usize),
            ) {
                let transpose =
                    |t: bool| if t { CBLAS_TRANSPOSE::CblasTrans } else { CBLAS_TRANSPOSE::CblasNoTrans };
                // SAFETY: the caller's.
                unsafe {
                    $gemm(
                        CBLAS_LAYOUT::CblasRowMajor,
                        transpose(a.2),
                        transpose(b.2),
                        m as i32,
                        n as i32,
                        k as i32,
                        1.0,
                        a.0,
                        a.1 as i32,
                        b.0,
                        b.1 as i32,
                        beta,
                        c.0,
                        c.1 as i32,
                    );
                }
            }
        }
    };
}

real!(f32, cblas_sys::cblas_sgemm);
real!(f64, cblas_sys::cblas_dgemm);

/// A matrix in a slice: `rows × cols` after an optional transposition, `leading` entries from row to row of memory.
#[derive(Debug, Clone, Copy)]
pub struct Mat<'a, T> {
    /// Its memory.
    pub entries: &'a [T],
    /// Entries from row to row of memory.
    pub leading: usize,
    /// Whether rows of memory are its columns.
    pub transposed: bool,
}

/// `c ← a b + beta c` for `a` of `m × k`, `b` of `k × n`, `c` of `m × n` with `leading` entries from row to row.
///
/// # Panics
/// On sizes that do not fit the slices: for callers where they fit by construction.
pub fn product<T: Real>([m, n, k]: [usize; 3], a: Mat<T>, b: Mat<T>, beta: T, c: &mut [T], leading: usize) {
    if m == 0 || n == 0 {
        return;
    }
    if k == 0 {
        // BLAS takes no empty sum.
        for row in c.chunks_mut(leading).take(m) {
            row.iter_mut().take(n).for_each(|c| *c = if beta == T::of(0.0) { beta } else { beta * *c });
        }
        return;
    }
    // BLAS counts in 32 bits.
    let counts = |n: usize| i32::try_from(n).is_ok();
    let fits = |len: usize, rows: usize, cols: usize, leading: usize| {
        let last = (rows - 1).checked_mul(leading).and_then(|n| n.checked_add(cols));
        leading >= cols && counts(rows) && counts(leading) && last.is_some_and(|last| len >= last)
    };
    let sides = |t: bool, r: usize, c: usize| if t { (c, r) } else { (r, c) };
    let ((ar, ac), (br, bc)) = (sides(a.transposed, m, k), sides(b.transposed, k, n));
    assert!(
        fits(a.entries.len(), ar, ac, a.leading)
            && fits(b.entries.len(), br, bc, b.leading)
            && fits(c.len(), m, n, leading),
        "a matrix of a product is larger than its memory, or than BLAS can count"
    );
    // SAFETY: the sizes were checked.
    unsafe {
        T::gemm(
            [m, n, k],
            (a.entries.as_ptr(), a.leading, a.transposed),
            (b.entries.as_ptr(), b.leading, b.transposed),
            beta,
            (c.as_mut_ptr(), leading),
        );
    }
}

/// The entries of a contiguous tensor in main memory.
pub fn slice<'a, T: Real>(storage: &'a Storage, layout: &Layout) -> Result<&'a [T]> {
    let Storage::Cpu(cpu) = storage else {
        return Err(EngineError::shape("portable backend", "the tensor is not in main memory"));
    };
    let all = cpu.as_slice::<T>()?;
    match layout.contiguous_offsets() {
        Some((from, to)) => Ok(&all[from..to]),
        None => Err(EngineError::shape("portable backend", "the tensor is not contiguous")),
    }
}

/// A tensor from its entries.
pub fn tensor<T: Real>(entries: Vec<T>, shape: &[usize]) -> Result<Tensor> {
    Ok(Tensor::from_vec(entries, shape, &candle_core::Device::Cpu)?)
}

/// A vector of `n` zeros.
pub fn zeros<T: Real>(n: usize) -> Vec<T> {
    vec![T::of(0.0); n]
}

/// A vector of `n` entries that are not written yet: filling large results with zeros first costs a tenth of the time of training,
/// on one thread.
///
/// # Safety
/// Every entry is written before one is read, by operations that do not look at what they write over.
// Clippy knows no way to say that the caller writes.
#[allow(clippy::uninit_vec)]
pub(super) unsafe fn unwritten<T: Real>(n: usize) -> Vec<T> {
    let mut v = Vec::with_capacity(n);
    // SAFETY: the capacity is there, T is f32 or f64, and the caller writes every entry.
    unsafe { v.set_len(n) };
    v
}

/// Runs code with `$t` as the number type of a tensor.
macro_rules! by_type {
    ($tensor:expr, $t:ident => $code:expr) => {
        match $tensor.dtype() {
            candle_core::DType::F32 => {
                type $t = f32;
                $code
            }
            candle_core::DType::F64 => {
                type $t = f64;
                $code
            }
            other => {
                Err($crate::EngineError::shape("portable backend", format!("numbers of type {other:?}")))
            }
        }
    };
}
pub(crate) use by_type;
