//! Contractions on the GPU: loops by a kernel, products by cuBLAS in full precision.

use candle_core::{DType, Tensor};

use super::device::Cuda;
use super::gemm::Matrix;
use super::gpu::Arg::{At, Long, Struct};
use super::gpu::{Plain, bytes_of, pointer};
use crate::pairs::{Kernels, Loops};
use crate::{EngineError, Result};

/// Most axes of the kernel.
const MOST: usize = 16;

/// Loops as the kernel reads them.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
struct Axes {
    outer: i32,
    inner: i32,
    size: [u32; MOST],
    a: [u32; MOST],
    b: [u32; MOST],
}
// SAFETY: integers only, without padding.
unsafe impl Plain for Axes {}

impl Kernels for Cuda {
    type Tensor = Tensor;

    fn sum(&self, a: &Tensor, b: &Tensor, loops: &Loops) -> Result<Tensor> {
        let all = loops.axes.len();
        if all > MOST {
            let reason = format!("{all} labels in one contraction, at most {MOST}");
            return Err(EngineError::shape("composed weights", reason));
        }
        let column = |which: usize| {
            let mut values = [0u32; MOST];
            values.iter_mut().zip(&loops.axes).for_each(|(v, axis)| *v = axis[which] as u32);
            values
        };
        let (outer, inner) = loops.axes.split_at(loops.outer);
        let axes = [Axes {
            outer: outer.len() as i32,
            inner: inner.len() as i32,
            size: column(0),
            a: column(1),
            b: column(2),
        }];
        let shape: Vec<usize> = outer.iter().map(|axis| axis[0]).collect();
        let (n, terms) = (shape.iter().product(), inner.iter().map(|axis| axis[0]).product());
        let y = self.gpu.empty(DType::F32, &shape)?;
        let (a, b) = (At(pointer(a)?), At(pointer(b)?));
        let args = [a, b, At(pointer(&y)?), Struct(bytes_of(&axes)), Long(n), Long(terms)];
        self.gpu.over("contract", n, 1, &args)?;
        Ok(y)
    }

    fn product(&self, a: &Tensor, b: &Tensor, batch: usize, [m, n, k]: [usize; 3]) -> Result<Tensor> {
        let y = self.gpu.empty(DType::F32, &[batch, m, n])?;
        let matrix = |t: &Tensor, leading: usize, apart: usize| -> Result<Matrix> {
            Ok(Matrix { at: pointer(t)?, dtype: DType::F32, leading, transposed: false, apart })
        };
        let (a, b, c) = (matrix(a, k, m * k)?, matrix(b, n, k * n)?, matrix(&y, n, m * n)?);
        self.blas.exact_product([m, n, k], a, b, c, batch)?;
        Ok(y)
    }

    fn one(&self) -> Result<Tensor> {
        self.constant_one()
    }
}
