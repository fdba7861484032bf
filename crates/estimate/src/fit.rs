//! One fit: all starts, the best kept, the gap between them recorded.

use convstat_cnn::{Factors, Structure};
use ndarray::Array2;

use crate::labels::working_sample;
use crate::least_squares::LeastSquares;
use crate::scale::Scale;
use crate::separation::{SEPARATED, least_information};
use crate::solvers::als::align;
use crate::solvers::nuclear_norm;
use crate::solvers::{End, Limits, SAME_OPTIMUM, SolverKind, Termination, rounding, run};
use crate::starts::{RANDOM_STARTS, Start, ridge, spectral_start};
use crate::trace::{Trace, TracePoint};
use crate::{EstimateError, LabelledSample, Result, Rows, Sample};

/// How to fit.
#[derive(Debug, Clone)]
pub struct FitOptions {
    /// The solver.
    pub solver: SolverKind,
    /// Starts, in order; `Random` may stand several times. The default is the spectral one and [`RANDOM_STARTS`] random ones.
    pub starts: Vec<Start>,
    /// Most iterations from one start.
    pub max_iterations: usize,
    /// Decrease that counts as none, as a share of the residual variance.
    pub tolerance: f64,
    /// Penalty `λ`: of [`SolverKind::Ridge`] on the scale of `ZᵀZ`, of [`SolverKind::NuclearNorm`] as a multiple of the
    /// noise level (1 is the size of what noise alone would bring).
    pub lambda: f64,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            solver: SolverKind::LevenbergMarquardt,
            starts: Start::spectral_and_random(RANDOM_STARTS),
            max_iterations: 500,
            tolerance: 1e-8,
            lambda: 1.0,
        }
    }
}

/// Where one start ended.
#[derive(Debug, Clone)]
pub struct SingleFit {
    /// The start; none for direct solutions.
    pub start: Option<Start>,
    /// Residual sum of squares; for labels the deviance.
    pub objective: f64,
    /// Iterations done.
    pub iterations: usize,
    /// Why it stopped.
    pub termination: Termination,
}

/// The best of all starts.
#[derive(Debug, Clone)]
pub struct Fit {
    /// Estimated factors (empty for solvers without structure).
    pub factors: Factors,
    /// `Ŵ` as a `D × M` matrix.
    pub w: Array2<f64>,
    /// The start that won; the first listed among equals.
    pub best: SingleFit,
    /// Every start.
    pub all: Vec<SingleFit>,
    /// Objective of the best start that is not the oracle, less the best of all: above 0 only if the
    /// starts a user has ended above the optimum. `None` without an oracle start.
    pub oracle_gap: Option<f64>,
}

impl Fit {
    /// Whether the starts a user has missed the optimum; see [`is_optimisation_failure`].
    pub fn is_optimisation_failure(&self, n: f64) -> bool {
        is_optimisation_failure(self.oracle_gap.unwrap_or(0.0), self.best.objective, n)
    }
}

/// Objectives below this share of the sum of squares of the data are those of an exact fit.
pub(crate) const EXACT: f64 = 1e-24;

/// Whether a gap between objectives (0 where it is rounding) is more than a negligible part of the residual
/// variance `objective / n`.
pub fn is_optimisation_failure(gap: f64, objective: f64, n: f64) -> bool {
    gap > SAME_OPTIMUM * objective / n.max(1.0)
}

/// Fits `structure` to `sample` from every start and keeps the best.
///
/// `truth` are the true factors for [`Start::Oracle`]; `normal` gives standard normals for
/// [`Start::Random`]. Labels ([`LabelledSample`]) are fitted by maximum likelihood; a fit whose classes turn out to be
/// separated ends with [`Termination::Separated`]. Samples far from unit size are fitted at unit size ([`Scale`]), so that nothing but the
/// objective can leave the range of `f64`: it is infinite or 0 then.
///
/// # Errors
/// A sample that does not fit the structure, an oracle start without truth, a solver unsuited to it or to labels.
pub fn fit(
    structure: &Structure,
    sample: &dyn Rows,
    options: &FitOptions,
    truth: Option<&Factors>,
    mut normal: impl FnMut() -> f64,
) -> Result<Fit> {
    start_all(structure, sample, options, truth, &mut normal, &mut Trace::none())
}

/// As [`fit`](fn@fit), and tells `observer` of every step of every start; the fit is the same, bit for bit.
///
/// # Errors
/// As [`fit`](fn@fit).
pub fn fit_traced(
    structure: &Structure,
    sample: &dyn Rows,
    options: &FitOptions,
    truth: Option<&Factors>,
    mut normal: impl FnMut() -> f64,
    observer: &mut dyn FnMut(&TracePoint),
) -> Result<Fit> {
    start_all(structure, sample, options, truth, &mut normal, &mut Trace::new(Some(observer)))
}

