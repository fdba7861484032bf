//! One call from data and structure to a fit that an analyst can report.
//!
//! ```
//! use convstat_cnn::{OutputModes, StructureSpec};
//! use convstat_estimate::{FitOptions, FittedModel, Sample};
//! use ndarray::Array2;
//!
//! // y = z_1 + z_5 + noise: coefficients of rank 1 as a 2 × 4 matrix.
//! let z = Array2::from_shape_fn((40, 8), |(i, j)| ((i * 7 + j * j * 3 + i * j) % 11) as f64 - 5.0);
//! let y = Array2::from_shape_fn((40, 1), |(i, _)| z[[i, 0]] + z[[i, 4]] + 0.1 * ((i * 5) % 7) as f64 - 0.3);
//! let spec = StructureSpec::parse("{ einsum = \"ar,br->ab\", sizes = { r = 1 } }")?;
//! let structure = spec.build(&OutputModes::plain(&[2, 4], 1))?;
//! let model = FittedModel::fit(&structure, &Sample::new(z, y)?, &FitOptions::default())?;
//! println!("{model}");
//! let standard_errors = model.standard_errors()?;
//! assert!((model.coefficients()[[0, 0]] - 1.0).abs() < 4.0 * standard_errors[[0, 0]]);
//! # Ok::<(), convstat_estimate::EstimateError>(())
//! ```

use std::borrow::Cow;
use std::fmt;

use convstat_cnn::{Factors, Geometry, Structure};
use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::confidence::Confidence;
use crate::diagnose::{diagnose, offset, out_of_range};
use crate::diagnostics::Diagnostic;
use crate::executor::execute;
use crate::inference::Inference;
use crate::labels::LabelledSample;
use crate::outcome::{Fit, SingleFit, Termination};
use crate::refine::{objective_at, refine};
use crate::scale::Scale;
use crate::solvers::{Algorithm, Method};
use crate::trace::{Trace, TracePoint};
use crate::{EstimateError, Family, Result, Rows, Sample};

/// How to fit, and how much to find out about the fit.
#[derive(Debug, Clone, PartialEq)]
pub struct FitOptions {
    /// The solver with its options (default: Levenberg–Marquardt from the spectral and ten random starts).
    pub method: Method,
    /// Seed of the random starts (default 1).
    pub seed: u64,
    /// Go on from the solver's tolerance to the last digits that `f64` can give, at the cost of a few singular value
    /// decompositions (default yes).
    pub refine: bool,
    /// Dimension, residual variance and standard errors (default yes).
    pub inference: bool,
    /// Look for what keeps the fit from being trusted (default yes).
    pub diagnose: bool,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self { method: Method::default(), seed: 1, refine: true, inference: true, diagnose: true }
    }
}

impl FitOptions {
    /// The fit by this solver with everything about it.
    pub fn new(method: impl Into<Method>) -> Self {
        Self { method: method.into(), ..Self::default() }
    }

    /// The fit by this solver and nothing more, for the many fits of a simulation.
    pub fn bare(method: impl Into<Method>) -> Self {
        Self { method: method.into(), seed: 1, refine: false, inference: false, diagnose: false }
    }
}

/// A fit that is being prepared, with what only some callers have: a geometry, a truth, a stream of random numbers, an
/// observer, an interrupt.
pub struct Fitting<'a> {
    structure: &'a Structure,
    options: &'a FitOptions,
    geometry: Option<&'a Geometry>,
    truth: Option<&'a Factors>,
    normal: Option<&'a mut dyn FnMut() -> f64>,
    observer: Option<&'a mut dyn FnMut(&TracePoint)>,
    interrupt: Option<&'a dyn Fn() -> bool>,
}

impl<'a> Fitting<'a> {
    /// Of a structure with these options.
    pub fn new(structure: &'a Structure, options: &'a FitOptions) -> Self {
        let (geometry, truth, normal, observer, interrupt) = (None, None, None, None, None);
        Self { structure, options, geometry, truth, normal, observer, interrupt }
    }

    /// With the geometry that made the features: dependence by construction is told from dependence in the data.
    #[must_use]
    pub fn geometry(self, geometry: Option<&'a Geometry>) -> Self {
        Self { geometry, ..self }
    }

    /// With the true factors, for [`Start::Oracle`](crate::Start::Oracle).
    #[must_use]
    pub fn truth(self, truth: Option<&'a Factors>) -> Self {
        Self { truth, ..self }
    }

    /// With a source of standard normals for random starts, in place of the seed.
    #[must_use]
    pub fn normal(self, normal: &'a mut dyn FnMut() -> f64) -> Self {
        Self { normal: Some(normal), ..self }
    }

    /// Tells an observer of every step of every start; the fit is the same, bit for bit.
    #[must_use]
    pub fn observer(self, observer: &'a mut dyn FnMut(&TracePoint)) -> Self {
        Self { observer: Some(observer), ..self }
    }

