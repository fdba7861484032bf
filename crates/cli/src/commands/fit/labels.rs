//! `fit --family logistic` and `multinomial`: labels of classes, by maximum likelihood.

use convstat::estimate::Termination;
use convstat::prelude::*;
use ndarray::{Array2, ArrayD, Axis, concatenate};

use super::arguments::{FitCommand, whole};
use super::family::from_column;
use crate::arrays::{reshape, write};
use crate::commands::data::as_json;
use crate::failure::Failure;
use crate::output::{Status, print, print_json};
use crate::trace::trace_table;

impl FitCommand {
    /// Writes the probabilities of the classes and their standard errors, if they are asked for.
    fn write_probabilities(&self, sample: &LabelledSample, model: &FittedModel) -> Result<(), Failure> {
        let Some(path) = &self.fitted else { return Ok(()) };
        let (z, w) = (sample.sample().z.view(), model.fit.w.view());
        let (p, se) = (sample.probabilities(&w), model.inference()?.probability_se(&z, &w));
        // One column for two classes: the probability of class 1.
        let first = usize::from(sample.classes() == 2);
        let part = |a: &Array2<f64>| from_column(a, first).insert_axis(Axis(1));
        let both = concatenate![Axis(1), part(&p), part(&se)];
        let shape = [both.shape()[0], 2].into_iter().chain((first == 0).then(|| sample.classes()));
        write(path, &reshape(&both.into_dyn(), &shape.collect::<Vec<_>>()))
    }

    /// Fits labels, writes and reports.
    pub(super) fn fit_labels(
        &self,
        structure: &Structure,
        sample: &LabelledSample,
        geometry: Option<&Geometry>,
        x: &ArrayD<f64>,
    ) -> Result<Status, Failure> {
        let (model, steps) = self.fitted(structure, sample, geometry)?;
        let (fit, inference, diagnostics) = (&model.fit, model.inference()?, &model.diagnostics);
        self.write_coefficients(&fit.w, geometry, x)?;
        self.write_probabilities(sample, &model)?;
        let (deviance, null_deviance) = (fit.best.objective, sample.null_deviance());
        // Where the likelihood has no maximum nothing but that is an estimate.
        let estimate = |v: f64| if fit.best.termination == Termination::Separated { f64::NAN } else { v };
        let (aic, bic) = sample.criteria(deviance, inference.df);
        let coefficient_se = range_of(inference.coefficient_se().to_vec()).map(estimate);
        let z = sample.sample().z.view();
        let predictor_se = range_of(inference.fitted_se(&z).iter().copied().collect()).map(estimate);
        let starts: Vec<f64> = fit.all.iter().map(|f| f.objective).collect();
        let spread = starts.iter().copied().fold(0.0f64, f64::max) - deviance;
        let start = fit.best.start.map_or("direct", |s| s.name());
        let (n, classes, family) = (sample.sample().n as u64, sample.classes(), self.family.family().name());
        if self.json {
            let range = |[min, median, max]: [f64; 3]| serde_json::json!({ "min": min, "median": median, "max": max });
            let mut value = serde_json::json!({
                "family": family,
                "structure": structure.name(),
                "n": n,
                "features": structure.features(),
                "outputs": structure.outputs(),
                "classes": classes,
                "deviance": deviance,
                "null_deviance": null_deviance,
                "deviance_at_zero": sample.deviance_at_zero(),
                "df": whole(inference.df),
                "naive_parameters": structure.naive_parameters(),
                "d_m": structure.d_m(),
                "aic": estimate(aic),
                "bic": estimate(bic),
                "coefficient_se": range(coefficient_se),
                "predictor_se": range(predictor_se),
                "iterations": fit.best.iterations,
                "termination": fit.best.termination.name(),
                "start": start,
                "starts": starts,
                "diagnostics": diagnostics.iter().map(as_json).collect::<Vec<_>>(),
                "out": self.out,
                "fitted": self.fitted,
            });
            if self.trace {
                value["trace"] = serde_json::to_value(&steps).map_err(Failure::from_error)?;
            }
            print_json(&value)?;
        } else {
            if self.trace {
                print(&trace_table(&steps))?;
            }
            let range = |[min, median, max]: [f64; 3]| {
                format!("{min:.4e} (min) {median:.4e} (median) {max:.4e} (max)")
            };
            print(&format!(
                "family              {family}, {classes} classes\nstructure           {}\nobservations        {n}\n\
                 deviance            {deviance:.10e}\nnull deviance       {null_deviance:.10e} (frequencies; all classes alike {:.10e})\n\
                 df                  {}\nnaive parameters    {}\nAIC, BIC            {:.4} {:.4}\n\
                 se of coefficients  {}\nse of log-odds      {}\n\
                 best start          {start} after {} iterations, {}; spread of the starts {spread:.3e}\n",
                structure.name(),
                sample.deviance_at_zero(),
                inference.df,
                structure.naive_parameters(),
                estimate(aic),
                estimate(bic),
                range(coefficient_se),
                range(predictor_se),
                fit.best.iterations,
                fit.best.termination.name(),
            ))?;
            self.print_written("probabilities and standard errors")?;
        }
        for diagnostic in diagnostics {
            eprintln!("warning: {diagnostic}");
        }
        Ok(if fit.best.termination.is_success() { Status::Done } else { Status::Partly })
    }
}

/// The smallest, the median and the largest.
fn range_of(mut all: Vec<f64>) -> [f64; 3] {
    all.sort_by(f64::total_cmp);
    let at = |q: f64| all.get((q * (all.len() - 1) as f64).round() as usize).copied();
    [0.0, 0.5, 1.0].map(|q| at(q).unwrap_or(f64::NAN))
}
