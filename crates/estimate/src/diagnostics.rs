//! What keeps a fit from being trusted: named, with the numbers and a way out. [`Fitting::diagnose`](crate::Fitting::diagnose) finds it.

use serde::Serialize;

use crate::Termination;

/// Something that keeps a fit from being trusted; `Display` says what is wrong and what to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Diagnostic {
    /// All responses are 0.
    ZeroResponses,
    /// Squares of the responses leave the range of `f64`.
    OutOfRange {
        /// Responses are of the size `2^exponent`.
        exponent: i32,
    },
    /// The responses have a mean that nothing explains; no intercept is fitted.
    Offset {
        /// Mean over standard deviation.
        ratio: f64,
    },
    /// Fewer observations than features, without a structure that identifies the rest.
    TooFewObservations {
        /// Observations.
        n: f64,
        /// Features `D`.
        features: usize,
    },
    /// The features are linearly dependent by the geometry: overlapping or strided windows.
    SingularGeometry {
        /// Features `D`.
        features: usize,
        /// Rank of `Σ_Z`.
        rank: usize,
        /// Whether the structure identifies `W` all the same.
        identified: bool,
    },
    /// The features are linearly dependent in these data.
    Collinear {
        /// Features `D`.
        features: usize,
        /// Numerical rank of Z.
        rank: usize,
        /// Features that are 0 in every observation.
        zeros: usize,
        /// Whether the structure identifies `W` all the same.
        identified: bool,
    },
    /// The inputs see fewer directions of the structure than it has at the fit.
    NotIdentified {
        /// Rank of `J`.
        tangent: usize,
        /// Rank of `Z J`.
        identified: usize,
        /// Observations times responses.
        equations: f64,
    },
    /// The solution amplifies rounding.
    IllConditioned {
        /// Condition number of `Z`, for a structure of `Z` on its tangent space.
        condition: f64,
        /// Decimal digits of `Ŵ` that are right.
        digits: f64,
    },
    /// Features of very different sizes.
    GradedFeatures {
        /// Largest over smallest norm of a column of Z.
        ratio: f64,
    },
    /// A rank above what the other sizes can carry.
    RankAboveFeasible {
        /// Its label in the network.
        label: char,
        /// The rank.
        rank: usize,
        /// The largest that adds to the set.
        feasible: usize,
    },
    /// Components vanish or coincide at the fit.
    RankDeficientFit {
        /// Rank of `J` at the fit.
        dimension: usize,
        /// Dimension of the structure.
        generic: usize,
    },
    /// Components of a CP-like sum that nearly cancel.
    DegenerateComponents {
        /// Label of the sum.
        label: char,
        /// `Σ‖component‖² / ‖W‖²`.
        cancellation: f64,
        /// Smallest congruence of two components (the product of the cosines of their factors).
        congruence: f64,
        /// The two, from 0.
        pair: (usize, usize),
    },
    /// Parameters far larger than the coefficient that they make.
    LargeParameters {
        /// Product of the norms of all operands over the norm of `W`.
        ratio: f64,
    },
    /// The fit is no minimum: the objective falls along some direction.
    NotAMinimum {
        /// Smallest eigenvalue of the observed information in units of the expected one.
        information: f64,
    },
    /// Curvature as large as the information: a component at the level of the noise.
    Curved {
        /// Smallest and largest eigenvalue of the observed information in units of the expected one.
        information: (f64, f64),
    },
    /// Labels whose likelihood has no maximum.
    Separated,
    /// The solver gave up.
    NotConverged {
        /// Why it ended.
        termination: Termination,
        /// Decrease of the objective still to be had, in residual variances, where Newton's step tells.
        left: Option<f64>,
    },
    /// Only one of several starts reached the optimum that is reported.
    StartsDisagree {
        /// Starts.
        starts: usize,
        /// The next best objective over the best one, less 1.
        excess: f64,
    },
    /// No residual degrees of freedom.
    Saturated {
        /// Observations times responses.
        equations: f64,
        /// Identified dimension.
        df: f64,
    },
    /// The residuals are rounding.
    ExactFit {
        /// Residual over total sum of squares.
        share: f64,
    },
}

impl Diagnostic {
    /// Its name in JSON, as `kind` there.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ZeroResponses => "zero-responses",
            Self::OutOfRange { .. } => "out-of-range",
            Self::Offset { .. } => "offset",
            Self::TooFewObservations { .. } => "too-few-observations",
            Self::SingularGeometry { .. } => "singular-geometry",
            Self::Collinear { .. } => "collinear",
            Self::NotIdentified { .. } => "not-identified",
            Self::IllConditioned { .. } => "ill-conditioned",
            Self::GradedFeatures { .. } => "graded-features",
            Self::RankAboveFeasible { .. } => "rank-above-feasible",
            Self::RankDeficientFit { .. } => "rank-deficient-fit",
            Self::DegenerateComponents { .. } => "degenerate-components",
            Self::LargeParameters { .. } => "large-parameters",
            Self::NotAMinimum { .. } => "not-a-minimum",
            Self::Curved { .. } => "curved",
            Self::Separated => "separated",
            Self::NotConverged { .. } => "not-converged",
            Self::StartsDisagree { .. } => "starts-disagree",
            Self::Saturated { .. } => "saturated",
            Self::ExactFit { .. } => "exact-fit",
        }
    }
}

