//! What a solver is: a small type that owns its options, and makes steps or solves at once.
//!
//! An [`Iterative`] solver begins at a point and gives a [`Solver`] with its memory, which makes one step at a time; limits,
//! stalling, tracing, interrupts and the choice among starts are the executor's. A [`Direct`] solver needs no start.

use std::fmt::Debug;

use convstat_cnn::Structure;
use ndarray::Array2;

use crate::inference::Inference;
use crate::least_squares::LeastSquares;
use crate::outcome::{Fit, Start, Termination};
use crate::scale::Scale;
use crate::tolerance::Tolerance;
use crate::trace::Trace;
use crate::{EstimateError, Result, Sample};

/// What every solver says of itself.
pub trait Describe: Debug {
    /// Its name in study files, tables and options.
    fn name(&self) -> &'static str;

    /// One line for lists of solvers.
    fn summary(&self) -> &'static str;

    /// How it works.
    fn algorithm(&self) -> Algorithm<'_>;

    /// Its starts, in order; none for solvers that need none.
    fn starts(&self) -> &[Start] {
        &[]
    }

    /// The same, to be changed.
    fn starts_mut(&mut self) -> Option<&mut Vec<Start>> {
        None
    }

    /// Fails on options outside their range.
    ///
    /// # Errors
    /// The first of them, with what would be right.
    fn check(&self) -> Result<()>;
}

/// The kinds of solvers.
#[derive(Debug, Clone, Copy)]
pub enum Algorithm<'a> {
    /// Steps from starts, on the factors of the structure.
    Iterative(&'a dyn Iterative),
    /// Coefficients at once, without the factors of the structure.
    Direct(&'a dyn Direct),
    /// Training of networks with an activation ([`train`](fn@crate::train)); the linear network has better solvers.
    Training,
}

/// A solver that improves the factors of a structure step by step.
pub trait Iterative: Describe {
    /// Most iterations from one start.
    fn max_iterations(&self) -> usize;

    /// Decrease that counts as none, as a share of the residual variance.
    fn tolerance(&self) -> f64;

    /// Whether it minimises the deviance of labels, too.
    fn fits_labels(&self) -> bool {
        false
    }

    /// The solver at `parameters`, and the objective there, without the sample's `rss`.
    ///
    /// # Errors
    /// A structure that the solver cannot fit.
    fn begin<'a>(
        &self,
        problem: &mut LeastSquares<'a>,
        parameters: &[f64],
    ) -> Result<(Box<dyn Solver + 'a>, f64)>;
}

/// An iterative solver under way.
pub trait Solver {
    /// One iteration: brings `point` to a better one, if there is one, and tells `trace` of what it tried.
    ///
    /// # Errors
    /// A failure of LAPACK.
    fn step(
        &mut self,
        problem: &mut LeastSquares,
        point: &mut Point,
        tolerance: &Tolerance,
        trace: &mut Trace,
    ) -> Result<Progress>;
}

/// The best point so far.
#[derive(Debug, Clone)]
pub struct Point {
    /// The factors, flat.
    pub parameters: Vec<f64>,
    /// `‖y − ZW‖²` without the sample's `rss`; for labels the deviance.
    pub objective: f64,
}

impl Point {
    /// Goes to other factors, with the objective there.
    pub fn move_to(&mut self, parameters: &[f64], objective: f64) {
        self.parameters.copy_from_slice(parameters);
        self.objective = objective;
    }
}

/// What a step brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Another may follow.
    Continue,
    /// It was the last.
    Done(Termination),
    /// None was tried, and none can be: it does not count.
    Refused(Termination),
}

/// A solver without starts, of a sample near unit size.
pub trait Direct: Debug {
    /// The fit of a sample in the units of `scale`.
    ///
    /// # Errors
    /// A structure that it cannot fit, a failure of LAPACK.
    fn solve(&self, structure: &Structure, sample: &Sample, scale: &Scale, trace: &mut Trace) -> Result<Fit>;

    /// Dimension, variance and standard errors of a fit `w` (`D × M`) of that sample.
    ///
    /// # Errors
    /// A failure of LAPACK.
    fn inference(&self, sample: &Sample, scale: &Scale, w: &Array2<f64>) -> Result<Inference>;

