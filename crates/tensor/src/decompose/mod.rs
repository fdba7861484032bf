//! Tensor decompositions: Tucker, CP, tensor train, sums of Kronecker products; and the rank of a noisy matrix.

mod cp;
mod kron;
mod train;
mod tucker;
mod vbmf;

pub use cp::{CpTensor, cp_als};
pub use kron::kronecker_sum;
pub use train::{TtTensor, tt_svd};
pub use tucker::{TuckerTensor, hooi, hosvd};
pub use vbmf::{Evbmf, evbmf};
