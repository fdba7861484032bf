//! Table `[response]`: labels of classes in place of Gaussian responses.

use convstat_estimate::Family;
use ndarray::ArrayViewMut2;
use rand::RngExt;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::{Result, StudyError, StudyFile};

/// Keys of `[response]`; without the table responses are Gaussian.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Response {
    /// `logistic`, or `multinomial` with `outputs` + 1 classes in a setting (two are the logistic law).
    pub family: Family,
    /// Size of the truth: root mean square, over the responses, of the standard deviation `‖Σ_Z^{1/2} w‖` of a linear
    /// predictor. Factors as they are drawn would make labels certain or random, as the structure happens to be.
    #[serde(default = "two")]
    pub scale: f64,
}

fn two() -> f64 {
    2.0
}

impl Response {
    /// Fails on what labels have not.
    ///
    /// # Errors
    /// The key at fault, and what to do.
    pub fn check(&self, file: &StudyFile) -> Result<()> {
        let family = self.family.name();
        if !self.family.is_labels() {
            return Err(StudyError::bad(
                "response.family",
                family,
                "it is the default; leave [response] out",
            ));
        }
        if !(self.scale.is_finite() && self.scale > 0.0) {
            return Err(StudyError::bad(
                "response.scale",
                self.scale,
                "it has to be a finite number above 0",
            ));
        }
        if let Some(design) = file.design.iter().find(|d| d.design().is_exact_law()) {
            let mend =
                format!("it draws compressed samples, which {family} responses do not have; use \"normal\"");
            return Err(StudyError::bad("design", design.label(), &mend));
        }
        if let Some(e) = file.estimator.iter().find(|e| !e.method.fits_labels()) {
            let mend = format!("it does not know {family} responses; use \"levenberg-marquardt\"");
            return Err(StudyError::bad("estimator.solver", e.method.name(), &mend));
        }
        if let Some(criterion) = file.estimator.iter().find_map(|e| e.select) {
            let mend =
                format!("criteria are those of least squares, not of {family} responses; leave it out");
            return Err(StudyError::bad("estimator.select", criterion.name(), &mend));
        }
        if let Some(inference) = &file.inference {
            let mend = format!(
                "intervals are those of least squares, not of {family} responses; leave [inference] out"
            );
            return Err(StudyError::bad("inference.level", inference.level, &mend));
        }
        if file.noise.sigma.to_bits() != 1f64.to_bits() {
            return Err(StudyError::bad(
                "noise.sigma",
                file.noise.sigma,
                "labels have no noise; leave it out",
            ));
        }
        for setting in file.setting.iter().filter(|_| self.family == Family::Logistic) {
            let outputs = setting.structure.outputs()?;
            if outputs != 1 {
                let mend = format!(
                    "logistic responses are one; leave outputs out of setting \"{}\", or use multinomial",
                    setting.name
                );
                return Err(StudyError::bad("outputs", outputs, &mend));
            }
        }
        Ok(())
    }
}

/// Draws labels at the linear predictors `eta` (`M × b`, an observation a column), in place: the indicators of classes 1 to
/// M. One uniform number an observation.
pub(crate) fn draw_labels(mut eta: ArrayViewMut2<f64>, rng: &mut ChaCha8Rng) {
    for mut column in eta.columns_mut() {
        let largest = column.fold(0.0f64, |a, &b| a.max(b));
        let reference = (-largest).exp();
        let total = reference + column.iter().map(|e| (e - largest).exp()).sum::<f64>();
        // What is left of the uniform number after each class.
        let mut left = rng.random::<f64>() * total - reference;
        for v in &mut column {
            let is_open = left >= 0.0;
            left -= (*v - largest).exp();
            *v = f64::from(u8::from(is_open && left < 0.0));
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn labels_have_their_law() {
        let eta = array![[0.5], [-1.0], [2.0]];
        let n = 200_000;
        let mut block = Array2::from_shape_fn((3, n), |(i, _)| eta[[i, 0]]);
        draw_labels(block.view_mut(), &mut ChaCha8Rng::seed_from_u64(3));
        assert!(
            block.columns().into_iter().all(|c| c.sum() <= 1.0 && c.iter().all(|v| *v == 0.0 || *v == 1.0))
        );
        let total = 1.0 + eta.iter().map(|e| e.exp()).sum::<f64>();
        for (row, e) in block.outer_iter().zip(&eta) {
            let p = e.exp() / total;
            let off = row.sum() / n as f64 - p;
            assert!(off.abs() < 4.0 * (p * (1.0 - p) / n as f64).sqrt(), "{off} of {p}");
        }
    }
}
