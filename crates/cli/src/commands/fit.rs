//! `convstat fit`: a structure fitted to data.

mod labels;

use std::path::PathBuf;

use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser};
use convstat::estimate::confidence::check_level;
use convstat::estimate::solvers::Algorithm;
use convstat::estimate::{EstimateError, Goodness, Joint, Rows};
use convstat::prelude::*;
use labels::FamilyName;
use ndarray::{Array2, ArrayD, Axis, concatenate};

use super::data::{MOST_STARTS, as_json, build, features, responses};
use super::{parse_structure, read_geometry, trace_table};
use crate::arrays::{check_distinct, check_kept, check_writable, read, reshape, write};
use crate::failure::Failure;
use crate::output::{Status, print, print_json};

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
    x: String,
    /// Responses
    #[arg(long, value_name = "Y.npy")]
    y: String,
    /// Structure, as in a study file
    #[arg(long, value_name = "SPEC")]
    structure: String,
    /// Geometry file: fit a CNN on the windows of X
    #[arg(long, value_name = "FILE")]
    geometry: Option<PathBuf>,
    /// Law of the responses; logistic and multinomial are fitted by maximum likelihood
    #[arg(long, value_enum, default_value_t = FamilyName::Gaussian)]
    family: FamilyName,
    /// Solver
    #[arg(long, value_name = "SOLVER", default_value = "levenberg-marquardt", value_parser = solvers())]
    solver: String,
    /// Random starts besides the spectral one [default: 10]
    #[arg(long, value_name = "N")]
    starts: Option<usize>,
    /// Seed of the random starts
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Most iterations from one start [default: 1000]
    #[arg(long, value_name = "N")]
    max_iterations: Option<usize>,
    /// Penalty: of ridge on the scale of ZᵀZ, of nuclear-norm as a multiple of the noise level [default: 1]
    #[arg(long, value_name = "L", allow_negative_numbers = true)]
    lambda: Option<f64>,
    /// Where the coefficients go: the shape of one X (with a geometry W_X too), then M if several responses
    #[arg(long, value_name = "W.npy")]
    out: Option<PathBuf>,
    /// Where fitted values and their standard errors go (n x 2, or n x 2 x M); for labels probabilities, of class 1 or
    /// (n x 2 x classes) of all
    #[arg(long, value_name = "F.npy")]
    fitted: Option<PathBuf>,
    /// Level of confidence intervals of the expected responses, two more columns of --fitted (lower, upper)
    #[arg(long, value_name = "L", requires = "fitted")]
    level: Option<f64>,
    /// Print every step of every start
    #[arg(long)]
    trace: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
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
    fn method(&self) -> Result<Method, Failure> {
        let default: Method = serde_json::from_value(serde_json::json!({ "solver": self.solver }))?;
        let mut options = serde_json::to_value(&default)?;
        let known = options.as_object_mut().ok_or_else(|| Failure::new("a solver without options"))?;
        if known.contains_key("max_iterations") {
            known.insert("max_iterations".to_owned(), MAX_ITERATIONS.into());
        }
        if self.starts.is_some_and(|n| n > MOST_STARTS) {
            let given = self.starts.unwrap_or(0);
            return Err(Failure::new(format!("--starts {given}; at most {MOST_STARTS}")));
        }
        let starts = self.starts.map(|n| Start::spectral_and_random(n).into_iter().map(Start::name).collect());
        let given: [(&str, Option<serde_json::Value>); 3] = [
            ("starts", starts),
            ("max_iterations", self.max_iterations.map(Into::into)),
            ("lambda", self.lambda.map(Into::into)),
        ];
        for (option, value) in given {
            let Some(value) = value else { continue };
            if !known.contains_key(option) {
                let names: Vec<&str> = known.keys().map(String::as_str).filter(|k| *k != "solver").collect();
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
        let method: Method = serde_json::from_value(options)?;
        method.check()?;
        Ok(method)
    }

    /// Fails on intervals that there are not.
    fn check_level(&self, method: &Method) -> Result<(), Failure> {
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

    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        self.check_level(&self.method()?)?;
        let spec = parse_structure("--structure", &self.structure)?;
        let geometry = self.geometry.as_deref().map(read_geometry).transpose()?;
        let x = read(&self.x, "x")?;
        let y = read(&self.y, "y")?;
        let outputs = [("--out", self.out.as_deref()), ("--fitted", self.fitted.as_deref())];
        check_kept(&[&self.x, &self.y], &outputs)?;
        check_distinct(&[("--out", self.out.as_deref()), ("--fitted", self.fitted.as_deref())])?;
        for path in self.out.iter().chain(&self.fitted) {
            check_writable(path)?;
        }
        let y = self.family.responses(responses((&self.x, &x), (&self.y, &y))?)?;
        let structure = build(&spec, geometry.as_ref(), &x, y.ncols())?;
        let z = features(geometry.as_ref(), &x)?;
        if self.family != FamilyName::Gaussian {
            let sample = LabelledSample::new(z, y, self.family.family())?;
            return self.fit_labels(&structure, &sample, geometry.as_ref(), &x);
        }
        let sample = Sample::new(z, y)?;
        let (model, steps) = self.fitted(&structure, &sample, geometry.as_ref())?;
        let fitted_se = model.inference()?.fitted_se(&sample.z.view());
        let found = Found { structure: &structure, sample, model, fitted_se, steps };
        self.write(&found, geometry.as_ref(), &x)?;
        self.report(&found)
    }

    /// The fit, and its steps if they are asked for.
    fn fitted(
        &self,
        structure: &Structure,
        rows: &dyn Rows,
        geometry: Option<&Geometry>,
    ) -> Result<(FittedModel, Vec<TracePoint>), Failure> {
        let options = FitOptions { seed: self.seed, ..FitOptions::new(self.method()?) };
        let mut steps = Vec::new();
        let mut follow = |point: &TracePoint| steps.push(*point);
        let fitting = Fitting::new(structure, &options).geometry(geometry);
        let fitting = if self.trace { fitting.observer(&mut follow) } else { fitting };
        Ok((fitting.fit(rows)?, steps))
    }

    fn write(&self, found: &Found, geometry: Option<&Geometry>, x: &ArrayD<f64>) -> Result<(), Failure> {
        let (sample, fit) = (&found.sample, &found.model.fit);
        self.write_coefficients(&fit.w, geometry, x)?;
        if let Some(path) = &self.fitted {
            let values = sample.z.dot(&fit.w);
            let mut columns = vec![values.clone(), found.fitted_se.clone()];
            if let Some(level) = self.level {
                let half = found.model.confidence(level)?.fitted(&sample.z.view(), Joint::Pointwise);
                columns.extend([&values - &half, &values + &half]);
            }
            let views: Vec<_> = columns.iter().map(|c| c.view().insert_axis(Axis(1))).collect();
            let all = concatenate(Axis(1), &views).map_err(Failure::from_error)?;
            write(
                path,
                &reshape(
                    &all.into_dyn(),
                    &with_outputs(vec![sample.z.nrows(), columns.len()], sample.outputs()),
                ),
            )?;
        }
        Ok(())
    }

    /// Writes the coefficients (`D x M`) in the shape of one input, if they are asked for.
    fn write_coefficients(
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

    fn report(&self, found: &Found) -> Result<Status, Failure> {
        let Found { structure, sample, model, .. } = found;
        let (fit, inference) = (&model.fit, model.inference()?);
        let goodness = model.goodness.ok_or(EstimateError::NoInference)?;
        let Goodness { objective, r_squared, r_squared_about_zero } = goodness;
        let variance = inference.variance;
        let mut se: Vec<f64> = found.fitted_se.iter().copied().collect();
        se.sort_by(f64::total_cmp);
        let quantile =
            |q: f64| se.get((q * (se.len() - 1) as f64).round() as usize).copied().unwrap_or(f64::NAN);
        let starts: Vec<f64> = fit.all.iter().map(|f| f.objective).collect();
        let worst = fit.all.iter().map(|f| f.objective).fold(0.0f64, f64::max);
        let spread = worst - fit.best.objective;
        if self.json {
            let mut value = serde_json::json!({
                "structure": structure.name(),
                "n": sample.n as u64,
                "features": sample.features(),
                "outputs": sample.outputs(),
                "objective": objective,
                "df": whole(inference.df),
                "naive_parameters": structure.naive_parameters(),
                "d_m": structure.d_m(),
                "r_squared": r_squared,
                "r_squared_about_zero": r_squared_about_zero,
                "residual_variance": variance,
                "fitted_se": { "min": quantile(0.0), "median": quantile(0.5), "max": quantile(1.0) },
                "iterations": fit.best.iterations,
                "termination": fit.best.termination.name(),
                "start": fit.best.start.map(convstat::prelude::Start::name),
                "starts": starts,
                "diagnostics": model.diagnostics.iter().map(as_json).collect::<Vec<_>>(),
                "out": self.out,
                "fitted": self.fitted,
            });
            if self.trace {
                value["trace"] = serde_json::to_value(&found.steps).map_err(Failure::from_error)?;
            }
            print_json(&value)?;
        } else {
            if self.trace {
                print(&trace_table(&found.steps))?;
            }
            let shrunken = "none: shrinkage biases them";
            let errors = if inference.df.is_nan() {
                shrunken.to_owned()
            } else if se.iter().all(|v| v.is_nan()) {
                "none: no residual degrees of freedom".to_owned()
            } else {
                let [low, middle, high] = [0.0, 0.5, 1.0].map(quantile);
                format!("{low:.4e} (min) {middle:.4e} (median) {high:.4e} (max)")
            };
            print(&format!(
                "structure           {}\nobservations        {}\nobjective (RSS)     {objective:.10e}\ndf                  {}\n\
                 naive parameters    {}\nR²                  {r_squared:.6} (about the mean; about zero {:.6})\n\
                 residual variance   {}\nse of fitted values {errors}\n\
                 best start          {} after {} iterations, {}; spread of the starts {spread:.3e}\n",
                structure.name(),
                sample.n,
                if inference.df.is_nan() { shrunken.to_owned() } else { inference.df.to_string() },
                structure.naive_parameters(),
                r_squared_about_zero,
                if inference.df.is_nan() { shrunken.to_owned() } else { format!("{variance:.6e}") },
                fit.best.start.map_or("direct", |s| s.name()),
                fit.best.iterations,
                fit.best.termination.name(),
            ))?;
            for (what, path) in
                [("coefficients", &self.out), ("fitted values and standard errors", &self.fitted)]
            {
                if let Some(path) = path {
                    print(&format!("{what} written to {}\n", path.display()))?;
                }
            }
        }
        for diagnostic in &model.diagnostics {
            eprintln!("warning: {diagnostic}");
        }
        Ok(if fit.best.termination.is_success() { Status::Done } else { Status::Partly })
    }
}

/// A shape, and the number of responses where there are several.
fn with_outputs(mut shape: Vec<usize>, m: usize) -> Vec<usize> {
    if m > 1 {
        shape.push(m);
    }
    shape
}

/// A fit with what is reported of it.
struct Found<'a> {
    structure: &'a Structure,
    sample: Sample,
    model: FittedModel,
    fitted_se: Array2<f64>,
    steps: Vec<TracePoint>,
}

/// A dimension as JSON: a whole number unless it is ridge's effective one.
fn whole(df: f64) -> serde_json::Value {
    if df.fract() == 0.0 { (df as u64).into() } else { df.into() }
}
