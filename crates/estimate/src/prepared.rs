//! Rows of any units near unit size, and fits of them back in the units of the data.

use convstat_cnn::{Geometry, Structure};
use ndarray::Array2;

use crate::diagnose::{diagnose, offset, out_of_range};
use crate::diagnostics::Diagnostic;
use crate::inference::Inference;
use crate::labels::LabelledSample;
use crate::outcome::{Fit, SingleFit};
use crate::refine::objective_at;
use crate::scale::Scale;
use crate::solvers::{Algorithm, Method};
use crate::{Result, Rows, Sample};

/// Rows near unit size and in C order, and as they are fitted.
pub(crate) struct Prepared<'a> {
    pub scale: Scale,
    /// None: the rows as they were given.
    unit: Option<LabelledSample>,
    compressed: Option<Sample>,
    given: &'a dyn Rows,
}

impl<'a> Prepared<'a> {
    pub fn new(structure: &Structure, given: &'a dyn Rows) -> Result<Self> {
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
    pub fn fitted(&self) -> &dyn Rows {
        self.compressed.as_ref().map_or(self.rows(), |c| c)
    }

    /// None of rows that are not in memory.
    pub fn inference(&self, structure: &Structure, method: &Method, fit: &Fit) -> Result<Option<Inference>> {
        let Some(sample) = self.fitted().in_memory() else { return Ok(None) };
        let inference = match method.solver().algorithm() {
            Algorithm::Direct(solver) => solver.inference(sample, &self.scale, &fit.w)?,
            _ => Inference::of_factors(structure, self.fitted(), &self.scale, &fit.factors)?,
        };
        Ok(Some(inference))
    }

    pub fn diagnose(
        &self,
        structure: &Structure,
        method: &Method,
        fit: &Fit,
        geometry: Option<&Geometry>,
    ) -> Result<Vec<Diagnostic>> {
        let mut found = diagnose(structure, self.fitted(), &self.scale, fit, method, geometry)?;
        let Some(sample) = self.rows().in_memory().filter(|_| !self.given.family().is_labels()) else {
            return Ok(found);
        };
        found.extend(offset(sample, &fit.w));
        let total = self.rows().sum_of_squares() + sample.rss;
        found.extend(out_of_range(&self.scale, total, objective_at(self.rows(), &fit.w)));
        Ok(found)
    }

    pub fn goodness(&self, w: &Array2<f64>) -> Goodness {
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
pub(crate) fn rescaled(fit: Fit, scale: &Scale) -> Fit {
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
pub(crate) fn in_units(fit: Fit, scale: &Scale) -> Fit {
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
