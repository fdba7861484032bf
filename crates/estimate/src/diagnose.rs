//! Finds what keeps a fit from being trusted.

use convstat_cnn::{Factors, Geometry, Structure};
use convstat_tensor::linalg::{column_basis, condition_number, qr_r, rank_tolerance, svd};
use ndarray::{Array1, Array2};

use crate::diagnostics::Diagnostic;
use crate::family::evaluate;
use crate::outcome::{Fit, Termination, is_optimisation_failure};
use crate::redundancy::{components, feasibility, norm, parameters};
use crate::refine::{Local, ROUNDINGS, objective_at};
use crate::sample::design_times;
use crate::scale::{Scale, column_norms, graded_columns};
use crate::solvers::{Algorithm, Method};
use crate::tolerance::EXACT;
use crate::{Result, Rows, Sample};

/// Fewest decimal digits of `Ŵ` that are right without a word: fewer than these are fewer than single precision has.
const MIN_DIGITS: f64 = 6.0;

/// Singular values of the Jacobian at a fit below this share of the largest belong to components that vanish or
/// coincide: a balanced factor of this size makes a component of its square.
const VANISHING: f64 = 1e-6;

/// The observed information may be this share of the expected one, or the expected one of it: standard errors are then
/// within a factor of two.
const LEAST_INFORMATION: f64 = 0.25;

/// Ratio of the norms of columns of Z from which the solvers of a structure see different units.
const MOST_GRADED: f64 = 1e6;

/// A mean of this many standard deviations is an offset.
const OFFSET: f64 = 10.0;

/// Features whose triangle has a condition number below this are well-conditioned.
const WELL_CONDITIONED: f64 = 1e4;

/// Multiplications that one factorisation of the Jacobian may take.
const MOST_WORK: f64 = 1e11;

/// What is wrong with a fit of `rows` near unit size by `structure` and `method`; nothing for a well-posed problem.
///
/// `rows` are those that were fitted, raw or compressed (faster), in the units of `scale`; with the `geometry` that made
/// their features, dependence by construction is told from dependence in the data. K above R is not reported: it is
/// redundancy, which changes neither `W` nor its errors (THEORY §2). Of rows that are not in memory nothing is said.
///
/// Costs several singular value decompositions of `Z` and `Z J`: for one fit, not for the fits of a study. Of Jacobians of
/// more than 1e11 multiplications a factorisation, nothing is said that needs one.
///
/// # Errors
/// A sample or factors that do not fit the structure.
pub(crate) fn diagnose(
    structure: &Structure,
    rows: &dyn Rows,
    scale: &Scale,
    fit: &Fit,
    method: &Method,
    geometry: Option<&Geometry>,
) -> Result<Vec<Diagnostic>> {
    let Some(sample) = rows.in_memory() else { return Ok(Vec::new()) };
    let direct = match method.solver().algorithm() {
        Algorithm::Direct(direct) => Some(direct),
        _ => None,
    };
    let penalty = direct.map_or(0.0, |d| d.penalty(scale));
    let subject = Subject { structure, rows, sample, factors: &fit.factors, w: &fit.w, penalty };
    let mut found = Vec::new();
    let total = rows.sum_of_squares() + rows.rss();
    let objective = objective_at(rows, &fit.w);
    if total == 0.0 {
        return Ok(vec![Diagnostic::ZeroResponses]);
    }
    let effective = direct.map_or(Ok(None), |d| d.dimension(structure, &fit.w))?;
    let df = if let Some(effective) = effective {
        if !fit.best.termination.is_success() {
            found.push(Diagnostic::NotConverged { termination: fit.best.termination, left: None });
        }
        effective as f64
    } else if direct.is_some() {
        subject.unstructured(geometry, objective, &mut found)?
    } else {
        subject.structured(geometry, objective, fit, &mut found)?
    };
    let equations = rows.observations() * rows.outputs() as f64;
    if df >= equations {
        found.push(Diagnostic::Saturated { equations, df });
    } else if objective <= EXACT * total {
        found.push(Diagnostic::ExactFit { share: objective / total });
    }
    Ok(found)
}

/// Squares that leave the range of `f64`: of a total sum of squares and an objective in these units.
pub(crate) fn out_of_range(scale: &Scale, total: f64, objective: f64) -> Option<Diagnostic> {
    let is_lost =
        !scale.square(total).is_finite() || (objective > 0.0 && scale.square(objective) < f64::MIN_POSITIVE);
    is_lost.then_some(Diagnostic::OutOfRange { exponent: scale.y })
}

/// The offset of a raw sample's responses that a fit `w` (`D × M`) does not explain; nothing for compressed samples, whose
/// rows have no mean. Both near unit size.
pub(crate) fn offset(sample: &Sample, w: &Array2<f64>) -> Option<Diagnostic> {
    if sample.rss != 0.0 || sample.z.nrows() as f64 != sample.n || sample.n < 2.0 {
        return None;
    }
    let (mut centred, mut means) = (0.0, 0.0);
    for column in sample.y.columns() {
        let mean = column.mean().unwrap_or(0.0);
        means += mean * mean;
        centred += column.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / sample.n;
    }
    let left = (&sample.y - &sample.z.dot(w)).mapv(|v| v.powi(2)).sum();
    let ratio = (means / centred).sqrt();
    (ratio > OFFSET && left > centred * sample.n).then_some(Diagnostic::Offset { ratio })
}

