//! What `fit` writes and prints of a least-squares fit.

use convstat::estimate::{EstimateError, Goodness, Joint};
use convstat::prelude::*;
use ndarray::{Array2, ArrayD, Axis, concatenate};

use super::arguments::{FitCommand, whole, with_outputs};
use crate::arrays::{reshape, write};
use crate::commands::data::as_json;
use crate::failure::Failure;
use crate::output::{Status, print, print_json};
use crate::trace::trace_table;

/// A fit with what is reported of it.
pub(super) struct Found<'a> {
    pub structure: &'a Structure,
    pub sample: Sample,
    pub model: FittedModel,
    pub fitted_se: Array2<f64>,
    pub steps: Vec<TracePoint>,
}

impl FitCommand {
    /// Writes coefficients and fitted values, if they are asked for.
    pub(super) fn write(
        &self,
        found: &Found,
        geometry: Option<&Geometry>,
        x: &ArrayD<f64>,
    ) -> Result<(), Failure> {
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

    /// Prints the fit.
    pub(super) fn report(&self, found: &Found) -> Result<Status, Failure> {
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
            self.print_written("fitted values and standard errors")?;
        }
        for diagnostic in &model.diagnostics {
            eprintln!("warning: {diagnostic}");
        }
        Ok(if fit.best.termination.is_success() { Status::Done } else { Status::Partly })
    }
}
