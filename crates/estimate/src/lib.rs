//! Estimation of structured tensor regressions (THEORY §3): least squares, logistic and multinomial likelihoods.
//!
//! * [`Sample`]: rows `(Z, y)`, raw or QR-compressed; solvers can't tell which.
//! * [`LabelledSample`]: rows whose responses are labels, fitted by maximum likelihood ([`Family`]).
//! * [`compress`](fn@compress): one pass over blocks of rows, memory independent of n.
//! * [`solvers`]: Levenberg–Marquardt, alternating least squares, scaled and projected gradient, Riemannian Gauss–Newton;
//!   nuclear norm, ridge and OLS without factors.
//! * [`fit`](fn@fit): runs the starts, keeps the best, records the gap between them.
//! * [`refine`](fn@refine): the last digits of one fit.
//! * [`diagnose`](fn@diagnose): what keeps a fit from being trusted, named, with its numbers.
//! * [`trace`]: a fit followed step by step.
//! * [`train`](fn@train): first-order training of networks with an activation.
//! * [`Inference`]: residual variance and standard errors from the tangent space.
//! * [`Inference`]: residual variance and standard errors from the tangent space; [`Confidence`]: intervals and regions.
//! * [`select`]: ranks and numbers of kernels chosen by a criterion.
//! * [`likelihood_ratio`](fn@likelihood_ratio): a structure tested against a larger one.

// Not forbid: ndarray's slicing macro allows it for itself.
#![deny(unsafe_code)]

pub mod compress;
pub mod confidence;
pub mod diagnose;
pub mod diagnostics;
mod environment;
pub mod error;
pub mod family;
pub mod fit;
pub mod inference;
pub mod labels;
pub mod least_squares;
pub mod likelihood_ratio;
pub mod nearest;
mod project;
mod quantile;
mod redundancy;
mod refine;
pub mod rows;
pub mod sample;
pub mod scale;
pub mod select;
mod separation;
pub mod solvers;
pub mod starts;
pub mod trace;
pub mod train;

pub use compress::{Compressor, compress};
pub use confidence::{Confidence, Joint};
pub use diagnose::{diagnose, offset, out_of_range};
pub use diagnostics::Diagnostic;
pub use error::EstimateError;
pub use family::{Family, weigh};
pub use fit::{Fit, FitOptions, SingleFit, fit, fit_traced};
pub use inference::Inference;
pub use labels::{LabelledSample, probabilities};
pub use least_squares::{LeastSquares, Linearised, fit_entries};
pub use likelihood_ratio::{LikelihoodRatio, likelihood_ratio};
pub use nearest::{Nearest, nearest};
pub use quantile::fisher_quantile;
pub use refine::refine;
pub use rows::{RowMemory, Rows, WindowedSample};
pub use sample::{Sample, design_times};
pub use scale::Scale;
pub use select::Criterion;
pub use solvers::{SolverKind, Termination};
pub use starts::{RANDOM_STARTS, Start};
pub use trace::{StepKind, TracePoint};
pub use train::{TrainOptions, train};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, EstimateError>;
