//! A structure fitted to data: what an analyst reports.

use std::borrow::Cow;
use std::fmt;

use ndarray::Array2;

use crate::confidence::Confidence;
use crate::diagnostics::Diagnostic;
use crate::inference::Inference;
use crate::outcome::{Fit, Termination};
use crate::prepared::{Goodness, rescaled};
use crate::scale::Scale;
use crate::{EstimateError, Family, Result};

/// A structure fitted to data: coefficients, standard errors, dimension, residual variance, diagnostics, starts. All in the
/// units of the data.
#[derive(Debug, Clone)]
pub struct FittedModel {
    pub(crate) structure: String,
    pub(crate) naive_parameters: usize,
    pub(crate) n: f64,
    pub(crate) family: Family,
    pub(crate) is_shrunken: bool,
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