    /// Asked before each step; once it says yes, the fit ends with the best point so far and
    /// [`Termination::Interrupted`].
    #[must_use]
    pub fn interrupt(self, interrupt: &'a dyn Fn() -> bool) -> Self {
        Self { interrupt: Some(interrupt), ..self }
    }

    /// Dimension, residual variance and standard errors at a fit of these `rows` found elsewhere; none of rows that are not
    /// in memory.
    ///
    /// # Errors
    /// Rows or factors that do not fit the structure.
    pub fn inference(&self, rows: &dyn Rows, fit: &Fit) -> Result<Option<Inference>> {
        check(self.structure, rows)?;
        let prepared = Prepared::new(self.structure, rows)?;
        prepared.inference(self.structure, self.options, &in_units(fit.clone(), &prepared.scale))
    }

    /// What keeps a fit of these `rows`, found elsewhere, from being trusted.
    ///
    /// # Errors
    /// Rows or factors that do not fit the structure.
    pub fn diagnose(&self, rows: &dyn Rows, fit: &Fit) -> Result<Vec<Diagnostic>> {
        check(self.structure, rows)?;
        let prepared = Prepared::new(self.structure, rows)?;
        let unit = in_units(fit.clone(), &prepared.scale);
        prepared.diagnose(self.structure, self.options, &unit, self.geometry)
    }

    /// Fits `rows`: a [`Sample`] raw or compressed, a [`LabelledSample`], or rows that are made block by block.
    ///
    /// Data of any units are fitted near unit size, and compressed where they have more rows than features; nothing but the
    /// objective can leave the range of `f64`: it is infinite or 0 then.
    ///
    /// # Errors
    /// Rows that do not fit the structure, options outside their range, an oracle start without truth, a solver that is
    /// unsuited to the structure or to labels.
    pub fn fit(self, rows: &dyn Rows) -> Result<FittedModel> {
        let Fitting { structure, options, .. } = self;
        check(structure, rows)?;
        options.method.check()?;
        let prepared = Prepared::new(structure, rows)?;
        let scale = prepared.scale;
        let mut trace = Trace::new(self.observer, self.interrupt);
        trace.scale = (!scale.is_one()).then_some(scale);
        let truth = self.truth.map(|t| scale.unit_factors(t));
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        let mut given = self.normal;
        let mut normal = || given.as_mut().map_or_else(|| StandardNormal.sample(&mut rng), |normal| normal());
        let unit = prepared.fitted();
        let (method, truth) = (&options.method, truth.as_ref());
        let mut fit = execute(structure, unit, method, &scale, truth, &mut normal, &mut trace)?;
        if options.refine {
            refine(structure, unit, &mut fit)?;
        }
        let inference = if options.inference { prepared.inference(structure, options, &fit)? } else { None };
        let diagnostics =
            if options.diagnose { prepared.diagnose(structure, options, &fit, self.geometry)? } else { Vec::new() };
        Ok(FittedModel {
            structure: structure.name().to_owned(),
            naive_parameters: structure.naive_parameters(),
            n: rows.observations(),
            family: rows.family(),
            is_shrunken: options.method.shrinks(),
            goodness: inference.as_ref().map(|_| prepared.goodness(&fit.w)),
            fit: rescaled(fit, &scale),
            inference,
            diagnostics,
        })
    }
}

fn check(structure: &Structure, rows: &dyn Rows) -> Result<()> {
    if (structure.features(), structure.outputs()) == (rows.features(), rows.outputs()) {
        return Ok(());
    }
    Err(EstimateError::StructureMismatch {
        features: rows.features(),
        outputs: rows.outputs(),
        structure: structure.name().to_owned(),
        needed: structure.features(),
        needed_outputs: structure.outputs(),
    })
}

/// Rows near unit size and in C order, and as they are fitted.
struct Prepared<'a> {
    scale: Scale,
    /// None: the rows as they were given.
    unit: Option<LabelledSample>,
    compressed: Option<Sample>,
    given: &'a dyn Rows,
}

impl<'a> Prepared<'a> {
    fn new(structure: &Structure, given: &'a dyn Rows) -> Result<Self> {
        let Some(sample) = given.in_memory() else {
            return Ok(Self { scale: Scale::one(), unit: None, compressed: None, given });
        };
        // Squares of data beyond 1e±154 leave the range of f64.
        let scale = Scale::of(sample, structure.owners().len());
        let unit = match () {
            () if !scale.is_one() => Some(scale.to_unit(sample).in_c_order()),
            () if !sample.is_in_c_order() => Some(sample.clone().in_c_order()),
            () => None,
        };
        let rows = unit.as_ref().unwrap_or(sample);
        let can_shrink = !given.family().is_labels() && rows.z.nrows() > rows.features();
        let compressed = can_shrink.then(|| rows.compressed()).transpose()?;
        Ok(Self { scale, compressed, unit: unit.map(|u| LabelledSample::of(u, given.family())), given })
    }

