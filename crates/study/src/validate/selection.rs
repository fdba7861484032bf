//! Keys of estimators that choose.

use convstat_estimate::{Method, Start};

use crate::candidates::FOLDS;
use crate::file::{Estimator, StudyFile};
use crate::{Result, StudyError};

/// Fails on keys of a selection that do not go together.
pub(super) fn check(estimator: &Estimator, file: &StudyFile) -> Result<()> {
    let Some(criterion) = estimator.select else {
        return match (estimator.over.keys().next(), estimator.folds) {
            (Some(key), _) => Err(StudyError::bad("over", key, "it needs select = \"bic\" or another")),
            (None, Some(folds)) => Err(StudyError::bad("folds", folds, "it needs select = \"cv\"")),
            (None, None) => Ok(()),
        };
    };
    if estimator.over.is_empty() {
        return Err(StudyError::bad(
            "select",
            criterion.name(),
            "give the candidates, for instance over = { kernels = [1, 2, 3] }",
        ));
    }
    if estimator.method.starts().contains(&Start::Oracle) {
        let mend = "a selection does not know the truth, which the default starts with too; write starts = [\"spectral\", \"random\"]";
        return Err(StudyError::bad("starts", "oracle", mend));
    }
    if matches!(estimator.method, Method::Adam(_)) {
        let mend = "trained networks have no criterion; use levenberg-marquardt or als without an activation";
        return Err(StudyError::bad("select", criterion.name(), mend));
    }
    if !estimator.method.is_structured() {
        let mend = "it fits the same W whatever the candidate; use levenberg-marquardt or als";
        return Err(StudyError::bad("solver", estimator.method.name(), mend));
    }
    let folds = estimator.folds.unwrap_or(FOLDS);
    if folds < 2 {
        return Err(StudyError::bad("folds", folds, "at least 2 are needed"));
    }
    if !criterion.needs_folds() {
        return match estimator.folds {
            Some(folds) => Err(StudyError::bad("folds", folds, "only cv and cv-one-se have folds")),
            None => Ok(()),
        };
    }
    match file.design.iter().find(|d| d.design().is_exact_law()) {
        Some(design) => {
            let mend = format!(
                "design \"{}\" draws no rows that could be left out; use design \"normal\", whose law is the same",
                design.label()
            );
            Err(StudyError::bad("select", criterion.name(), &mend))
        }
        None => Ok(()),
    }
}
