//! The options of `fit`, and the fit that they ask for.

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use convstat::estimate::Rows;
use convstat::estimate::confidence::check_level;
use convstat::estimate::solvers::Algorithm;
use convstat::prelude::*;
use convstat::runner::interrupt;
use ndarray::{Array2, ArrayD};

use super::family::FamilyName;
use crate::arrays::{reshape, write};
use crate::commands::data::MOST_STARTS;
use crate::failure::Failure;
use crate::output::print;

/// `fit`.
#[derive(Debug, Args)]
#[command(
    after_help = "X.npy is n x d_1 x … (its axes after the first are the output labels of the structure, or the
geometry's input), y.npy is n or n x M. No intercept is added: centre y and X if you want one (for labels, which cannot
be centred, add a feature of ones).

Examples:
  convstat fit --x X.npy --y y.npy --structure '{ einsum = \"ar,br->ab\", sizes = { r = 2 } }' --json
  convstat fit --x data.npz --y data.npz --geometry g.toml --out W.npy \\
      --structure '{ kind = \"cnn\", kernels = 2 }'
  convstat fit --x X.npy --y y.npy --structure '{ kind = \"dense\" }' --trace
  convstat fit --x X.npy --y class.npy --family multinomial \\
      --structure '{ einsum = \"ar,br,mr->abm\", sizes = { r = 3 } }'"
)]
pub struct FitCommand {
    /// Inputs: .npy, .npz, or .npz:name
    #[arg(long, value_name = "X.npy")]
    pub(super) x: String,
    /// Responses
    #[arg(long, value_name = "Y.npy")]
    pub(super) y: String,
    /// Structure, as in a study file
    #[arg(long, value_name = "SPEC")]
    pub(super) structure: String,
    /// Geometry file: fit a CNN on the windows of X
    #[arg(long, value_name = "FILE")]
    pub(super) geometry: Option<PathBuf>,
    /// Law of the responses; logistic and multinomial are fitted by maximum likelihood
    #[arg(long, value_enum, default_value_t = FamilyName::Gaussian)]
    pub(super) family: FamilyName,
    /// Solver
    #[arg(long, value_name = "SOLVER", default_value = "levenberg-marquardt", value_parser = solvers())]
    pub(super) solver: String,
    /// Random starts besides the spectral one [default: 10]
    #[arg(long, value_name = "N")]
    pub(super) starts: Option<usize>,
    /// Seed of the random starts
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Most iterations from one start [default: 1000]
    #[arg(long, value_name = "N")]
    pub(super) max_iterations: Option<usize>,
    /// Penalty: of ridge on the scale of ZᵀZ, of nuclear-norm as a multiple of the noise level [default: 1]
    #[arg(long, value_name = "L", allow_negative_numbers = true)]
    pub(super) lambda: Option<f64>,
    /// Where the coefficients go: the shape of one X (with a geometry W_X too), then M if several responses
    #[arg(long, value_name = "W.npy")]
    pub(super) out: Option<PathBuf>,
    /// Where fitted values and their standard errors go (n x 2, or n x 2 x M); for labels probabilities, of class 1 or
    /// (n x 2 x classes) of all
    #[arg(long, value_name = "F.npy")]
    pub(super) fitted: Option<PathBuf>,
    /// Level of confidence intervals of the expected responses, two more columns of --fitted (lower, upper)
    #[arg(long, value_name = "L", requires = "fitted")]
    pub(super) level: Option<f64>,
    /// Print every step of every start
    #[arg(long)]
    pub(super) trace: bool,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// The solvers that fit data, with what they do.
fn solvers() -> PossibleValuesParser {
    let fits = |m: &Method| !matches!(m.solver().algorithm(), Algorithm::Training);
    let value = |m: Method| PossibleValue::new(m.name()).help(m.solver().summary());
    PossibleValuesParser::new(Method::all().into_iter().filter(fits).map(value))
}

/// Most iterations of a start unless an option says otherwise.
const MAX_ITERATIONS: usize = 1000;

impl FitCommand {
    /// The solver with the options given; one that it does not have is an error.
    pub(super) fn method(&self) -> Result<Method, Failure> {
        let named = Method::all().into_iter().find(|m| m.name() == self.solver);
        let mut options = serde_json::to_value(named.unwrap_or_default()).map_err(Failure::from_error)?;
        let known = options.as_object_mut().ok_or_else(|| Failure::new("a solver without options"))?;
        if known.contains_key("max_iterations") {
            known.insert("max_iterations".to_owned(), MAX_ITERATIONS.into());
        }
        if self.starts.is_some_and(|n| n > MOST_STARTS) {
            let given = self.starts.unwrap_or(0);
            return Err(Failure::new(format!("--starts {given}; at most {MOST_STARTS}")));
        }
        let starts =
            self.starts.map(|n| Start::spectral_and_random(n).into_iter().map(Start::name).collect());
        let given: [(&str, Option<serde_json::Value>); 3] = [
            ("starts", starts),
            ("max_iterations", self.max_iterations.map(Into::into)),
            ("lambda", self.lambda.map(Into::into)),
        ];
        for (option, value) in given {
            let Some(value) = value else { continue };
            if !known.contains_key(option) {
                let options = ["starts", "max_iterations", "lambda"].into_iter();
                let names: Vec<String> = options
                    .filter(|o| known.contains_key(*o))
                    .map(|o| format!("--{}", o.replace('_', "-")))
                    .collect();
                let help = match names.as_slice() {
                    [] => "leave it out; the solver has no options".to_owned(),
                    names => format!("leave it out; the solver has {}", names.join(", ")),
                };
                let option = option.replace('_', "-");
                let message = format!("--{option}: solver {} has no such option", self.solver);
                return Err(Failure::new(message).help(help));
            }
            known.insert(option.to_owned(), value);
        }
        let method: Method = serde_json::from_value(options).map_err(Failure::from_error)?;
        method.check()?;
        Ok(method)
    }

