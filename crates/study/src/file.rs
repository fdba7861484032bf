//! The study file.

use std::collections::HashSet;

use convstat_cnn::{Activation, GeometrySpec, LayerSpec, Over, StructureSpec, spec::suggestion};
use convstat_estimate::{Criterion, FitOptions, SolverKind, Start, TrainOptions};
use serde::{Deserialize, Serialize};

use crate::checks::CheckSpec;
use crate::coverage::InferenceOptions;
use crate::designs::DesignSpec;
use crate::figure::Figure;
use crate::place::{in_text, of_word};
use crate::response::Response;
use crate::{Result, StudyError};

/// A study file, in ADEMP order.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StudyFile {
    /// Name, aim, seed, replicates.
    pub study: Info,
    /// Geometries with structures.
    pub setting: Vec<Setting>,
    /// Laws of the inputs.
    #[serde(default = "one_normal_design")]
    pub design: Vec<DesignSpec>,
    /// Law of the noise.
    #[serde(default)]
    pub noise: Noise,
    /// Law of the responses, if it is not Gaussian.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// How true coefficients are drawn.
    #[serde(default)]
    pub truth: Truth,
    /// Sample sizes.
    pub samples: Samples,
    /// Solvers and starts.
    #[serde(default = "one_default_estimator")]
    pub estimator: Vec<Estimator>,
    /// Whether coverage is recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inference: Option<InferenceOptions>,
    /// How theory columns are computed.
    #[serde(default)]
    pub theory: TheoryOptions,
    /// Unit tests of error bounds.
    #[serde(default)]
    pub check: Vec<CheckSpec>,
    /// Figures to draw (default: rate and bounds).
    #[serde(default)]
    pub figure: Vec<Figure>,
}

/// Table `[study]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Info {
    /// Name; also the default run directory's.
    pub name: String,
    /// What the study is to show.
    #[serde(default)]
    pub aim: String,
    /// Seed of all random streams.
    pub seed: u64,
    /// Replicates a cell.
    pub replicates: u64,
}

/// Table `[[setting]]`: a geometry and a structure.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setting {
    /// Name in tables and figures.
    pub name: String,
    /// Input sizes.
    pub input: Vec<usize>,
    /// Kernel sizes.
    pub kernel: Vec<usize>,
    /// Strides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stride: Option<Vec<usize>>,
    /// Padding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<Vec<usize>>,
    /// Dilations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dilation: Option<Vec<usize>>,
    /// Pooling windows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<Vec<usize>>,
    /// Pooling strides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool_stride: Option<Vec<usize>>,
    /// Further layers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deeper: Vec<LayerSpec>,
    /// The structure that is fitted (and of the truth, unless `truth` names another setting's).
    pub structure: StructureSpec,
    /// What stands between convolution and pooling; such settings are trained (solver adam). The linear network without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activation: Option<Activation>,
    /// Settings with the same key share the true coefficients of the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub truth: Option<String>,
}

impl Setting {
    /// A setting with a truth of its own.
    pub fn new(name: &str, geometry: GeometrySpec, structure: StructureSpec) -> Self {
        Self {
            name: name.to_owned(),
            input: geometry.input,
            kernel: geometry.kernel,
            stride: geometry.stride,
            padding: geometry.padding,
            dilation: geometry.dilation,
            pool: geometry.pool,
            pool_stride: geometry.pool_stride,
            deeper: geometry.deeper,
            structure,
            activation: None,
            truth: None,
        }
    }

    /// The geometry part.
    pub fn geometry(&self) -> GeometrySpec {
        GeometrySpec {
            input: self.input.clone(),
            kernel: self.kernel.clone(),
            stride: self.stride.clone(),
            padding: self.padding.clone(),
            dilation: self.dilation.clone(),
            pool: self.pool.clone(),
            pool_stride: self.pool_stride.clone(),
            deeper: self.deeper.clone(),
        }
    }
}

/// Table `[noise]`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Noise {
    /// Law.
    pub kind: NoiseKind,
    /// Standard deviation.
    pub sigma: f64,
}

/// Laws of the noise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NoiseKind {
    /// Normal.
    Normal,
}

impl Default for Noise {
    fn default() -> Self {
        Self { kind: NoiseKind::Normal, sigma: 1.0 }
    }
}

/// Table `[truth]`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truth {
    /// One truth a setting, or one a replicate.
    #[serde(default)]
    pub draw: TruthDraw,
}

/// When true coefficients are drawn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TruthDraw {
    /// Once a setting.
    #[default]
    Setting,
    /// Anew for every replicate.
    Replicate,
}