/// What a fit without a structure that identifies the rest loses.
fn unless(identified: bool) -> &'static str {
    if identified {
        "the structure identifies W locally, but another W may fit as well; predictions are not affected"
    } else {
        "W is one of many that fit equally well (the shortest without a structure); predictions are not affected"
    }
}

impl std::fmt::Display for Diagnostic {
    #[expect(clippy::too_many_lines, reason = "one sentence a diagnostic")]
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::ZeroResponses => write!(f, "all responses are 0: there is nothing to fit; check y"),
            Self::OutOfRange { exponent } => write!(
                f,
                "responses are of size 2^{exponent}, whose squares are outside the range of f64: objective and residual \
                 variance are lost, coefficients are not; divide y by its largest absolute value"
            ),
            Self::Offset { ratio } => write!(
                f,
                "the responses have a mean of {ratio:.1e} standard deviations and the fit is worse than that mean alone: no \
                 intercept is added; subtract the means from y and X"
            ),
            Self::TooFewObservations { n, features } => write!(
                f,
                "{n} observations for {features} features: too few without a structure; {}; take more observations, a \
                 structure of lower dimension, or ridge",
                unless(false)
            ),
            Self::SingularGeometry { features, rank, identified } => write!(
                f,
                "the {features} features have rank {rank} whatever the inputs: windows of the geometry share taps; {}; for \
                 features of full rank use strides of pools of at least the kernel",
                unless(identified)
            ),
            Self::Collinear { features, rank, zeros, identified } => write!(
                f,
                "the {features} features are collinear in these data: their rank is {rank} ({zeros} are 0 throughout); {}; \
                 leave out features that repeat others, or use ridge",
                unless(identified)
            ),
            Self::NotIdentified { tangent, identified, equations } => write!(
                f,
                "W is not identified: the structure has {tangent} directions at the fit but the inputs see {identified} of \
                 them ({equations} equations); take more varied observations or lower ranks"
            ),
            Self::IllConditioned { condition, digits } => write!(
                f,
                "the features are ill-conditioned: with a condition number of {condition:.1e} about {digits:.0} digits of W \
                 are right; remove features that are nearly the same, centre them, or use ridge"
            ),
            Self::GradedFeatures { ratio } => write!(
                f,
                "features differ in size by a factor of {ratio:.1e}: the solver sees little of the small ones; measure them in \
                 like units (divide each by its root mean square where the structure allows)"
            ),
            Self::RankAboveFeasible { label, rank, feasible } => write!(
                f,
                "rank '{label}' = {rank} is above what the other sizes can carry: {feasible} gives the same set; use \
                 {feasible}"
            ),
            Self::RankDeficientFit { dimension, generic } => write!(
                f,
                "components vanish or coincide at the fit: it moves in {dimension} directions, the structure in {generic}; \
                 standard errors do not hold there; use lower ranks"
            ),
            Self::DegenerateComponents { label, cancellation, congruence, pair: (a, b) } => write!(
                f,
                "components along '{label}' nearly cancel: their squared norms add up to {cancellation:.1e} times that of W \
                 (components {a} and {b} have congruence {congruence:.3}); a best fit of this rank may not exist; use a lower \
                 rank or a Tucker structure, and interpret W, not its components"
            ),
            Self::LargeParameters { ratio } => write!(
                f,
                "the factors are {ratio:.1e} times as large as the W they make: as many digits cancel; use lower ranks"
            ),
            Self::NotAMinimum { information } => write!(
                f,
                "the fit is no minimum: its objective falls along a direction (information {information:.2e} of the \
                 expected); raise --max-iterations or --starts"
            ),
            Self::Curved { information: (low, high) } => write!(
                f,
                "the observed information is between {low:.2} and {high:.2} of the expected one: a component is at the level \
                 of the noise, and standard errors may be off by more than a factor of 2; use lower ranks or more \
                 observations"
            ),
            Self::Separated => write!(
                f,
                "classes are separated: along some direction the observations that it moves have fitted probabilities of 0 and 1 \
                 (a standard error above 1000), so the likelihood has no maximum and coefficients diverge; take more \
                 observations, fewer features, a structure of lower dimension, or join classes"
            ),
            Self::NotConverged { termination, left } => {
                write!(f, "the best start ended with \"{}\", no optimum is shown", termination.name())?;
                if let Some(left) = left {
                    write!(f, " (the objective could still fall by {left:.1e} residual variances)")?;
                }
                write!(f, "; raise --max-iterations or --starts")
            }
            Self::StartsDisagree { starts, excess } => write!(
                f,
                "only one of {starts} starts reached the optimum reported; the next best objective is {excess:.1e} above it \
                 (relative): there may be a better one; raise --starts"
            ),
            Self::Saturated { equations, df } => write!(
                f,
                "{equations} equations for {df} dimensions: no residual degrees of freedom, so no residual variance and no \
                 standard errors; take more observations or lower ranks"
            ),
            Self::ExactFit { share } => write!(
                f,
                "the fit is exact: the residuals are {share:.1e} of the total sum of squares, which is rounding; variance and \
                 standard errors are rounding too"
            ),
        }
    }
}
