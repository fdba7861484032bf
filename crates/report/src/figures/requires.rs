//! What kinds of figures require of a study.

use convstat_study::StudyFile;

type Requirement = std::result::Result<(), String>;

/// Nothing.
// Every requirement has this signature.
#[allow(clippy::unnecessary_wraps)]
pub(super) fn nothing(_: &StudyFile) -> Requirement {
    Ok(())
}

/// Gaussian responses.
pub(super) fn gaussian(file: &StudyFile) -> Requirement {
    file.response.as_ref().map_or(Ok(()), |response| {
        Err(format!("it is about Gaussian responses; use \"rate\" for {} ones", response.family.name()))
    })
}

/// Gaussian responses of networks without an activation.
pub(super) fn linear(file: &StudyFile) -> Requirement {
    if file.setting.iter().any(|s| s.activation.is_some()) {
        return Err("it shows theory of the linear network; use \"rate\", \"kernels\" or \"estimators\" with an activation".to_owned());
    }
    gaussian(file)
}

/// Whether the summary of a study has bounds.
pub(super) fn has_bounds(file: &StudyFile) -> bool {
    file.theory.bounds && file.response.is_none()
}
