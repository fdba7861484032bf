//! Estimation of structured tensor regressions (THEORY §3): least squares, logistic and multinomial likelihoods.
//!
//! [`FittedModel::fit`] is the one call: coefficients, standard errors, dimension, residual variance, diagnostics and starts of
//! a structure fitted to data. [`FitOptions`] say by which solver, and how much to find out.
//!
//! * [`Sample`]: rows `(Z, y)`, raw or QR-compressed; solvers cannot tell which. [`LabelledSample`]: rows whose responses are
//!   labels, fitted by maximum likelihood ([`Family`]).
//! * [`compress`](fn@compress): one pass over blocks of rows, memory independent of n.
//! * [`solvers`]: a type each, with its options: Levenberg–Marquardt, alternating least squares, scaled and projected
//!   gradient, Riemannian Gauss–Newton; nuclear norm, ridge and OLS without factors. [`Method`] is any of them.
//! * [`train`](fn@train): first-order training of networks with an activation.
//! * [`Inference`]: residual variance and standard errors from the tangent space; [`Confidence`]: intervals and regions.
//! * [`Diagnostic`]: what keeps a fit from being trusted, named, with its numbers.
//! * [`trace`]: a fit followed step by step.
//! * [`select`]: ranks and numbers of kernels chosen by a criterion.
//! * [`likelihood_ratio`](fn@likelihood_ratio): a structure tested against a larger one.

// Not forbid: ndarray's slicing macro allows it for itself.
#![deny(unsafe_code)]

mod alignment;
pub mod compress;
pub mod confidence;
mod diagnose;
pub mod diagnostics;
mod environment;
pub mod error;
mod executor;
pub mod family;
pub mod fitting;
pub mod inference;
mod iterate;
pub mod labels;
pub mod least_squares;
pub mod likelihood_ratio;
pub mod model;
pub mod nearest;
pub mod outcome;
mod prepared;
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
mod spectral;
mod starts;
mod tolerance;
pub mod trace;
pub mod training;
mod unstructured;

pub use compress::{Compressor, compress};
pub use confidence::{Confidence, Joint};
pub use diagnostics::Diagnostic;
pub use error::EstimateError;
pub use family::{Family, weigh};
pub use fitting::{FitOptions, Fitting};
pub use inference::Inference;
pub use labels::{LabelledSample, probabilities};
pub use least_squares::{LeastSquares, Linearised, fit_entries};
pub use likelihood_ratio::{LikelihoodRatio, likelihood_ratio};
pub use model::FittedModel;
pub use nearest::{Nearest, nearest};
pub use outcome::{Fit, RANDOM_STARTS, SingleFit, Start, Termination, is_optimisation_failure};
pub use prepared::Goodness;
pub use quantile::fisher_quantile;
pub use rows::{RowMemory, Rows, WindowedSample};
pub use sample::{Sample, design_times};
pub use select::Criterion;
pub use solvers::Method;
pub use tolerance::Tolerance;
pub use trace::{StepKind, TracePoint};
pub use training::train;

/// Result of this crate.
pub type Result<T> = std::result::Result<T, EstimateError>;
