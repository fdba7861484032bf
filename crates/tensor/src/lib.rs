//! N-way tensor algebra on [`ndarray`] with BLAS and LAPACK, and tensor decompositions.
//!
//! Tensors are [`ndarray::ArrayD<f64>`] in C order (last index fastest) and `vec` is C-order
//! flattening. No function here knows statistics.
//!
//! * [`algebra`]: `unfold`, `fold`, `mode_dot`, `kronecker`, `khatri_rao`, `outer`, `inner`.
//! * [`einsum`](mod@einsum): contractions of any number of operands, with a searched order.
//! * [`program`]: contractions compiled to run many times without allocations.
//! * [`linalg`]: thin wrappers over BLAS and LAPACK (syrk, Cholesky, QR, eigh, SVD).
//! * [`decompose`]: Tucker (HOSVD, HOOI), CP (ALS), tensor train (TT-SVD), sums of Kronecker products;
//!   EVBMF.
//! * [`optimisers`]: Adam, stochastic gradient descent.
//! * [`memory`]: the limit on the size of one array.
//! * [`blas`]: the one place that decides how many threads BLAS uses.
//!
//! ```
//! use convstat_tensor::{einsum, unfold};
//! use ndarray::array;
//! let a = array![[1.0, 2.0], [3.0, 4.0]].into_dyn();
//! let b = array![1.0, -1.0].into_dyn();
//! let c = einsum("ij,j->i", &[&a, &b])?;
//! assert_eq!(c, array![-1.0, -1.0].into_dyn());
//! assert_eq!(unfold(&a.view(), 1)?, array![[1.0, 3.0], [2.0, 4.0]]);
//! # Ok::<(), convstat_tensor::TensorError>(())
//! ```

pub mod algebra;
pub mod blas;
pub mod decompose;
pub mod einsum;
pub mod error;
pub mod linalg;
pub mod memory;
pub mod optimisers;
mod order;
pub mod program;

pub use algebra::{fold, inner, khatri_rao, kronecker, mode_dot, multi_mode_dot, norm, outer, unfold};
pub use decompose::{
    CpTensor, Evbmf, TtTensor, TuckerTensor, cp_als, evbmf, hooi, hosvd, kronecker_sum, tt_svd,
};
pub use einsum::{Contraction, Einsum, einsum};
pub use error::TensorError;
pub use program::{Buffers, Program, Target};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, TensorError>;