/// Table `[samples]`: one of its keys.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Samples {
    /// Sample sizes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<Vec<u64>>,
    /// Equally spaced values of `√(d_M/n)`; n is rounded to the nearest whole number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sqrt_dm_over_n: Option<Grid>,
}

/// Equally spaced values.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    /// First value.
    pub from: f64,
    /// Last value.
    pub to: f64,
    /// Number of values.
    pub steps: usize,
}

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

/// Table `[theory]`: how theory columns are computed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TheoryOptions {
    /// Whether the bounds are computed (their statistical dimension takes seconds a setting).
    pub bounds: bool,
    /// Probability with which the explicit bound holds, at least.
    pub confidence: f64,
    /// Draws of noise for the statistical dimension.
    pub draws: usize,
    /// Random starts of each projection.
    pub starts: usize,
    /// Drawn designs for the risk under dependent rows.
    pub designs: usize,
    /// `c_H` of the literature bound, unknown.
    pub c_h: f64,
    /// Constant of the literature bound's condition, unknown.
    pub c_condition: f64,
    /// `δ` of the literature bound.
    pub delta: f64,
}

impl Default for TheoryOptions {
    fn default() -> Self {
        Self {
            bounds: true,
            confidence: 0.95,
            draws: 100,
            starts: 2,
            designs: 50,
            c_h: convstat_theory::CONSTANT_PROBABILITY,
            c_condition: convstat_theory::CONSTANT_CONDITION,
            delta: 1.0,
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
    fn check_training(&self) -> Result<()> {
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

/// Largest n: whole numbers up to it are exact as floats.
const MOST_N: u64 = 1 << 53;

/// Sample sizes of one grid.
const MOST_STEPS: usize = 10_000;

/// Replicates a cell beyond which a plan would not fit into memory.
const MOST_REPLICATES: u64 = 10_000_000;

/// Steps of training beyond which a fit takes days.
const MOST_TRAINING_STEPS: usize = 100_000_000;

/// Draws, and random starts of each, beyond which theory takes days.
const MOST_DRAWS: usize = 1_000_000;
const MOST_STARTS: usize = 10_000;

fn one_normal_design() -> Vec<DesignSpec> {
    vec![DesignSpec::Normal(crate::designs::normal::Normal {})]
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

fn one_default_estimator() -> Vec<Estimator> {
    vec![Estimator::default()]
}

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

impl StudyFile {
    /// Reads a study file. Errors point at the key at fault, unknown keys name the nearest.
    pub fn parse(text: &str) -> Result<Self> {
        let file: Self = parse_toml(text)?;
        file.check().map_err(|e| in_text(e, text))?;
        Ok(file)
    }

    /// Fails on values outside their range; [`StudyFile::parse`] has done this.
    pub fn check(&self) -> Result<()> {
        let positive = |key: &str, value: f64| {
            if value.is_finite() && value > 0.0 {
                return Ok(());
            }
            Err(StudyError::bad(key, value, "it has to be a finite number above 0"))
        };
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
            e.check_training()?;
            positive("estimator.tolerance", e.tolerance)?;
            if e.starts.is_empty() {
                return Err(StudyError::bad(
                    "estimator.starts",
                    "[]",
                    "give at least one of spectral, random, oracle",
                ));
            }
            if e.max_iterations == 0 {
                return Err(StudyError::bad("estimator.max_iterations", 0, "it has to be at least 1"));
            }
            if !(e.lambda.is_finite() && e.lambda >= 0.0) {
                return Err(StudyError::bad(
                    "estimator.lambda",
                    e.lambda,
                    "it has to be finite and at least 0",
                ));
            }
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
        positive("theory.c_h", self.theory.c_h)?;
        positive("theory.c_condition", self.theory.c_condition)?;
        positive("theory.delta", self.theory.delta)?;
        if !(self.theory.confidence > 0.0 && self.theory.confidence < 1.0) {
            return Err(StudyError::bad(
                "theory.confidence",
                self.theory.confidence,
                "it has to be between 0 and 1",
            ));
        }
        for (key, value, most) in [
            ("theory.draws", self.theory.draws, MOST_DRAWS),
            ("theory.designs", self.theory.designs, MOST_DRAWS),
            ("theory.starts", self.theory.starts, MOST_STARTS),
        ] {
            if value > most {
                return Err(StudyError::bad(key, value, &format!("at most {most} are possible")));
            }
        }
        if self.theory.draws < 2 || self.theory.designs < 2 {
            return Err(StudyError::bad(
                "theory.draws and theory.designs",
                "below 2",
                "a standard error needs two",
            ));
        }
        self.samples.check()
    }
}

impl StudyFile {
    /// Networks with an activation are trained, and nothing else is.
    fn check_activations(&self) -> Result<()> {
        let with = self.setting.iter().find(|s| s.activation.is_some());
        let without = self.setting.iter().find(|s| s.activation.is_none());
        let adam = self.estimator.iter().any(|e| e.solver == SolverKind::Adam);
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
            (Some(_), None) => match self.estimator.iter().find(|e| e.solver != SolverKind::Adam) {
                Some(e) => Err(StudyError::bad("estimator.solver", e.solver.name(), mend)),
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

impl Samples {
    fn check(&self) -> Result<()> {
        match (&self.n, &self.sqrt_dm_over_n) {
            (Some(n), None) => match n.iter().find(|n| !(1..=MOST_N).contains(*n)) {
                Some(n) => Err(StudyError::bad("samples.n", n, "sample sizes have to be between 1 and 2^53")),
                None if n.is_empty() => {
                    Err(StudyError::bad("samples.n", "[]", "give at least one sample size"))
                }
                None => Ok(()),
            },
            (None, Some(g)) => {
                if g.steps > MOST_STEPS {
                    let mend = format!("at most {MOST_STEPS}");
                    return Err(StudyError::bad("samples.sqrt_dm_over_n.steps", g.steps, &mend));
                }
                let fine =
                    g.from > 0.0 && g.to > 0.0 && g.from.is_finite() && g.to.is_finite() && g.steps > 0;
                if fine {
                    return Ok(());
                }
                let value = format!("{{ from = {}, to = {}, steps = {} }}", g.from, g.to, g.steps);
                Err(StudyError::bad(
                    "samples.sqrt_dm_over_n",
                    value,
                    "both ends have to be above 0, steps at least 1",
                ))
            }
            _ => Err(StudyError::bad(
                "samples",
                "{}",
                "give either n = […] or sqrt_dm_over_n = { from, to, steps }",
            )),
        }
    }

    /// Sample sizes for a structure with sample complexity `d_m`.
    ///
    /// # Errors
    /// An n that is not between 1 and 2^53.
    pub fn sizes(&self, d_m: usize) -> Result<Vec<u64>> {
        if let Some(n) = &self.n {
            return Ok(n.clone());
        }
        let Some(g) = &self.sqrt_dm_over_n else { return Ok(Vec::new()) };
        let sizes: Result<Vec<u64>> = (0..g.steps)
            .map(|i| {
                let share = if g.steps == 1 { 0.0 } else { i as f64 / (g.steps - 1) as f64 };
                let x = g.from + share * (g.to - g.from);
                let n = (d_m as f64 / (x * x)).round();
                if (1.0..=MOST_N as f64).contains(&n) {
                    return Ok(n as u64);
                }
                Err(StudyError::bad(
                    "samples.sqrt_dm_over_n",
                    x,
                    &format!("with d_M = {d_m} it asks for n = {n}; n has to be between 1 and 2^53"),
                ))
            })
            .collect();
        // Neighbours on a fine grid may round to one n.
        sizes.map(|mut sizes| {
            sizes.dedup();
            sizes
        })
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

/// Reads TOML; errors carry the place, and unknown keys the nearest known one.
pub fn parse_toml<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    toml::from_str(text).map_err(|e| toml_error(&e, text))
}

/// What a table says that stands in the files of the other program alone.
fn file_of_another_program(table: &str, known: &[&str]) -> Option<&'static str> {
    let is_study = known.contains(&"setting");
    if is_study && table == "ablation" {
        return Some(
            "this is an ablation, of convstat-train; a finished one has its table in summary.md and its figures in figures/",
        );
    }
    let of_studies = ["study", "setting", "design", "noise", "samples", "estimator", "theory", "check"];
    (!is_study && known.contains(&"ablation") && of_studies.contains(&table))
        .then_some("this is a study: convstat study run FILE")
}

/// An error of the TOML reader, with the nearest known key.
fn toml_error(error: &toml::de::Error, text: &str) -> StudyError {
    let message = error.message().trim().to_owned();
    // serde writes: unknown field `x`, expected one of `a`, `b`
    let mut quoted = message.split('`').skip(1).step_by(2);
    let help = if message.contains("unknown field") || message.contains("unknown variant") {
        quoted.next().map(|word| {
            let known: Vec<&str> = quoted.collect();
            if let Some(help) = file_of_another_program(word, &known) {
                return help.to_owned();
            }
            suggestion(word, known.into_iter()).trim_start_matches("; ").trim().to_owned()
        })
    } else {
        None
    };
    let span = error.span().map(|around| of_word(text, around.clone(), &message).unwrap_or(around));
    StudyError::File { message, help, span }
}
