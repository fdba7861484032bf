//! Table `[[estimator]]`: a solver with its options, and what is chosen with it.

use std::sync::OnceLock;

use convstat_cnn::Over;
use convstat_estimate::{Criterion, EstimateError, FitOptions, Method, Start};
use convstat_text::{keys_of, read_part};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{Result, StudyError};

/// Table `[[estimator]]`. Its keys are those below and the options of its solver; others are refused.
#[derive(Debug, Clone, Serialize)]
pub struct Estimator {
    /// Name in tables and figures (default: the criterion's, else the solver's); needed where two estimators have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The solver with its options. Iterative ones start at the spectral estimate and at the truth, if a file does not say
    /// otherwise: theory speaks of the global minimiser.
    #[serde(flatten)]
    pub method: Method,
    /// Criterion that chooses among the candidates of `over`; the fit is that of the structure chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub select: Option<Criterion>,
    /// Candidates: values of keys of the setting's structure, every combination.
    #[serde(skip_serializing_if = "Over::is_empty")]
    pub over: Over,
    /// Folds of cross-validation (default 10).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folds: Option<usize>,
}

/// The keys that are not the solver's.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Choice {
    name: Option<String>,
    select: Option<Criterion>,
    over: Over,
    folds: Option<usize>,
}

impl<'de> Deserialize<'de> for Estimator {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let all = toml::Table::deserialize(deserializer)?;
        let method = named(&all);
        if let Some(known) = method.as_ref().and_then(known_keys)
            && let Some(key) = all.keys().find(|k| !known.contains(&k.as_str()))
        {
            return Err(D::Error::unknown_field(key, known));
        }
        let (own, mut solver): (toml::Table, toml::Table) =
            all.into_iter().partition(|(key, _)| keys_of::<Choice>().contains(&key.as_str()));
        let Choice { name, select, over, folds } = read_part(own)?;
        if !solver.contains_key("starts") && method.is_some_and(|m| is_iterative(&m)) {
            let starts = [Start::Spectral, Start::Oracle].map(|s| toml::Value::from(s.name()));
            solver.insert("starts".to_owned(), starts.to_vec().into());
        }
        Ok(Self { name, method: read_part(solver)?, select, over, folds })
    }
}

/// The method that a table names, with its default options.
fn named(table: &toml::Table) -> Option<Method> {
    let name = table.get("solver")?.as_str()?;
    Method::all().into_iter().find(|m| m.name() == name)
}

fn is_iterative(method: &Method) -> bool {
    !method.starts().is_empty() && method.name() != "adam"
}

/// Keys of an estimator by this solver.
fn known_keys(method: &Method) -> Option<&'static [&'static str]> {
    static KNOWN: OnceLock<Vec<(&'static str, Vec<&'static str>)>> = OnceLock::new();
    let all = KNOWN.get_or_init(|| {
        let keys = |method: Method| {
            let options = toml::Table::try_from(&method).unwrap_or_default();
            // Serde wants names that live as long as the program; this happens once.
            let options = options.into_iter().map(|(key, _)| &*key.leak());
            (method.name(), options.chain(keys_of::<Choice>().iter().copied()).collect())
        };
        Method::all().into_iter().map(keys).collect()
    });
    all.iter().find(|(name, _)| *name == method.name()).map(|(_, keys)| &keys[..])
}

/// Steps of training beyond which a fit takes days.
const MOST_TRAINING_STEPS: usize = 100_000_000;

impl Default for Estimator {
    fn default() -> Self {
        let method = Method::default().with_starts(vec![Start::Spectral, Start::Oracle]);
        Self { name: None, method, select: None, over: Over::new(), folds: None }
    }
}

impl Estimator {
    /// Its name, or its criterion's, or its solver's.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.select.map_or(self.method.name(), Criterion::name))
    }

    /// How it fits in a replicate: nothing more than the study records.
    pub(crate) fn options(&self) -> FitOptions {
        FitOptions::bare(self.method.clone())
    }

    /// The options of the solver but its starts, as a file would say them.
    pub fn solver_options(&self) -> Vec<String> {
        let options = toml::Table::try_from(&self.method).unwrap_or_default();
        let shown = options.iter().filter(|(key, _)| !["solver", "starts"].contains(&key.as_str()));
        let text = |value: &toml::Value| match value {
            // As short as a user would write it: 1e-8.
            toml::Value::Float(v) => format!("{v:?}"),
            other => other.to_string(),
        };
        shown.map(|(key, value)| format!("{key} = {}", text(value))).collect()
    }

    /// Fails on options of the solver outside their range.
    ///
    /// # Errors
    /// The key, below the estimator's.
    pub fn check(&self) -> Result<()> {
        self.method.check().map_err(|e| match e {
            EstimateError::BadOption { option, value, mend } => StudyError::bad(option, value, mend),
            other => other.into(),
        })?;
        match &self.method {
            Method::Adam(adam) if adam.steps > MOST_TRAINING_STEPS => Err(StudyError::bad(
                "steps",
                adam.steps,
                &format!("at most {MOST_TRAINING_STEPS} are possible"),
            )),
            _ => Ok(()),
        }
    }

    /// The text from which the identities of cells are made. It names every option of version 3, whether the solver has it
    /// or not, so that stored runs keep their identities.
    pub(crate) fn identity(&self) -> Result<String> {
        let mut identity = Identity {
            name: self.name.as_deref(),
            solver: self.method.name(),
            starts: vec![Start::Spectral, Start::Oracle],
            max_iterations: 500,
            tolerance: 1e-8,
            lambda: 1.0,
            steps: None,
            batch: None,
            learning_rate: None,
            select: self.select,
            over: &self.over,
            folds: self.folds,
        };
        if let Ok(options) = toml::Table::try_from(&self.method) {
            let whole = |key: &str| options.get(key)?.as_integer().and_then(|v| usize::try_from(v).ok());
            let number = |key: &str| options.get(key)?.as_float();
            if options.contains_key("starts") {
                identity.starts = self.method.starts().to_vec();
            }
            identity.max_iterations = whole("max_iterations").unwrap_or(identity.max_iterations);
            identity.tolerance = number("tolerance").unwrap_or(identity.tolerance);
            identity.lambda = number("lambda").unwrap_or(identity.lambda);
            let default = Method::all().into_iter().find(|m| m.name() == self.method.name());
            let default = default.and_then(|m| toml::Table::try_from(&m).ok()).unwrap_or_default();
            let is_set = |key: &&str| options.get(*key) != default.get(*key);
            identity.steps = Some("steps").filter(is_set).and_then(whole);
            identity.batch = Some("batch").filter(is_set).and_then(whole);
            identity.learning_rate = Some("learning_rate").filter(is_set).and_then(number);
        }
        serde_json::to_string(&identity).map_err(|e| StudyError::internal("the identity of a cell", e))
    }
}

/// The options of all solvers as version 3 had them.
#[derive(Serialize)]
struct Identity<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    solver: &'static str,
    starts: Vec<Start>,
    max_iterations: usize,
    tolerance: f64,
    lambda: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    learning_rate: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    select: Option<Criterion>,
    #[serde(skip_serializing_if = "Over::is_empty")]
    over: &'a Over,
    #[serde(skip_serializing_if = "Option::is_none")]
    folds: Option<usize>,
}
