//! Tensor decompositions: Tucker, CP, tensor train, sums of Kronecker products.

mod cp;
mod kron;
mod train;
mod tucker;

pub use cp::{CpTensor, cp_als};
pub use kron::kronecker_sum;
pub use train::{TtTensor, tt_svd};
pub use tucker::{TuckerTensor, hooi, hosvd};
