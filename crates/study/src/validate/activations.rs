//! Networks with an activation are trained, and nothing else is.

use convstat_cnn::Activation;
use convstat_estimate::Method;
use convstat_text::KeyPath;

use crate::file::StudyFile;
use crate::{Result, StudyError};

/// Fails on keys that do not go with an activation, or with its absence.
pub(super) fn check(file: &StudyFile) -> Result<()> {
    let with = file.setting.iter().enumerate().find(|(_, s)| s.activation.is_some());
    let without = file.setting.iter().any(|s| s.activation.is_none());
    let is_adam = |method: &Method| matches!(method, Method::Adam(_));
    let solver = |i: usize, mend: &str| {
        let at = KeyPath::from("estimator").index(i).key("solver");
        StudyError::bad(at, file.estimator[i].method.name(), mend)
    };
    let mend = "solver adam trains settings with an activation, and they have no other; give every [[setting]] an activation \
                (\"identity\" for the linear network) and every [[estimator]] solver = \"adam\", or none of them";
    let Some((i, s)) = with else {
        return match file.estimator.iter().position(|e| is_adam(&e.method)) {
            Some(e) => Err(solver(e, mend)),
            None => Ok(()),
        };
    };
    if let Some(response) = &file.response {
        let mend = "trained networks have Gaussian responses; leave [response] or the activation out";
        let value = format!("{} beside an activation in setting \"{}\"", response.family.name(), s.name);
        return Err(StudyError::bad("response.family", value, mend));
    }
    if without {
        let value =
            format!("\"{}\" in setting \"{}\" alone", s.activation.map_or("", Activation::name), s.name);
        return Err(StudyError::bad(KeyPath::from("setting").index(i).key("activation"), value, mend));
    }
    if let Some(e) = file.estimator.iter().position(|e| !is_adam(&e.method)) {
        return Err(solver(e, mend));
    }
    if let Some((d, design)) = file.design.iter().enumerate().find(|(_, d)| d.design().is_exact_law()) {
        let mend = "with an activation inputs have to be drawn; use kind \"normal\"";
        return Err(StudyError::bad(KeyPath::from("design").index(d).key("kind"), design.label(), mend));
    }
    if file.inference.is_some() {
        let mend = "trained networks have no confidence intervals; leave the table out";
        return Err(StudyError::bad("inference", "{…}", mend));
    }
    Ok(())
}
