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

use convstat_cnn::{Factors, Geometry, Structure};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::diagnostics::Diagnostic;
use crate::executor::execute;
use crate::inference::Inference;
use crate::model::FittedModel;
use crate::outcome::{Fit, Termination};
use crate::prepared::{Prepared, in_units, rescaled};
use crate::refine::refine;
use crate::solvers::Method;
use crate::trace::{Trace, TracePoint};
use crate::{EstimateError, Result, Rows};

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
        prepared.inference(self.structure, &self.options.method, &in_units(fit.clone(), &prepared.scale))
    }

    /// What keeps a fit of these `rows`, found elsewhere, from being trusted.
    ///
    /// # Errors
    /// Rows or factors that do not fit the structure.
    pub fn diagnose(&self, rows: &dyn Rows, fit: &Fit) -> Result<Vec<Diagnostic>> {
        check(self.structure, rows)?;
        let prepared = Prepared::new(self.structure, rows)?;
        let unit = in_units(fit.clone(), &prepared.scale);
        prepared.diagnose(self.structure, &self.options.method, &unit, self.geometry)
    }

    /// Fits `rows`: a [`Sample`](crate::Sample) raw or compressed, a [`LabelledSample`](crate::LabelledSample), or rows that are made block by block.
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
        if options.refine && fit.best.termination != Termination::Interrupted {
            refine(structure, unit, &mut fit)?;
        }
        let inference =
            if options.inference { prepared.inference(structure, &options.method, &fit)? } else { None };
        let diagnostics = if options.diagnose {
            prepared.diagnose(structure, &options.method, &fit, self.geometry)?
        } else {
            Vec::new()
        };
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

impl FittedModel {
    /// Fits `structure` to `rows`: a [`Sample`](crate::Sample) raw or compressed, a [`LabelledSample`](crate::LabelledSample),
    /// or rows that are made block by block.
    ///
    /// # Errors
    /// See [`Fitting::fit`].
    pub fn fit(structure: &Structure, rows: &dyn Rows, options: &FitOptions) -> Result<Self> {
        Fitting::new(structure, options).fit(rows)
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
