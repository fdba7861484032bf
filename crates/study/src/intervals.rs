//! Whether the confidence intervals and the region of a fit hold the truth.

use convstat_estimate::{EstimateError, FittedModel, Joint, Sample};
use convstat_runner::stream;
use ndarray::Array2;

use crate::Result;
use crate::coverage::{Coverage, FRESH_INPUTS};
use crate::plan::{Cell, Plan};
use crate::setting::TrueCoefficient;

/// Of a fit of `sample` in one replicate, at this level.
///
/// Predictions and region are about `ZW`, which the data always identify. Entries are counted where all of them are
/// identified: by the structure (THEORY §3), or without one by a sample of full rank.
pub(crate) fn coverage(
    plan: &Plan,
    cell: &Cell,
    replicate: u64,
    (sample, model): (&Sample, &FittedModel),
    truth: &TrueCoefficient,
    level: f64,
) -> Result<Coverage> {
    let estimator = plan.estimator(cell);
    if estimator.method.shrinks() {
        // Shrinkage biases by amounts of the size of the standard errors.
        return Ok(Coverage::NOTHING);
    }
    let fit = &model.fit;
    let is_identified = if fit.factors.is_empty() {
        sample.z.nrows() >= sample.features()
    } else {
        truth.risk.is_identified()
    };
    let confidence = match model.confidence(level) {
        Ok(confidence) => confidence,
        Err(EstimateError::NoResidualFreedom { .. }) => return Ok(Coverage::NOTHING),
        Err(e) => return Err(e.into()),
    };
    let off = &fit.w - &truth.w;
    let fresh = fresh_features(plan, cell, replicate)?;
    let entries = covered(&off, &confidence.coefficients(Joint::Pointwise));
    let predictions = covered(&fresh.dot(&off), &confidence.fitted(&fresh.view(), Joint::Pointwise));
    let holds = confidence.contains(sample, &fit.w.view(), &truth.w.view());
    Ok(Coverage {
        entries: if is_identified { entries } else { f64::NAN },
        predictions,
        region: f64::from(u8::from(holds)),
    })
}

/// Share of the errors within their half-widths.
fn covered(off: &Array2<f64>, half: &Array2<f64>) -> f64 {
    let inside = off.iter().zip(half).filter(|(off, half)| off.abs() <= **half).count();
    inside as f64 / off.len() as f64
}

/// Features (`FRESH_INPUTS × D`) of new inputs of the design, from a stream of their own.
fn fresh_features(plan: &Plan, cell: &Cell, replicate: u64) -> Result<Array2<f64>> {
    let setting = plan.setting(cell);
    let inputs = setting.geometry.inputs();
    let mut rng = stream(plan.file.study.seed, "fresh inputs", &plan.data_key(cell)?, replicate);
    let mut x = Array2::zeros((inputs, FRESH_INPUTS));
    plan.file.design[cell.design].design().sampler(inputs)?.fill(&mut rng, &mut x);
    Ok(setting.windows.apply(&x.view()).reversed_axes())
}
