//! What labels have not.

use convstat_estimate::Family;
use convstat_text::KeyPath;

use crate::file::{Estimator, Response, StudyFile};
use crate::{Result, StudyError};

/// Fails on what labels have not.
///
/// # Errors
/// The key at fault, and what to do.
pub(super) fn check(response: &Response, file: &StudyFile) -> Result<()> {
    let family = response.family.name();
    if !response.family.is_labels() {
        return Err(StudyError::bad("response.family", family, "it is the default; leave [response] out"));
    }
    if !(response.scale.is_finite() && response.scale > 0.0) {
        return Err(StudyError::bad(
            "response.scale",
            response.scale,
            "it has to be a finite number above 0",
        ));
    }
    if let Some((i, design)) = file.design.iter().enumerate().find(|(_, d)| d.design().is_exact_law()) {
        let mend =
            format!("it draws compressed samples, which {family} responses do not have; use \"normal\"");
        return Err(StudyError::bad(KeyPath::from("design").index(i), design.label(), &mend));
    }
    if let Some((i, e)) = file.estimator.iter().enumerate().find(|(_, e)| !e.method.fits_labels()) {
        let mend = format!("it does not know {family} responses; use \"levenberg-marquardt\"");
        return Err(StudyError::bad(
            KeyPath::from("estimator").index(i).key("solver"),
            e.method.name(),
            &mend,
        ));
    }
    let selects = |(i, e): (usize, &Estimator)| Some((i, e.select?));
    if let Some((i, criterion)) = file.estimator.iter().enumerate().find_map(selects) {
        let mend = format!("criteria are those of least squares, not of {family} responses; leave it out");
        return Err(StudyError::bad(
            KeyPath::from("estimator").index(i).key("select"),
            criterion.name(),
            &mend,
        ));
    }
    if let Some(inference) = &file.inference {
        let mend =
            format!("intervals are those of least squares, not of {family} responses; leave [inference] out");
        return Err(StudyError::bad("inference.level", inference.level, &mend));
    }
    if file.noise.sigma.to_bits() != 1f64.to_bits() {
        return Err(StudyError::bad("noise.sigma", file.noise.sigma, "labels have no noise; leave it out"));
    }
    for (i, setting) in file.setting.iter().enumerate().filter(|_| response.family == Family::Logistic) {
        let outputs = setting.structure.outputs()?;
        if outputs != 1 {
            let mend = format!(
                "logistic responses are one; leave outputs out of setting \"{}\", or use multinomial",
                setting.name
            );
            return Err(StudyError::bad(
                KeyPath::from("setting").index(i).key("structure").key("outputs"),
                outputs,
                &mend,
            ));
        }
    }
    Ok(())
}
