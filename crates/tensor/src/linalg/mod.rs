//! Thin wrappers over BLAS and LAPACK: the fast routine for each job.
//!
//! `dsyrk` for Gram matrices, `dpotrf` for Cholesky, `dgeqrf` for QR, `dsyevd` (divide and conquer)
//! for symmetric eigenvalues and `dgesdd` for the SVD.

mod cholesky;
mod eigen;
mod failure;
mod products;
mod qr;
mod roots;
mod svd;
mod triangular;

pub use cholesky::{cholesky, cholesky_in_place, cholesky_solve, pivoted_cholesky};
pub use eigen::{eigh, eigvalsh};
pub(crate) use products::{Matrix, multiply};
pub use products::{add_gram, add_transposed_product, gram, symmetrise, upper_product};
pub use qr::{qr, qr_r};
pub use roots::{echelon_root, psd_root};
pub use svd::{column_basis, lstsq, rank, rank_tolerance, svd};
pub use triangular::{condition_number, solve_upper, solve_upper_transposed};
