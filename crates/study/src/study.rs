//! A study as it will run: a file with what the command line changes.

use convstat_runner::{Description, RunDir};
use convstat_tensor::blas;
use convstat_text::KeyPath;

use crate::file::StudyFile;
use crate::place::in_text;
use crate::plan::Plan;
use crate::{Result, StudyError};

/// What the command line changes in a study file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Replicates a cell.
    pub replicates: Option<u64>,
    /// `key=value` pairs, the key dotted (`study.seed=7`, `noise.sigma=0.5`), the value TOML.
    pub set: Vec<String>,
}

/// A study file as it will run.
#[derive(Debug)]
pub struct Study {
    /// Its text, keys that were set included; the number of replicates may be another.
    pub text: String,
    /// Its plan.
    pub plan: Plan,
}

impl Study {
    /// Reads and plans a study.
    ///
    /// # Errors
    /// What is wrong in the file, with the place.
    pub fn new(text: &str, overrides: &Overrides) -> Result<Self> {
        // Before overrides, so that places in messages are those of the file.
        let mut file = StudyFile::parse(text)?;
        let mut changed = text.to_owned();
        if !overrides.set.is_empty() {
            (file, changed) = with_set(text, &overrides.set)?;
        }
        if let Some(replicates) = overrides.replicates {
            file.study.replicates = replicates;
            file.check().map_err(|e| match e {
                StudyError::BadValue { value, mend, .. } => StudyError::bad("--replicates", value, &mend),
                other => other,
            })?;
        }
        let plan = Plan::new(file).map_err(|e| in_text(blame_set(e, &overrides.set), text))?;
        Ok(Self { plan, text: changed })
    }

    /// The study of an existing run, from its manifest.
    ///
    /// # Errors
    /// The manifest cannot be read, or its study is wrong.
    pub fn of_run(run: &RunDir) -> Result<Self> {
        let manifest = run.manifest()?;
        Self::new(&manifest.study, &Overrides { replicates: Some(manifest.replicates), set: Vec::new() })
    }
}

/// Parts of a dotted key, more than any has.
const MOST_NESTING: usize = 8;

/// A study file with keys set, and its text.
///
/// # Errors
/// The pair from which on the file is wrong: the file itself is right.
fn with_set(text: &str, set: &[String]) -> Result<(StudyFile, String)> {
    let read = |pairs: &[String]| {
        let text = apply(text, pairs)?;
        Ok((StudyFile::parse(&text)?, text))
    };
    read(set).map_err(|error| {
        let right = (0..set.len()).rev().find(|&i| read(&set[..i]).is_ok()).unwrap_or(0);
        let pair = set[right].clone();
        match error {
            StudyError::File(e) => StudyError::Set { pair, message: e.message, help: e.help },
            StudyError::BadValue { key, mend, .. } if key == KeyPath::from("--set") => {
                StudyError::Set { pair, message: mend, help: None }
            }
            other => StudyError::Set { pair, message: other.to_string(), help: other.help() },
        }
    })
}

/// An error of a key that was set, as one of the option.
fn blame_set(error: StudyError, set: &[String]) -> StudyError {
    let Some(key) = error.key() else { return error };
    let sets = |pair: &&String| KeyPath::from(pair.split('=').next().unwrap_or_default()).overlaps(&key);
    match set.iter().find(sets) {
        Some(pair) => StudyError::Set { pair: pair.clone(), message: error.to_string(), help: error.help() },
        None => error,
    }
}

/// Sets dotted keys in a TOML text.
fn apply(text: &str, set: &[String]) -> Result<String> {
    let mut table: toml::Table =
        toml::from_str(text).map_err(|e| StudyError::bad("study file", "", e.message()))?;
    for pair in set {
        let bad = |mend: &str| StudyError::bad("--set", pair, mend);
        let (key, value) = pair.split_once('=').ok_or_else(|| bad("write it as key=value"))?;
        let parsed: toml::Table = toml::from_str(&format!("v = {value}"))
            .or_else(|_| toml::from_str(&format!("v = {value:?}")))
            .map_err(|_| bad("the value has to be TOML"))?;
        let Some(value) = parsed.get("v").cloned() else { return Err(bad("the value has to be TOML")) };
        let mut parts: Vec<&str> = key.trim().split('.').collect();
        // Tables are written and dropped by recursion.
        if parts.len() > MOST_NESTING {
            return Err(bad(&format!(
                "the key has {} parts; no key has more than {MOST_NESTING}",
                parts.len()
            )));
        }
        let last = parts.pop().unwrap_or_default();
        let mut at = &mut table;
        for part in parts {
            let entry = at.entry(part).or_insert_with(|| toml::Value::Table(toml::Table::new()));
            at = entry.as_table_mut().ok_or_else(|| {
                bad("only keys of tables can be set (study, noise, truth, samples, theory), not of lists")
            })?;
        }
        at.insert(last.to_owned(), value);
    }
    toml::to_string(&table).map_err(|e| StudyError::bad("--set", set.join(" "), &e.to_string()))
}

impl Study {
    /// What the manifest of its run says.
    pub fn description(&self) -> Description<'_> {
        let header = &self.plan.file.study;
        Description {
            name: &header.name,
            text: &self.text,
            seed: header.seed,
            replicates: self.plan.replicates(),
            data: None,
            blas: blas::description(),
        }
    }
}
