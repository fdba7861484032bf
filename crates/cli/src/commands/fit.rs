//! `convstat fit`: a structure fitted to data.

mod labels;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use convstat::estimate::confidence::check_level;
use convstat::estimate::{Joint, RANDOM_STARTS, Rows};
use convstat::prelude::*;
use labels::FamilyName;
use ndarray::{Array2, ArrayD, Axis, concatenate};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

use super::data::{MOST_STARTS, as_json, build, features, responses};
use crate::arrays::{check_distinct, check_kept, check_writable, read, reshape, write};
use crate::failure::Failure;
use crate::input::{parse_structure, read_geometry};
use crate::output::{Status, print, print_json};
use crate::trace::trace_table;

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
    #[arg(long, value_enum, default_value_t = Solver::LevenbergMarquardt)]
    solver: Solver,
    /// Random starts besides the spectral one [default: 10]
    #[arg(long, value_name = "N")]
    starts: Option<usize>,
    /// Seed of the random starts
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Most iterations from one start
    #[arg(long, value_name = "N", default_value_t = 1000)]
    max_iterations: usize,
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

/// Solvers of `fit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Solver {
    /// Levenberg–Marquardt on all factors
    LevenbergMarquardt,
    /// Alternating least squares
    Als,
    /// Scaled gradient descent on all factors
    ScaledGradient,
    /// Projected gradient descent (iterative hard thresholding)
    ProjectedGradient,
    /// Riemannian Gauss–Newton
    RiemannianGaussNewton,
    /// Nuclear-norm penalty on one unfolding (positions x taps); no standard errors
    NuclearNorm,
    /// Least squares without the structure
    Ols,
    /// Ridge without the structure
    Ridge,
}

impl FitCommand {
    fn penalty(&self) -> f64 {
        self.lambda.unwrap_or(1.0)
    }