    /// All rows.
    fn rows(&self) -> &dyn Rows {
        self.unit.as_ref().map_or(self.given, |u| u)
    }

    /// The rows that are fitted.
    fn fitted(&self) -> &dyn Rows {
        self.compressed.as_ref().map_or(self.rows(), |c| c)
    }

    /// None of rows that are not in memory.
    fn inference(&self, structure: &Structure, options: &FitOptions, fit: &Fit) -> Result<Option<Inference>> {
        let Some(sample) = self.fitted().in_memory() else { return Ok(None) };
        let inference = match options.method.solver().algorithm() {
            Algorithm::Direct(solver) => solver.inference(sample, &self.scale, &fit.w)?,
            _ => Inference::of_factors(structure, self.fitted(), &self.scale, &fit.factors)?,
        };
        Ok(Some(inference))
    }

    fn diagnose(
        &self,
        structure: &Structure,
        options: &FitOptions,
        fit: &Fit,
        geometry: Option<&Geometry>,
    ) -> Result<Vec<Diagnostic>> {
        let mut found = diagnose(structure, self.fitted(), &self.scale, fit, &options.method, geometry)?;
        let Some(sample) = self.rows().in_memory().filter(|_| !self.given.family().is_labels()) else {
            return Ok(found);
        };
        found.extend(offset(sample, &fit.w));
        let total = self.rows().sum_of_squares() + sample.rss;
        found.extend(out_of_range(&self.scale, total, objective_at(self.rows(), &fit.w)));
        Ok(found)
    }

    fn goodness(&self, w: &Array2<f64>) -> Goodness {
        let objective = objective_at(self.rows(), w);
        let (about_mean, about_zero) = match self.rows().in_memory() {
            Some(sample) if sample.rss == 0.0 => total_variation(&sample.y),
            _ => (f64::NAN, self.rows().sum_of_squares() + self.rows().rss()),
        };
        // Without variation there is nothing to explain.
        let share = |of: f64| if of > 0.0 { 1.0 - objective / of } else { f64::NAN };
        Goodness {
            objective: self.scale.square(objective),
            r_squared: share(about_mean),
            r_squared_about_zero: share(about_zero),
        }
    }
}

/// Sums of squares of the responses about their means and about zero.
fn total_variation(y: &Array2<f64>) -> (f64, f64) {
    let mut centred = 0.0;
    for column in y.columns() {
        let mean = column.sum() / column.len() as f64;
        centred += column.iter().map(|v| (v - mean).powi(2)).sum::<f64>();
    }
    (centred, y.iter().map(|v| v * v).sum())
}

/// A fit near unit size, in the units of the data.
fn rescaled(fit: Fit, scale: &Scale) -> Fit {
    if scale.is_one() {
        return fit;
    }
    let single = |f: &SingleFit| SingleFit { objective: scale.square(f.objective), ..f.clone() };
    Fit {
        factors: scale.factors(&fit.factors),
        w: fit.w.mapv(|v| scale.coefficient(v)),
        best: single(&fit.best),
        all: fit.all.iter().map(single).collect(),
        oracle_gap: fit.oracle_gap.map(|g| scale.square(g)),
    }
}

/// The converse of [`rescaled`].
fn in_units(fit: Fit, scale: &Scale) -> Fit {
    if scale.is_one() {
        return fit;
    }
    let single = |f: &SingleFit| SingleFit { objective: scale.unit_square(f.objective), ..f.clone() };
    Fit {
        factors: scale.unit_factors(&fit.factors),
        w: fit.w.mapv(|v| scale.unit_coefficient(v)),
        best: single(&fit.best),
        all: fit.all.iter().map(single).collect(),
        oracle_gap: fit.oracle_gap.map(|g| scale.unit_square(g)),
    }
}

/// How well a fit describes the rows it was given.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Goodness {
    /// Residual sum of squares at all rows; for labels the deviance.
    pub objective: f64,
    /// Share of the sum of squares about the means that is explained; NaN for compressed samples, whose rows have no mean,
    /// and for responses without variation.
    pub r_squared: f64,
    /// Share of the sum of squares about zero.
    pub r_squared_about_zero: f64,
}

