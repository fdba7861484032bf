//! Table `[[estimator]]`.

use convstat_cnn::Over;
use convstat_estimate::{Criterion, FitOptions, SolverKind, Start, TrainOptions};
use serde::{Deserialize, Serialize};

use crate::{Result, StudyError};

/// Table `[[estimator]]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimator {
    /// Name in tables and figures (default: the criterion's, else the solver's); needed where two estimators have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The solver.
    pub solver: SolverKind,
    /// Starts; the best of them is the fit.
    #[serde(default = "default_starts")]
    pub starts: Vec<Start>,
    /// Most iterations from one start.
    #[serde(default = "default_iterations")]
    pub max_iterations: usize,
    /// Decrease that counts as none, as a share of the residual variance.
    #[serde(default = "default_tolerance")]
    pub tolerance: f64,
    /// Penalty: of ridge on the scale of `ZᵀZ`, of nuclear-norm as a multiple of the noise level.
    #[serde(default = "default_lambda")]
    pub lambda: f64,
    /// Steps of adam, observations of a step, and length of the first one ([`TrainOptions`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// See `steps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// See `steps`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_rate: Option<f64>,
    /// Criterion that chooses among the candidates of `over`; the fit is that of the structure chosen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub select: Option<Criterion>,
    /// Candidates: values of keys of the setting's structure, every combination.
    #[serde(default, skip_serializing_if = "Over::is_empty")]
    pub over: Over,
    /// Folds of cross-validation (default 10).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folds: Option<usize>,
}

/// Steps of training beyond which a fit takes days.
const MOST_TRAINING_STEPS: usize = 100_000_000;

impl Default for Estimator {
    fn default() -> Self {
        Self {
            name: None,
            solver: SolverKind::LevenbergMarquardt,
            starts: default_starts(),
            max_iterations: default_iterations(),
            tolerance: default_tolerance(),
            lambda: default_lambda(),
            steps: None,
            batch: None,
            learning_rate: None,
            select: None,
            over: Over::new(),
            folds: None,
        }
    }
}

impl Estimator {
    /// Its name, or its criterion's, or its solver's.
    pub fn label(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.select.map_or(self.solver.name(), Criterion::name))
    }

    /// How it fits.
    pub(crate) fn options(&self) -> FitOptions {
        FitOptions {
            solver: self.solver,
            starts: self.starts.clone(),
            max_iterations: self.max_iterations,
            tolerance: self.tolerance,
            lambda: self.lambda,
        }
    }

    /// How it trains (solver adam).
    pub fn training(&self) -> TrainOptions {
        let default = TrainOptions::default();
        TrainOptions {
            steps: self.steps.unwrap_or(default.steps),
            batch: self.batch.unwrap_or(default.batch),
            learning_rate: self.learning_rate.unwrap_or(default.learning_rate),
            starts: self.starts.clone(),
        }
    }

    /// Fails on keys of training where nothing is trained, and on values outside their range.
    pub(super) fn check_training(&self) -> Result<()> {
        let given = [
            ("steps", self.steps.is_some()),
            ("batch", self.batch.is_some()),
            ("learning_rate", self.learning_rate.is_some()),
        ];
        if self.solver != SolverKind::Adam {
            return match given.iter().find(|(_, given)| *given) {
                None => Ok(()),
                Some((key, _)) => Err(StudyError::bad(
                    &format!("estimator.{key}"),
                    "…",
                    &format!("solver {} has no such key; it is of adam", self.solver.name()),
                )),
            };
        }
        if self.starts.contains(&Start::Spectral) {
            let mend = "the default, spectral and oracle, is not for training; write starts = [\"random\", \"random\", \"oracle\"]";
            return Err(StudyError::bad(
                "estimator.starts",
                format!("{:?}", self.starts.iter().map(|s| s.name()).collect::<Vec<_>>()),
                mend,
            ));
        }
        self.training().check()?;
        match self.training().steps {
            steps if steps > MOST_TRAINING_STEPS => Err(StudyError::bad(
                "estimator.steps",
                steps,
                &format!("at most {MOST_TRAINING_STEPS} are possible"),
            )),
            _ => Ok(()),
        }
    }
}

fn default_starts() -> Vec<Start> {
    vec![Start::Spectral, Start::Oracle]
}

fn default_iterations() -> usize {
    500
}

fn default_tolerance() -> f64 {
    convstat_estimate::FitOptions::default().tolerance
}

fn default_lambda() -> f64 {
    1.0
}