    /// The effective dimension of a fit where it is known from the fit alone; none where it is that of a linear smoother
    /// with [`Direct::penalty`].
    ///
    /// # Errors
    /// A failure of LAPACK.
    fn dimension(&self, _structure: &Structure, _w: &Array2<f64>) -> Result<Option<usize>> {
        Ok(None)
    }

    /// What is added to the diagonal of `ZᵀZ`, in the units of `scale`.
    fn penalty(&self, _scale: &Scale) -> f64 {
        0.0
    }

    /// Whether it shrinks: its estimates are biased by amounts of the size of their standard errors.
    fn shrinks(&self) -> bool {
        false
    }
}

/// Fails unless a penalty is a finite number of at least 0.
///
/// # Errors
/// Another penalty.
pub(crate) fn check_penalty(lambda: f64) -> Result<()> {
    if lambda.is_finite() && lambda >= 0.0 {
        return Ok(());
    }
    let mend = "it has to be a finite number of at least 0";
    Err(EstimateError::BadOption { option: "lambda", value: lambda.to_string(), mend })
}

/// Fails unless there is an iteration, and a tolerance above 0.
///
/// # Errors
/// The option at fault.
pub(crate) fn check_limits(max_iterations: usize, tolerance: f64) -> Result<()> {
    let bad = |option, value: String, mend| Err(EstimateError::BadOption { option, value, mend });
    if max_iterations == 0 {
        return bad("max_iterations", "0".to_owned(), "it has to be at least 1");
    }
    if !(tolerance.is_finite() && tolerance > 0.0) {
        return bad("tolerance", tolerance.to_string(), "it has to be a finite number above 0");
    }
    Ok(())
}

/// Fails without a start.
///
/// # Errors
/// No start.
pub(crate) fn check_starts(starts: &[Start]) -> Result<()> {
    if !starts.is_empty() {
        return Ok(());
    }
    let mend = "give at least one of spectral, random, oracle";
    Err(EstimateError::BadOption { option: "starts", value: "[]".to_owned(), mend })
}

pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Defines the type of an iterative solver, which owns the options that all of them have.
macro_rules! iterative {
    ($(#[$doc:meta])* $type:ident, $name:literal, $summary:literal, $state:ident $(, labels: $labels:literal)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $type {
            /// Starts, in order; `Random` may stand several times. The default is the spectral one and
            /// [`RANDOM_STARTS`](crate::RANDOM_STARTS) random ones.
            pub starts: Vec<$crate::outcome::Start>,
            /// Most iterations from one start (default 500).
            pub max_iterations: usize,
            /// Decrease that counts as none, as a share of the residual variance (default 1e-8).
            pub tolerance: f64,
        }

        impl Default for $type {
            fn default() -> Self {
                let starts = $crate::outcome::Start::spectral_and_random($crate::outcome::RANDOM_STARTS);
                Self { starts, max_iterations: 500, tolerance: 1e-8 }
            }
        }

        impl $type {
            /// With these starts.
            pub fn from_starts(starts: Vec<$crate::outcome::Start>) -> Self {
                Self { starts, ..Self::default() }
            }
        }

        impl $crate::solvers::solver::Describe for $type {
            fn name(&self) -> &'static str {
                $name
            }

            fn summary(&self) -> &'static str {
                $summary
            }

            fn algorithm(&self) -> $crate::solvers::solver::Algorithm<'_> {
                $crate::solvers::solver::Algorithm::Iterative(self)
            }

            fn starts(&self) -> &[$crate::outcome::Start] {
                &self.starts
            }

            fn starts_mut(&mut self) -> Option<&mut Vec<$crate::outcome::Start>> {
                Some(&mut self.starts)
            }

            fn check(&self) -> $crate::Result<()> {
                $crate::solvers::solver::check_starts(&self.starts)?;
                $crate::solvers::solver::check_limits(self.max_iterations, self.tolerance)
            }
        }

        impl $crate::solvers::solver::Iterative for $type {
            fn max_iterations(&self) -> usize {
                self.max_iterations
            }

            fn tolerance(&self) -> f64 {
                self.tolerance
            }

            $(fn fits_labels(&self) -> bool {
                $labels
            })?

            fn begin<'a>(
                &self,
                problem: &mut LeastSquares<'a>,
                parameters: &[f64],
            ) -> Result<(Box<dyn $crate::solvers::solver::Solver + 'a>, f64)> {
                let (state, objective) = $state::begin(problem, parameters)?;
                Ok((Box::new(state), objective))
            }
        }
    };
}
pub(crate) use iterative;
