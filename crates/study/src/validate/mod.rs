//! Reads a study file and checks its values. Errors have the path of the key at fault.

mod activations;
mod figures;
mod name;
mod response;
mod selection;

use std::collections::HashSet;

use convstat_cnn::Activation;
use convstat_text::KeyPath;

use crate::checks::Names;
use crate::designs::DesignSpec;
use crate::file::{Estimator, StudyFile};
use crate::place::{in_text, parse_toml};
use crate::{Result, StudyError};
use name::check_file_name;

/// Replicates a cell beyond which a plan would not fit into memory.
const MOST_REPLICATES: u64 = 10_000_000;

impl StudyFile {
    /// Reads a study file. Errors point at the key at fault, unknown keys name the nearest.
    ///
    /// # Errors
    /// What is wrong, with its place.
    pub fn parse(text: &str) -> Result<Self> {
        let file: Self = parse_toml(text)?;
        file.check().map_err(|e| in_text(e, text))?;
        Ok(file)
    }

    /// Fails on values outside their range; [`StudyFile::parse`] has done this.
    ///
    /// # Errors
    /// The key at fault, its value and what would be right.
    pub fn check(&self) -> Result<()> {
        if self.study.replicates == 0 {
            return Err(StudyError::bad("study.replicates", 0, "it has to be at least 1"));
        }
        if self.study.replicates > MOST_REPLICATES {
            let mend = format!("at most {MOST_REPLICATES} are possible");
            return Err(StudyError::bad("study.replicates", self.study.replicates, &mend));
        }
        check_file_name("study.name", &self.study.name)?;
        self.check_lists()?;
        for (i, setting) in self.setting.iter().enumerate() {
            let checked = setting.structure.check();
            checked.map_err(|e| StudyError::in_setting(&setting.name, Some(i), e.into()))?;
        }
        for (i, design) in self.design.iter().enumerate() {
            design.check().map_err(|e| e.inside(KeyPath::from("design").index(i)))?;
        }
        let sigma = self.noise.sigma;
        if !(sigma.is_finite() && sigma >= 0.0) {
            return Err(StudyError::bad("noise.sigma", sigma, "it has to be finite and at least 0"));
        }
        activations::check(self)?;
        for (i, estimator) in self.estimator.iter().enumerate() {
            let checked = estimator.check().and_then(|()| selection::check(estimator, self));
            checked.map_err(|e| e.inside(KeyPath::from("estimator").index(i)))?;
        }
        if let Some(inference) = &self.inference {
            let checked = convstat_estimate::confidence::check_level(inference.level);
            checked.map_err(|e| StudyError::from(e).about("inference.level".into()))?;
        }
        let names = self.names();
        for (i, check) in self.check.iter().enumerate() {
            check.validate(&names).map_err(|e| e.inside(KeyPath::from("check").index(i)))?;
        }
        figures::check(self)?;
        if let Some(response) = &self.response {
            response::check(response, self)?;
        }
        self.theory.check()?;
        self.samples.check()
    }

    /// Fails on lists without an entry, and on names that stand twice.
    fn check_lists(&self) -> Result<()> {
        for (key, is_empty) in [
            ("setting", self.setting.is_empty()),
            ("design", self.design.is_empty()),
            ("estimator", self.estimator.is_empty()),
        ] {
            if is_empty {
                return Err(StudyError::bad(key, "none", &format!("give at least one [[{key}]]")));
            }
        }
        for (list, key, names) in [
            ("setting", Some("name"), self.setting.iter().map(|s| s.name.clone()).collect::<Vec<_>>()),
            ("design", None, self.design.iter().map(DesignSpec::label).collect()),
            ("estimator", Some("name"), self.estimator.iter().map(|e| e.label().to_owned()).collect()),
            ("samples.n", None, self.samples.n.iter().flatten().map(ToString::to_string).collect()),
        ] {
            let mut seen = HashSet::new();
            if let Some(i) = names.iter().position(|n| !seen.insert(n)) {
                let at = KeyPath::from(list).index(i);
                let at = key.map_or(at.clone(), |key| at.key(key));
                return Err(StudyError::bad(at, &names[i], "it stands twice; give each its own name"));
            }
        }
        Ok(())
    }

    /// What checks may name.
    fn names(&self) -> Names {
        Names {
            settings: self.setting.iter().map(|s| s.name.clone()).collect(),
            designs: self.design.iter().map(DesignSpec::label).collect(),
            estimators: self.estimator.iter().map(Estimator::label).map(str::to_owned).collect(),
            has_inference: self.inference.is_some(),
            response: self.response.as_ref().map(|r| r.family.name()),
            activation: self.setting.iter().find_map(|s| s.activation).map(Activation::name),
        }
    }
}
