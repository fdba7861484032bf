//! A fit followed step by step.

use serde::Serialize;

use crate::outcome::{Start, Termination};
use crate::scale::{Scale, times_power};

/// What a solver did in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepKind {
    /// None: the start.
    Start,
    /// Newton's step, with the second derivatives of the network.
    Newton,
    /// Newton's step, damped for the directions that change no coefficient (the gauge).
    NewtonGauge,
    /// Without second derivatives, which would make the matrix indefinite.
    GaussNewton,
    /// Each factor's linear subproblem in turn (ALS).
    Sweep,
    /// Along the gradient, each factor's part scaled by the others.
    ScaledGradient,
    /// Along the gradient by `W`, then projected on the structure.
    ProjectedGradient,
    /// To the least squares over the tangent space, then projected on the structure.
    Tangent,
    /// A gradient step by `W`, then singular values shrunk.
    Proximal,
    /// None: the solver ended.
    End,
}

impl StepKind {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Newton => "newton",
            Self::NewtonGauge => "newton-gauge",
            Self::GaussNewton => "gauss-newton",
            Self::Sweep => "sweep",
            Self::ScaledGradient => "gradient",
            Self::ProjectedGradient => "projected",
            Self::Tangent => "tangent",
            Self::Proximal => "proximal",
            Self::End => "end",
        }
    }
}

/// One step that a solver tried; the first of every start says where it began, the last where and why it ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TracePoint {
    /// Place of the start in the options, from 0.
    pub place: usize,
    /// The start; none for direct solutions.
    pub start: Option<Start>,
    /// Iteration, from 1; an iteration may try several steps.
    pub iteration: usize,
    /// What was done.
    pub step: StepKind,
    /// Residual sum of squares after the step, if it was taken, else of the step that was tried.
    pub objective: f64,
    /// `‖JᵀZᵀ(y − ZŴ)‖` before the step.
    pub gradient_norm: Option<f64>,
    /// What was added to the diagonal of the matrix.
    pub damping: Option<f64>,
    /// Decrease of the objective over the one that the quadratic model promised.
    pub gain: Option<f64>,
    /// Whether the step was taken.
    pub accepted: bool,
    /// Why the solver ended, in the last point of a start.
    pub termination: Option<Termination>,
}

impl TracePoint {
    /// Heads of the columns that `Display` writes.
    pub const HEADER: &'static str =
        "start          iteration  step               objective   gradient    damping       gain  taken";

    /// A step of the fit of a sample in units, for the sample itself.
    #[must_use]
    fn rescaled(self, scale: &Scale) -> Self {
        // Gradient and damping are squares of responses over one and two factors.
        let over = |v: f64, factors: i32| scale.square(times_power(v, -factors * scale.factor_exponent()));
        Self {
            objective: scale.square(self.objective),
            gradient_norm: self.gradient_norm.map(|v| over(v, 1)),
            damping: self.damping.map(|v| over(v, 2)),
            ..self
        }
    }
}

impl std::fmt::Display for TracePoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let number = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| format!("{v:.3e}"));
        let last = match (self.termination, self.step) {
            (Some(termination), _) => termination.name(),
            (None, StepKind::Start) => "-",
            (None, _) if self.accepted => "yes",
            (None, _) => "no",
        };
        write!(
            f,
            "{:<14} {:>9}  {:<12} {:>15.9e} {:>10} {:>10} {:>10}  {last}",
            format!("{} {}", self.place + 1, self.start.map_or("direct", Start::name)),
            self.iteration,
            self.step.name(),
            self.objective,
            number(self.gradient_norm),
            number(self.damping),
            number(self.gain),
        )
    }
}

/// Who follows a fit and may stop it, if anyone does.
pub struct Trace<'a> {
    observer: Option<&'a mut dyn FnMut(&TracePoint)>,
    interrupt: Option<&'a dyn Fn() -> bool>,
    /// Of the start that runs.
    pub(crate) place: usize,
    pub(crate) start: Option<Start>,
    /// Of the step that runs, from 1.
    pub(crate) iteration: usize,
    /// The sample's `rss`.
    pub(crate) rss: f64,
    /// Units of the sample.
    pub(crate) scale: Option<Scale>,
}

/// A step as a solver knows it, the objective without the sample's `rss`.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    /// What was done.
    pub kind: StepKind,
    /// Residual sum of squares after it.
    pub objective: f64,
    /// Norm of the gradient before it.
    pub gradient_norm: Option<f64>,
    /// What was added to the diagonal of the matrix.
    pub damping: Option<f64>,
    /// Decrease of the objective over the one that the quadratic model promised.
    pub gain: Option<f64>,
    /// Whether the step was taken.
    pub accepted: bool,
}

impl Step {
    /// A step of which the solver knows no more.
    pub fn plain(kind: StepKind, objective: f64) -> Self {
        Self { kind, objective, gradient_norm: None, damping: None, gain: None, accepted: true }
    }
}

impl<'a> Trace<'a> {
    /// Followed by an observer, stopped where `interrupt` says so.
    pub(crate) fn new(
        observer: Option<&'a mut dyn FnMut(&TracePoint)>,
        interrupt: Option<&'a dyn Fn() -> bool>,
    ) -> Self {
        Self { observer, interrupt, place: 0, start: None, iteration: 0, rss: 0.0, scale: None }
    }

    /// Nobody follows.
    pub(crate) fn none() -> Self {
        Self::new(None, None)
    }

    /// Whether the fit is to stop.
    pub fn is_interrupted(&self) -> bool {
        self.interrupt.is_some_and(|stop| stop())
    }

    /// Tells of a step; `step` is not called if nobody follows.
    pub fn tell(&mut self, step: impl FnOnce() -> Step) {
        self.point(|| (step(), None));
    }

    /// Tells of the end of a start.
    pub(crate) fn end(&mut self, iterations: usize, objective: f64, termination: Termination) {
        self.iteration = iterations;
        self.point(|| (Step::plain(StepKind::End, objective), Some(termination)));
        self.iteration = 0;
    }

    fn point(&mut self, what: impl FnOnce() -> (Step, Option<Termination>)) {
        let Some(observer) = &mut self.observer else { return };
        let (s, termination) = what();
        let mut point = TracePoint {
            place: self.place,
            start: self.start,
            iteration: self.iteration,
            step: s.kind,
            objective: s.objective + self.rss,
            gradient_norm: s.gradient_norm,
            damping: s.damping,
            gain: s.gain,
            accepted: s.accepted,
            termination,
        };
        if let Some(scale) = self.scale {
            point = point.rescaled(&scale);
        }
        observer(&point);
    }
}