/// The fit in the sample's own layout and near unit size.
fn start_all(
    structure: &Structure,
    sample: &dyn Rows,
    options: &FitOptions,
    truth: Option<&Factors>,
    normal: &mut dyn FnMut() -> f64,
    trace: &mut Trace,
) -> Result<Fit> {
    check(structure, sample)?;
    let Some(rows) = sample.in_memory() else {
        return fit_rows(structure, sample, options, truth, normal, trace);
    };
    let scale = Scale::of(rows, structure.owners().len());
    if !scale.is_one() {
        let unit = LabelledSample::of(scale.to_unit(rows).in_c_order(), sample.family());
        let truth = truth.map(|t| scale.unit_factors(t));
        let lambda = match options.solver {
            SolverKind::Ridge => scale.unit_penalty(options.lambda),
            _ => options.lambda,
        };
        let options = FitOptions { lambda, ..options.clone() };
        trace.scale = Some(scale);
        let found = fit_rows(structure, &unit, &options, truth.as_ref(), normal, trace)?;
        return Ok(rescaled(found, scale));
    }
    if !(rows.z.is_standard_layout() && rows.y.is_standard_layout()) {
        let rows = LabelledSample::of(rows.clone().in_c_order(), sample.family());
        return fit_rows(structure, &rows, options, truth, normal, trace);
    }
    fit_rows(structure, sample, options, truth, normal, trace)
}

/// A fit of the sample in units, for the sample itself.
fn rescaled(fit: Fit, scale: Scale) -> Fit {
    let single = |f: &SingleFit| SingleFit { objective: scale.square(f.objective), ..f.clone() };
    Fit {
        factors: scale.factors(&fit.factors),
        w: fit.w.mapv(|v| scale.coefficient(v)),
        best: single(&fit.best),
        all: fit.all.iter().map(single).collect(),
        oracle_gap: fit.oracle_gap.map(|g| scale.square(g)),
    }
}

fn fit_rows(
    structure: &Structure,
    sample: &dyn Rows,
    options: &FitOptions,
    truth: Option<&Factors>,
    normal: &mut dyn FnMut() -> f64,
    trace: &mut Trace,
) -> Result<Fit> {
    let in_memory = sample.in_memory();
    let squares = in_memory.map_or(0.0, |s| s.z.iter().map(|v| v * v).sum());
    if !(sample.sum_of_squares() + sample.rss() + squares).is_finite() {
        return Err(EstimateError::Overflow);
    }
    trace.rss = sample.rss();
    let is_labels = sample.family().is_labels();
    if is_labels && options.solver != SolverKind::LevenbergMarquardt {
        return Err(EstimateError::Unsuited {
            solver: options.solver.name(),
            structure: structure.name().to_owned(),
            reason: format!(
                "it minimises squares, and the responses are {}; use levenberg-marquardt",
                sample.family().name()
            ),
        });
    }
    if !options.solver.is_structured() {
        return direct(
            structure,
            in_memory.ok_or(EstimateError::NotInMemory { solver: options.solver.name() })?,
            options,
            trace,
        );
    }
    if options.starts.is_empty() {
        return Err(EstimateError::BadOption {
            option: "starts",
            value: "[]".to_owned(),
            mend: "give at least one of spectral, random, oracle",
        });
    }
    let mut problem = LeastSquares::new(structure, sample)?;
    // Starts for labels come from least squares on a working sample.
    let working = in_memory.filter(|_| is_labels).map(working_sample).transpose()?;
    let mut pilot = working.as_ref().map(|w| LeastSquares::new(structure, w)).transpose()?;
    let mut limits =
        Limits { max_iterations: options.max_iterations, tolerance: options.tolerance, rival: None };
    let mut ends = Vec::with_capacity(options.starts.len());
    for (place, &start) in options.starts.iter().enumerate() {
        let from = pilot.as_mut().unwrap_or(&mut problem);
        let mut parameters = match start {
            Start::Spectral => spectral_start(from)?,
            Start::Random => {
                let point = structure.flatten(&structure.random_point(&mut *normal))?;
                scaled(from, point)
            }
            Start::Oracle => structure.flatten(truth.ok_or(EstimateError::BadOption {
                option: "starts",
                value: "oracle".to_owned(),
                mend: "the oracle start needs the true factors, which only a simulation has; use spectral or random",
            })?)?,
        };
        // The truth of labels is left as it is: a pass of least squares would lead away from it.
        let is_ready = start == Start::Spectral || (is_labels && start == Start::Oracle);
        if !is_ready && !structure.has_shared_factors() {
            align(from, &mut parameters)?;
        }
        (trace.place, trace.start) = (place, Some(start));
        let end = run(options.solver, &mut problem, &mut parameters, limits, trace)?;
        limits.rival = Some(limits.rival.map_or(end.objective, |r| r.min(end.objective)));
        ends.push((parameters, start, end));
    }
    let (best, mut found) = choose(&problem, &ends)?;
    if is_labels && least_information(&mut problem, &ends[best].0)? < SEPARATED {
        found.best.termination = Termination::Separated;
        found.all[best].termination = Termination::Separated;
    }
    Ok(found)
}