    /// Fails on options that would do nothing, and on intervals that there are not.
    fn check_options(&self) -> Result<(), Failure> {
        let value = self.solver.to_possible_value();
        let solver = value.as_ref().map_or("", |v| v.get_name());
        let shrinks = matches!(self.solver, Solver::NuclearNorm | Solver::Ridge);
        if self.starts.is_some_and(|n| n > MOST_STARTS) {
            return Err(Failure::new(format!(
                "--starts {:?}; at most {MOST_STARTS}",
                self.starts.unwrap_or(0)
            )));
        }
        if self.starts.is_some() && (shrinks || self.solver == Solver::Ols) {
            return Err(Failure::new(format!("--starts: solver {solver} has none")).help("leave it out"));
        }
        if self.lambda.is_some() && !shrinks {
            let help = "it is the penalty of ridge and nuclear-norm; leave it out";
            return Err(Failure::new(format!("--lambda: solver {solver} has no penalty")).help(help));
        }
        if self.level.is_some() && shrinks {
            let help = "shrinkage biases them; use ols, or a solver of the structure";
            return Err(
                Failure::new(format!("--level: solver {solver} has no confidence intervals")).help(help)
            );
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
        self.check_options()?;
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
        // Squares of data beyond 1e±154 leave the range of f64: everything is done near unit size.
        let scale = Scale::of(&sample, structure.owners().len());
        let sample = if scale.is_one() { sample } else { scale.to_unit(&sample) };
        let lambda = match self.solver {
            Solver::Ridge => scale.unit_penalty(self.penalty()),
            Solver::NuclearNorm => self.penalty(),
            _ => 0.0,
        };
        let compressed = sample.compressed()?;
        let options = self.options(lambda);
        let (fit, steps) = self.fit(&structure, &compressed, &options)?;
        let inference = match self.solver {
            Solver::NuclearNorm => Inference::shrunken(&compressed, &fit.w),
            Solver::Ols | Solver::Ridge => Inference::unstructured(&compressed, &fit.w, lambda)?,
            _ => Inference::new(&structure, &compressed, &fit.factors)?,
        };
        let mut diagnostics = diagnose(&structure, &compressed, &fit, &options, geometry.as_ref())?;
        if compressed.z.nrows() < sample.z.nrows() {
            // Rows of the compressed sample have no mean.
            diagnostics.extend(convstat::estimate::offset(&sample, &fit));
        }
        let (objective, total_variation) = (sample.objective(&fit.w.view()), centred_squares(&sample.y));
        diagnostics.extend(convstat::estimate::out_of_range(&scale, total_variation.1, objective));
        let found = Found {
            structure: &structure,
            objective,
            total_variation,
            fitted_se: inference.fitted_se(&sample.z.view()),
            steps: steps.into_iter().map(|s| s.rescaled(&scale)).collect(),
            diagnostics,
            sample,
            scale,
            fit,
            inference,
        };
        self.write(&found, geometry.as_ref(), &x)?;
        self.report(&found)
    }

    fn options(&self, lambda: f64) -> FitOptions {
        FitOptions {
            solver: match self.solver {
                Solver::LevenbergMarquardt => SolverKind::LevenbergMarquardt,
                Solver::Als => SolverKind::Als,
                Solver::ScaledGradient => SolverKind::ScaledGradient,
                Solver::ProjectedGradient => SolverKind::ProjectedGradient,
                Solver::RiemannianGaussNewton => SolverKind::RiemannianGaussNewton,
                Solver::NuclearNorm => SolverKind::NuclearNorm,
                Solver::Ols => SolverKind::Ols,
                Solver::Ridge => SolverKind::Ridge,
            },
            starts: Start::spectral_and_random(self.starts.unwrap_or(RANDOM_STARTS)),
            max_iterations: self.max_iterations,
            lambda,
            ..FitOptions::default()
        }
    }

    /// The fit to its last digits, and its steps if they are asked for.
    fn fit(
        &self,
        structure: &Structure,
        sample: &dyn Rows,
        options: &FitOptions,
    ) -> Result<(Fit, Vec<TracePoint>), Failure> {
        let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(self.seed);
        let normal = || StandardNormal.sample(&mut rng);
        let mut steps = Vec::new();
        let mut found = if self.trace {
            fit_traced(structure, sample, options, None, normal, &mut |point| steps.push(*point))?
        } else {
            fit(structure, sample, options, None, normal)?
        };
        refine(structure, sample, &mut found)?;
        Ok((found, steps))
    }

    fn write(&self, found: &Found, geometry: Option<&Geometry>, x: &ArrayD<f64>) -> Result<(), Failure> {
        let (sample, scale, fit) = (&found.sample, &found.scale, &found.fit);
        self.write_coefficients(&fit.w.mapv(|v| scale.coefficient(v)), geometry, x)?;
        if let Some(path) = &self.fitted {
            let values = sample.z.dot(&fit.w);
            let mut columns = vec![values.clone(), found.fitted_se.clone()];
            if let Some(level) = self.level {
                let half = found.inference.confidence(level)?.fitted(&sample.z.view(), Joint::Pointwise);
                columns.extend([&values - &half, &values + &half]);
            }
            let views: Vec<_> = columns.iter().map(|c| c.view().insert_axis(Axis(1))).collect();
            let all = concatenate(Axis(1), &views).map_err(Failure::from_error)?;
            let all = all.mapv(|v| scale.response(v));
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
        let Found { structure, sample, scale, fit, inference, .. } = found;
        let objective = scale.square(found.objective);
        let (about_mean, about_zero) = found.total_variation;
        // Without variation there is nothing to explain; JSON writes the NaN as null.
        let share = |of: f64| if of > 0.0 { 1.0 - found.objective / of } else { f64::NAN };
        let r_squared = share(about_mean);
        let variance = scale.square(inference.variance);
        let mut se: Vec<f64> = found.fitted_se.iter().map(|v| scale.response(*v)).collect();
        se.sort_by(f64::total_cmp);
        let quantile =
            |q: f64| se.get((q * (se.len() - 1) as f64).round() as usize).copied().unwrap_or(f64::NAN);
        let starts: Vec<f64> = fit.all.iter().map(|f| scale.square(f.objective)).collect();
        let worst = fit.all.iter().map(|f| f.objective).fold(0.0f64, f64::max);
        let spread = scale.square(worst - fit.best.objective);
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
                "r_squared_about_zero": share(about_zero),
                "residual_variance": variance,
                "fitted_se": { "min": quantile(0.0), "median": quantile(0.5), "max": quantile(1.0) },
                "iterations": fit.best.iterations,
                "termination": fit.best.termination.name(),
                "start": fit.best.start.map(convstat::prelude::Start::name),
                "starts": starts,
                "diagnostics": found.diagnostics.iter().map(as_json).collect::<Vec<_>>(),
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
            let errors = if self.solver == Solver::NuclearNorm {
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
                share(about_zero),
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
        for diagnostic in &found.diagnostics {
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

/// A fit near unit size, what it means, and the units.
struct Found<'a> {
    structure: &'a Structure,
    sample: Sample,
    scale: Scale,
    fit: Fit,
    inference: Inference,
    fitted_se: Array2<f64>,
    objective: f64,
    total_variation: (f64, f64),
    diagnostics: Vec<Diagnostic>,
    steps: Vec<TracePoint>,
}

/// A dimension as JSON: a whole number unless it is ridge's effective one.
fn whole(df: f64) -> serde_json::Value {
    if df.fract() == 0.0 { (df as u64).into() } else { df.into() }
}

/// Sums of squares of the responses about their means and about zero.
fn centred_squares(y: &Array2<f64>) -> (f64, f64) {
    let mut centred = 0.0;
    for column in y.columns() {
        let mean = column.sum() / column.len() as f64;
        centred += column.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    }
    (centred, y.iter().map(|v| v * v).sum())
}