    /// Fails on intervals that there are not.
    pub(super) fn check_level(&self, method: &Method) -> Result<(), Failure> {
        if self.level.is_some() && method.shrinks() {
            let help = "shrinkage biases them; use ols, or a solver of the structure";
            let message = format!("--level: solver {} has no confidence intervals", self.solver);
            return Err(Failure::new(message).help(help));
        }
        if self.level.is_some() && self.family != FamilyName::Gaussian {
            let help = "--fitted writes probabilities and their standard errors; leave --level out";
            return Err(
                Failure::new("--level: intervals are those of least squares, not of labels").help(help)
            );
        }
        self.level.map_or(Ok(()), |level| Ok(check_level(level)?))
    }

    /// The fit, and its steps if they are asked for.
    pub(super) fn fitted(
        &self,
        structure: &Structure,
        rows: &dyn Rows,
        geometry: Option<&Geometry>,
    ) -> Result<(FittedModel, Vec<TracePoint>), Failure> {
        let options = FitOptions { seed: self.seed, ..FitOptions::new(self.method()?) };
        let mut steps = Vec::new();
        let mut follow = |point: &TracePoint| steps.push(*point);
        interrupt::install();
        // The best point so far is kept where the user stops a long fit.
        let fitting = Fitting::new(structure, &options).geometry(geometry).interrupt(&interrupt::requested);
        let fitting = if self.trace { fitting.observer(&mut follow) } else { fitting };
        Ok((fitting.fit(rows)?, steps))
    }

    /// Says where coefficients, and what `fitted` names, were written.
    pub(super) fn print_written(&self, fitted: &str) -> Result<(), Failure> {
        for (what, path) in [("coefficients", &self.out), (fitted, &self.fitted)] {
            if let Some(path) = path {
                print(&format!("{what} written to {}\n", path.display()))?;
            }
        }
        Ok(())
    }

    /// Writes the coefficients (`D x M`) in the shape of one input, if they are asked for.
    pub(super) fn write_coefficients(
        &self,
        w: &Array2<f64>,
        geometry: Option<&Geometry>,
        x: &ArrayD<f64>,
    ) -> Result<(), Failure> {
        let Some(path) = &self.out else { return Ok(()) };
        let shape = with_outputs(x.shape()[1..].to_vec(), w.ncols());
        let w = match geometry {
            Some(g) => g.windows().pull_back(&w.view()),
            None => w.clone().into_dyn(),
        };
        write(path, &reshape(&w, &shape))
    }
}

/// A shape, and the number of responses where there are several.
pub(super) fn with_outputs(mut shape: Vec<usize>, m: usize) -> Vec<usize> {
    if m > 1 {
        shape.push(m);
    }
    shape
}

/// A dimension as JSON: a whole number unless it is ridge's effective one.
pub(super) fn whole(df: f64) -> serde_json::Value {
    if df.fract() == 0.0 { (df as u64).into() } else { df.into() }
}
