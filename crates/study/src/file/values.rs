//! Reads a study file and checks its values.

use std::collections::HashSet;

use convstat_cnn::Activation;
use convstat_estimate::Method;

use super::study::StudyFile;
use super::toml::parse_toml;
use crate::designs::DesignSpec;
use crate::place::in_text;
use crate::{Result, StudyError};

/// Replicates a cell beyond which a plan would not fit into memory.
const MOST_REPLICATES: u64 = 10_000_000;

impl StudyFile {
    /// Reads a study file. Errors point at the key at fault, unknown keys name the nearest.
    pub fn parse(text: &str) -> Result<Self> {
        let file: Self = parse_toml(text)?;
        file.check().map_err(|e| in_text(e, text))?;
        Ok(file)
    }

    /// Fails on values outside their range; [`StudyFile::parse`] has done this.
    pub fn check(&self) -> Result<()> {
        if self.study.replicates == 0 {
            return Err(StudyError::bad("study.replicates", 0, "it has to be at least 1"));
        }
        if self.study.replicates > MOST_REPLICATES {
            let mend = format!("at most {MOST_REPLICATES} are possible");
            return Err(StudyError::bad("study.replicates", self.study.replicates, &mend));
        }
        check_file_name("study.name", &self.study.name)?;
        if self.setting.is_empty() {
            return Err(StudyError::bad("setting", "none", "give at least one [[setting]]"));
        }
        for (list, names) in [
            ("setting", self.setting.iter().map(|s| s.name.clone()).collect::<Vec<_>>()),
            ("design", self.design.iter().map(DesignSpec::label).collect()),
            ("estimator", self.estimator.iter().map(|e| e.label().to_owned()).collect()),
            ("samples.n", self.samples.n.iter().flatten().map(ToString::to_string).collect()),
        ] {
            let mut seen = HashSet::new();
            if let Some(twice) = names.iter().find(|n| !seen.insert(*n)) {
                return Err(StudyError::bad(list, twice, "it stands twice; give each its own name"));
            }
        }
        if self.design.is_empty() || self.estimator.is_empty() {
            return Err(StudyError::bad("design or estimator", "none", "give at least one of each"));
        }
        for design in &self.design {
            design.check()?;
        }
        if !(self.noise.sigma.is_finite() && self.noise.sigma >= 0.0) {
            return Err(StudyError::bad(
                "noise.sigma",
                self.noise.sigma,
                "it has to be finite and at least 0",
            ));
        }
        self.check_activations()?;
        for e in &self.estimator {
            e.check_method()?;
            crate::selection::check(e, self)?;
        }
        if let Some(inference) = &self.inference {
            convstat_estimate::confidence::check_level(inference.level)?;
        }
        for check in &self.check {
            check.validate(self)?;
        }
        crate::figure::check(self)?;
        if let Some(response) = &self.response {
            response.check(self)?;
        }
        self.theory.check()?;
        self.samples.check()
    }
}

impl StudyFile {
    /// Networks with an activation are trained, and nothing else is.
    fn check_activations(&self) -> Result<()> {
        let with = self.setting.iter().find(|s| s.activation.is_some());
        let without = self.setting.iter().find(|s| s.activation.is_none());
        let adam = self.estimator.iter().any(|e| matches!(e.method, Method::Adam(_)));
        let mend = "solver adam trains settings with an activation, and they have no other; give every [[setting]] an activation \
                    (\"identity\" for the linear network) and every [[estimator]] solver = \"adam\", or none of them";
        if let (Some(s), Some(response)) = (with, &self.response) {
            let mend = "trained networks have Gaussian responses; leave [response] or the activation out";
            let value = format!("{} beside an activation in setting \"{}\"", response.family.name(), s.name);
            return Err(StudyError::bad("response.family", value, mend));
        }
        match (with, without) {
            (Some(s), Some(_)) => Err(StudyError::bad(
                "activation",
                format!("\"{}\" in setting \"{}\" alone", s.activation.map_or("", Activation::name), s.name),
                mend,
            )),
            (None, _) if adam => Err(StudyError::bad("estimator.solver", "adam", mend)),
            (Some(_), None) => match self.estimator.iter().find(|e| !matches!(e.method, Method::Adam(_))) {
                Some(e) => Err(StudyError::bad("estimator.solver", e.method.name(), mend)),
                None => match self.design.iter().find(|d| d.design().is_exact_law()) {
                    Some(d) => Err(StudyError::bad(
                        "design.kind",
                        d.label(),
                        "with an activation inputs have to be drawn; use kind \"normal\"",
                    )),
                    None if self.inference.is_some() => Err(StudyError::bad(
                        "inference",
                        "{…}",
                        "trained networks have no confidence intervals; leave the table out",
                    )),
                    None => Ok(()),
                },
            },
            _ => Ok(()),
        }
    }
}

/// Fails on a name that is not one of a file on every system.
pub(crate) fn check_file_name(key: &str, name: &str) -> Result<()> {
    let allowed = |c: char| c.is_alphanumeric() || "-_. ".contains(c);
    if !name.is_empty() && !name.starts_with('.') && name.chars().all(allowed) {
        return Ok(());
    }
    let mend = "give a name of letters, digits, - _ . and spaces that does not begin with a dot";
    Err(StudyError::bad(key, format!("{name:?}"), mend))
}