/// A fit near unit size and the sample behind it.
struct Subject<'a> {
    structure: &'a Structure,
    rows: &'a dyn Rows,
    sample: &'a Sample,
    factors: &'a Factors,
    w: &'a Array2<f64>,
    penalty: f64,
}

/// Singular values of Z, its columns brought to like sizes, and how far they were apart.
struct Features {
    rank: usize,
    condition: f64,
    ratio: f64,
    zeros: usize,
}

impl Subject<'_> {
    fn features(&self, penalty: f64) -> Result<Features> {
        let z = &self.sample.z;
        let norms = column_norms(z);
        let some = norms.iter().copied().filter(|&v| v > 0.0);
        let (low, high) = some.fold((f64::INFINITY, 0.0f64), |(l, h), v| (l.min(v), h.max(v)));
        let even = match graded_columns(z).filter(|_| penalty == 0.0) {
            Some(scales) => z * &Array1::from(scales),
            None => z.clone(),
        };
        let zeros = norms.iter().filter(|&&v| v == 0.0).count();
        let ratio = if high > 0.0 { high / low } else { 1.0 };
        let rank_and_condition = |rank, condition| Features { rank, condition, ratio, zeros };
        // A triangle whose estimated condition number is small, the usual case, needs no singular values.
        let r = qr_r(&even.view())?;
        if r.is_square() {
            let condition = condition_number(&r.view())?;
            if condition < WELL_CONDITIONED {
                return Ok(rank_and_condition(z.ncols(), condition));
            }
        }
        let s = singular_values(&r)?;
        let rank = count(&s, ROUNDINGS * rank_tolerance(even.dim()));
        // Of the matrix with the root of the penalty below it.
        let with_penalty = |v: f64| (v * v + penalty).sqrt();
        let smallest = if penalty > 0.0 && rank < z.ncols() {
            0.0
        } else {
            s.get(rank.max(1) - 1).copied().unwrap_or(0.0)
        };
        let condition = with_penalty(s.first().copied().unwrap_or(0.0)) / with_penalty(smallest);
        Ok(rank_and_condition(rank, condition))
    }

    /// Dependent features, by the geometry or in the data.
    fn dependence(
        &self,
        features: &Features,
        geometry: Option<&Geometry>,
        identified: bool,
        found: &mut Vec<Diagnostic>,
    ) -> Result<()> {
        let d = self.sample.features();
        let possible = geometry.map_or(Ok(d), Geometry::feature_rank)?;
        if possible < d {
            found.push(Diagnostic::SingularGeometry { features: d, rank: possible, identified });
        }
        if self.sample.n >= d as f64 && features.rank < possible {
            let (rank, zeros) = (features.rank, features.zeros);
            found.push(Diagnostic::Collinear { features: d, rank, zeros, identified });
        }
        Ok(())
    }

    /// Fits without factors; the effective dimension.
    fn unstructured(
        &self,
        geometry: Option<&Geometry>,
        objective: f64,
        found: &mut Vec<Diagnostic>,
    ) -> Result<f64> {
        let (sample, features) = (self.sample, self.features(self.penalty)?);
        let d = sample.features();
        if self.penalty == 0.0 {
            if sample.n < d as f64 {
                found.push(Diagnostic::TooFewObservations { n: sample.n, features: d });
            }
            self.dependence(&features, geometry, false, found)?;
        }
        // At most the largest singular value.
        let size = (sample.z.iter().map(|v| v * v).sum::<f64>() / d as f64).sqrt();
        self.condition(features.condition, size, objective, found);
        let outputs = sample.outputs() as f64;
        if self.penalty == 0.0 {
            return Ok(outputs * features.rank as f64);
        }
        let kept = |v: f64| v * v / (v * v + self.penalty);
        Ok(outputs * singular_values(&sample.z)?.iter().map(|&v| kept(v)).sum::<f64>())
    }

    /// Fewer digits than [`MIN_DIGITS`] by the perturbation theory of least squares (Higham 2002, Theorem 20.1).
    fn condition(&self, condition: f64, size: f64, objective: f64, found: &mut Vec<Diagnostic>) {
        let norm = self.w.iter().map(|v| v * v).sum::<f64>().sqrt();
        // Without a coefficient no digits of it can be lost.
        let angle = if norm > 0.0 && size > 0.0 { objective.sqrt() / (size * norm) } else { 0.0 };
        let digits = -(f64::EPSILON * condition * (1.0 + condition * angle)).log10();
        if digits < MIN_DIGITS {
            found.push(Diagnostic::IllConditioned { condition, digits: digits.max(0.0) });
        }
    }

    /// Fits of a structure; the identified dimension.
    fn structured(
        &self,
        geometry: Option<&Geometry>,
        objective: f64,
        fit: &Fit,
        found: &mut Vec<Diagnostic>,
    ) -> Result<f64> {
        let (structure, sample) = (self.structure, self.sample);
        let (variance, balanced) = (objective / sample.n.max(1.0), self.balanced());
        let total = self.rows.sum_of_squares() + sample.rss;
        feasibility(structure, found)?;
        if !components(structure, &balanced, found)? {
            parameters(structure, &balanced, self.w, found);
        }
        if fit.best.termination == Termination::Separated {
            // Of coefficients that diverge there is nothing else to say.
            found.push(Diagnostic::Separated);
            return Ok(f64::NAN);
        }
        Self::starts(fit, sample.n, EXACT * total, found);
        let (rows, cols) = (structure.coefficients() as f64, structure.naive_parameters() as f64);
        if rows * cols * rows.min(cols) > MOST_WORK {
            if !fit.best.termination.is_success() {
                found.push(Diagnostic::NotConverged { termination: fit.best.termination, left: None });
            }
            return Ok(f64::NAN);
        }
        let jacobian = structure.jacobian(&balanced)?;
        let (tangent, _) = column_basis(&jacobian.view(), VANISHING)?;
        let mut image = design_times(&sample.z, &tangent);
        let is_labels = self.rows.family().is_labels();
        if is_labels {
            evaluate(&sample.y, &mut sample.z.dot(self.w), Some(&mut image));
        }
        let values = singular_values(&image)?;
        let identified = count(&values, ROUNDINGS * rank_tolerance(image.dim()));
        let equations = sample.n * sample.outputs() as f64;

        let features = self.features(0.0)?;
        self.dependence(&features, geometry, identified == tangent.ncols(), found)?;
        if features.ratio > MOST_GRADED {
            found.push(Diagnostic::GradedFeatures { ratio: features.ratio });
        }
        if identified < tangent.ncols() {
            found.push(Diagnostic::NotIdentified { tangent: tangent.ncols(), identified, equations });
        }
        if identified > 0 && features.ratio <= MOST_GRADED {
            let (largest, smallest) = (values[0], values[identified - 1]);
            // The system of a likelihood is weighted, and has no residual beside it.
            let left = if is_labels { 0.0 } else { objective };
            self.condition(largest / smallest, largest, left, found);
        }
        let generic = structure.df()?;
        if tangent.ncols() < generic {
            found.push(Diagnostic::RankDeficientFit { dimension: tangent.ncols(), generic });
        }
        let local = Local::at(structure, self.rows, &structure.flatten(&balanced)?)?;
        let left = local.as_ref().filter(|l| l.is_minimum()).map(|l| l.decrease / variance);
        if !fit.best.termination.is_success() {
            found.push(Diagnostic::NotConverged { termination: fit.best.termination, left });
        }
        // Along components that vanish, where no inputs look, or beside residuals of rounding the curvature says nothing.
        let is_regular = tangent.ncols() == generic && identified == generic;
        if let Some(local) = local.filter(|_| is_regular && objective > EXACT * total) {
            let (low, high) = local.information;
            if low <= 0.0 {
                found.push(Diagnostic::NotAMinimum { information: low });
            } else if low < LEAST_INFORMATION || high > 1.0 / LEAST_INFORMATION {
                found.push(Diagnostic::Curved { information: (low, high) });
            }
        }
        Ok(identified as f64)
    }

    /// The factors with equal norms, which changes no coefficient.
    fn balanced(&self) -> Factors {
        let norms: Vec<f64> = self.factors.iter().map(norm).collect();
        if self.structure.has_shared_factors() || norms.iter().any(|v| !(*v > 0.0 && v.is_finite())) {
            return self.factors.clone();
        }
        let mean = (norms.iter().map(|v| v.ln()).sum::<f64>() / norms.len() as f64).exp();
        self.factors.iter().zip(&norms).map(|(f, n)| f * (mean / n)).collect()
    }

    /// The best optimum reached once only.
    fn starts(fit: &Fit, n: f64, rounding: f64, found: &mut Vec<Diagnostic>) {
        let best = fit.all.iter().map(|f| f.objective).fold(f64::INFINITY, f64::min);
        let above = fit
            .all
            .iter()
            .map(|f| f.objective - best)
            .filter(|&gap| gap > rounding && is_optimisation_failure(gap, best, n));
        let next = above.clone().fold(f64::INFINITY, f64::min);
        if fit.all.len() > 1 && above.count() + 1 == fit.all.len() {
            found.push(Diagnostic::StartsDisagree { starts: fit.all.len(), excess: next / best });
        }
    }
}

/// Singular values, largest first.
fn singular_values(a: &Array2<f64>) -> Result<Array1<f64>> {
    let tall = if a.nrows() >= a.ncols() { a.view() } else { a.t() };
    Ok(svd(&qr_r(&tall)?.view())?.1)
}

fn count(values: &Array1<f64>, tolerance: f64) -> usize {
    let largest = values.first().copied().unwrap_or(0.0);
    values.iter().filter(|&&v| v > tolerance * largest).count()
}