/// The point with fitted values of the size of the responses, so that a fit does not depend on units.
fn scaled(problem: &mut LeastSquares, mut point: Vec<f64>) -> Vec<f64> {
    let size = problem.fitted_size(&point);
    let operands = problem.structure().owners().len() as f64;
    let factor = (problem.rows().sum_of_squares() / size).powf(0.5 / operands);
    if factor.is_finite() && factor > 0.0 {
        point.iter_mut().for_each(|v| *v *= factor);
    }
    point
}

/// The best of the ends, the first listed among equals, and its place.
fn choose(problem: &LeastSquares, ends: &[(Vec<f64>, Start, End)]) -> Result<(usize, Fit)> {
    let (structure, sample) = (problem.structure(), problem.rows());
    let lowest = |oracle: bool| {
        ends.iter()
            .filter(|(_, start, _)| oracle || *start != Start::Oracle)
            .map(|(_, _, end)| end.objective)
            .fold(f64::INFINITY, f64::min)
    };
    let least = lowest(true);
    let has_oracle = ends.iter().any(|(_, start, _)| *start == Start::Oracle);
    let rounding = rounding(sample, least) + EXACT * (sample.sum_of_squares() + sample.rss());
    let gap = |objective: f64| if objective - least > rounding { objective - least } else { 0.0 };
    let oracle_gap = (has_oracle && ends.len() > 1).then(|| gap(lowest(false)));
    // The first start at the best optimum, so that ties do not depend on the last bits.
    let same =
        |end: &End| !is_optimisation_failure(gap(end.objective), least + sample.rss(), sample.observations());
    let best = ends.iter().position(|(_, _, end)| same(end)).unwrap_or(0);
    let all: Vec<SingleFit> = ends
        .iter()
        .map(|(_, start, end)| SingleFit {
            start: Some(*start),
            objective: end.objective + sample.rss(),
            iterations: end.iterations,
            termination: end.termination,
        })
        .collect();
    let factors = structure.unflatten(&ends[best].0)?;
    let w = structure.coefficient_matrix(&factors)?;
    Ok((best, Fit { factors, w, best: all[best].clone(), all, oracle_gap }))
}

/// Fits without factors, which need no start.
fn direct(structure: &Structure, sample: &Sample, options: &FitOptions, trace: &mut Trace) -> Result<Fit> {
    let lambda = if options.solver == SolverKind::Ols { 0.0 } else { options.lambda };
    if !(lambda.is_finite() && lambda >= 0.0) {
        return Err(EstimateError::BadOption {
            option: "lambda",
            value: lambda.to_string(),
            mend: "it has to be a finite number of at least 0",
        });
    }
    if options.solver == SolverKind::NuclearNorm {
        let (w, best) = nuclear_norm::solve(structure, sample, options, trace)?;
        return Ok(Fit { factors: Factors::new(), w, all: vec![best.clone()], best, oracle_gap: None });
    }
    let w = ridge(sample, lambda)?;
    let best = SingleFit {
        start: None,
        objective: sample.objective(&w.view()),
        iterations: 1,
        termination: Termination::Direct,
    };
    trace.end(best.iterations, best.objective - sample.rss, best.termination);
    Ok(Fit { factors: Factors::new(), w, all: vec![best.clone()], best, oracle_gap: None })
}

fn check(structure: &Structure, sample: &dyn Rows) -> Result<()> {
    if (structure.features(), structure.outputs()) == (sample.features(), sample.outputs()) {
        return Ok(());
    }
    Err(EstimateError::StructureMismatch {
        features: sample.features(),
        outputs: sample.outputs(),
        structure: structure.name().to_owned(),
        needed: structure.features(),
        needed_outputs: structure.outputs(),
    })
}