/// A structure fitted to data: coefficients, standard errors, dimension, residual variance, diagnostics, starts. All in the
/// units of the data.
#[derive(Debug, Clone)]
pub struct FittedModel {
    structure: String,
    naive_parameters: usize,
    n: f64,
    family: Family,
    is_shrunken: bool,
    /// Factors, coefficients, and where every start ended.
    pub fit: Fit,
    /// Dimension, residual variance, standard errors; none if they were not asked for, and of rows that are not in memory.
    pub inference: Option<Inference>,
    /// The objective at all rows, and the share of the variation that is explained; with the inference.
    pub goodness: Option<Goodness>,
    /// What keeps the fit from being trusted; empty for a well-posed problem, and if it was not asked for.
    pub diagnostics: Vec<Diagnostic>,
}

impl FittedModel {
    /// Fits `structure` to `rows`: a [`Sample`] raw or compressed, a [`LabelledSample`], or rows that are made block by
    /// block.
    ///
    /// # Errors
    /// See [`Fitting::fit`].
    pub fn fit(structure: &Structure, rows: &dyn Rows, options: &FitOptions) -> Result<Self> {
        Fitting::new(structure, options).fit(rows)
    }

    /// `Ŵ`, `D × M`.
    pub fn coefficients(&self) -> &Array2<f64> {
        &self.fit.w
    }

    /// Standard errors of the coefficients, `D × M`: first-order ones, from the tangent space at the fit. NaN where there are
    /// none: no residual degrees of freedom, or a solver that shrinks by an unknown amount.
    ///
    /// # Errors
    /// A fit without inference.
    pub fn standard_errors(&self) -> Result<Array2<f64>> {
        let (d, m) = self.fit.w.dim();
        Ok(convstat_tensor::algebra::shaped((d, m), self.inference()?.coefficient_se().to_vec()))
    }

    /// Dimension, residual variance and standard errors.
    ///
    /// # Errors
    /// A fit without inference.
    pub fn inference(&self) -> Result<&Inference> {
        self.inference.as_ref().ok_or(EstimateError::NoInference)
    }

    /// Identified dimension: the rank of `Z J`; for ridge the effective one.
    ///
    /// # Errors
    /// A fit without inference.
    pub fn df(&self) -> Result<f64> {
        Ok(self.inference()?.df)
    }

    /// `RSS / (nM − df)`; NaN without residual degrees of freedom, 1 for labels.
    ///
    /// # Errors
    /// A fit without inference.
    pub fn residual_variance(&self) -> Result<f64> {
        Ok(self.inference()?.variance)
    }

    /// Intervals and regions that hold with probability `level`, to first order.
    ///
    /// # Errors
    /// A fit without inference, a level that is not between 0 and 1, no residual degrees of freedom.
    pub fn confidence(&self, level: f64) -> Result<Confidence<'_>> {
        self.inference()?.confidence(level)
    }

    /// The fit of a sample in units, for the sample itself.
    pub(crate) fn rescaled(self, scale: &Scale) -> Self {
        Self {
            fit: rescaled(self.fit, scale),
            inference: self.inference.map(|i| i.in_units_of(scale)),
            goodness: self.goodness.map(|g| Goodness { objective: scale.square(g.objective), ..g }),
            ..self
        }
    }

    /// Why the best start ended.
    pub fn termination(&self) -> Termination {
        self.fit.best.termination
    }
}

/// Most coefficients that are printed.
const MOST_PRINTED: usize = 12;

impl fmt::Display for FittedModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let best = &self.fit.best;
        let (d, m) = self.fit.w.dim();
        writeln!(f, "{} by {}, n = {}", self.structure, self.family.name(), self.n)?;
        writeln!(f, "objective {:.6e}, {}", best.objective, best.termination.name())?;
        let se = self.standard_errors().ok();
        if let Some(inference) = &self.inference {
            writeln!(
                f,
                "df {} of {} parameters, residual variance {:.6e}{}",
                inference.df,
                self.naive_parameters,
                inference.variance,
                if self.is_shrunken { " (shrinkage biases it)" } else { "" }
            )?;
        }
        let response: Cow<str> = if m == 1 { "".into() } else { " response".into() };
        writeln!(f, "{:>8}{response}  {:>13} {:>13}", "feature", "coefficient", "std. error")?;
        for (i, ((row, column), value)) in self.fit.w.indexed_iter().enumerate().take(MOST_PRINTED) {
            let error = se.as_ref().map_or(f64::NAN, |se| se[[row, column]]);
            let error = if error.is_nan() { "-".to_owned() } else { format!("{error:.5e}") };
            let response = if m == 1 { String::new() } else { format!(" {column:>8}") };
            write!(f, "{row:>8}{response}  {value:>13.5e} {error:>13}")?;
            if i + 1 < (d * m).min(MOST_PRINTED) {
                writeln!(f)?;
            }
        }
        if d * m > MOST_PRINTED {
            write!(f, "\n… and {} more coefficients", d * m - MOST_PRINTED)?;
        }
        for diagnostic in &self.diagnostics {
            write!(f, "\nwarning: {diagnostic}")?;
        }
        Ok(())
    }
}
