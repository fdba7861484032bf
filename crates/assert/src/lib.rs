//! Error bounds, risks and rates as unit tests: a user's own `cargo test` asserts them by simulation, with a stated
//! false-alarm probability, and stops as soon as the answer is plain.
//!
//! | macro | claim | fails wrongly with probability |
//! |---|---|---|
//! | [`assert_bound!`] | `P(error ≤ bound) ≥ probability` | at most `false_alarm`, exactly, for any law of the errors |
//! | [`assert_bound!`] on a mean square | `E error² ≤ bound²` | is called violated with at most `false_alarm`, exactly, for any law |
//! | [`assert_matches_risk!`] | `E error² = risk`, the roots within a margin | asymptotically in the replicates |
//! | [`assert_rate!`] | slope of `log √(E error²)` on `log n`, within a margin | asymptotically in the replicates |
//!
//! The functions behind them ([`bound`](fn@bound), [`matches_risk`], [`rate`]) give a [`Verdict`] with its numbers instead.
//!
//! # A bound, tested
//!
//! Ordinary least squares over D = 5 independent features has `‖Ŵ − W*‖² ~ σ² χ²_D/χ²_{n−D+1}`, so that a χ² bound with the
//! residual degrees of freedom for its mean is too small at small n, and one with a tenth to spare is not.
//!
//! ```
//! use convstat_assert::{Bound, Claim, Decision, Options, Sample, Simulation, assert_bound, bound};
//! use convstat_tensor::linalg::lstsq;
//! use ndarray::Array2;
//!
//! # fn main() -> Result<(), convstat_assert::BoxError> {
//! let ols = |sample: &Sample| Ok(lstsq(&sample.z.view(), &sample.y.view())?);
//! // Rows N(0, I), truth of ones, noise σ = 1.
//! let simulation = Simulation::new(Array2::eye(5), Array2::ones((5, 1)), 1.0, ols)?.seed(1);
//! // 11.07 is the 95 % quantile of χ² with 5 degrees of freedom.
//! let chi = |factor: f64| {
//!     Bound::new("chi-square", move |n| {
//!         Ok(Claim::Probable { value: factor * (11.07 / (n - 4.0)).sqrt(), probability: 0.95 })
//!     })
//! };
//! let verdict = assert_bound!(simulation, chi(1.1), 400);
//! println!("{verdict}");
//! assert!(verdict.replicates < 500);
//! // 10 % too small: violated, and the line says by how much.
//! let verdict = bound(&simulation, &chi(0.9), 400, &Options::default())?;
//! assert_eq!(verdict.decision, Decision::Violated);
//! assert!(verdict.line.starts_with("chi-square: violated at n = 400: "));
//! # Ok(())
//! # }
//! ```
//!
//! # Own structure, estimator, bound
//!
//! Each is a trait, and each may be the user's own or the toolkit's:
//!
//! * [`SmoothStructure`]: coefficients `W(θ)`. Dimension `df = rank J`, tangent space and exact first-order risk (THEORY
//!   §4.3) follow. [`convstat_cnn::Structure`] is one.
//! * [`Estimator`]: `Ŵ` from a sample. [`StructureFit`] is the toolkit's, [`SmoothFit`] fits any smooth structure, and a closure
//!   will do.
//! * [`ErrorBound`]: a [`Claim`] at each n. [`Explicit`] is the toolkit's, [`Bound`] makes one of a closure.
//! * [`Replicates`]: independent errors. [`Simulation`] draws samples and fits them; a closure gives errors from elsewhere.
//!
//! ```
//! use convstat_assert::{
//!     BoxError, ErrorNorm, Simulation, SmoothFit, SmoothStructure, assert_matches_risk, assert_rate, slope_of,
//! };
//! use ndarray::Array2;
//!
//! /// Eight taps of a damped oscillation, `a e^{−b t} cos(c t)`.
//! struct Oscillation;
//!
//! impl SmoothStructure for Oscillation {
//!     fn name(&self) -> String {
//!         "oscillation".into()
//!     }
//!     fn features(&self) -> usize {
//!         8
//!     }
//!     fn parameters(&self) -> usize {
//!         3
//!     }
//!     fn coefficients(&self, theta: &[f64]) -> Result<Array2<f64>, BoxError> {
//!         let tap = |t: f64| theta[0] * (-theta[1] * t).exp() * (theta[2] * t).cos();
//!         Ok(Array2::from_shape_fn((8, 1), |(t, _)| tap(t as f64)))
//!     }
//! }
//!
//! # fn main() -> Result<(), convstat_assert::BoxError> {
//! let (theta, root, sigma) = ([3.0, 0.2, 1.0], Array2::eye(8), 0.5);
//! assert_eq!(Oscillation.df(&theta)?, 3);
//! let risk = Oscillation.risk(&theta, &root)?;
//! let claimed = |n: f64| risk.prediction(sigma, n - 4.0);
//!
//! // Three parameters spread the errors too far for a margin of 5 % in 2000 replicates.
//! let simulation = Simulation::new(root, Oscillation.coefficients(&theta)?, sigma, SmoothFit::new(Oscillation, &theta))?;
//! assert_matches_risk!(simulation, ErrorNorm::Prediction, 200, claimed(200.0), margin = 0.1);
//! // −1/2 at large n; the exact risk is a little steeper.
//! let ns = [50, 400, 3200];
//! assert_rate!(simulation, ErrorNorm::Prediction, ns, slope_of(&ns, claimed)?);
//! # Ok(())
//! # }
//! ```
//!
//! # What is exact, and what is not
//!
//! **A bound with a probability** is tested by Wald's sequential probability ratio test (1945) of `p = P(error > bound)`:
//! `p ≤ p0 = 1 − probability` against `p ≥ p1`, after every replicate. With k errors of n above the bound,
//!
//! ```text
//! Λ = (p1/p0)^k ((1 − p1)/(1 − p0))^(n−k);   violated when Λ ≥ 2/false_alarm,   holds when Λ ≤ miss.
//! ```
//!
//! Λ is a nonnegative supermartingale for every `p ≤ p0`, and 1/Λ for every `p ≥ p1`: by Ville's inequality (1939)
//! `P(violated) ≤ false_alarm/2` and `P(holds) ≤ miss`, whenever one stops and whatever the errors' law. Undecided at the
//! budget is a failure too; [`Detectable::Auto`] takes `p1` so far from `p0` that a right bound is left undecided with probability
//! at most `false_alarm/2`, computed without approximation ([`RatioTest::characteristic`]). What replicates cannot show stays
//! open: a bound that holds has an exceedance below `p1`, not below `p0`.
//!
//! **A bound on the mean square** is called violated when a bet against it has grown by `1/false_alarm`: the mean over λ in
//! {1, 1/2, …, 1/64} of `∏ (1 + λ(error²/bound² − 1))` is a nonnegative supermartingale if `E error² ≤ bound²` (Waudby-Smith &
//! Ramdas 2024), so that this too is exact. That it holds is an upper confidence limit below `(1 + margin) bound`, as below.
//!
//! **Risks and rates** are group-sequential (Jennison & Turnbull 2000): at up to eight looks confidence limits are taken, each at
//! an eighth of the error probability, which sum to what is stated however the looks depend on each other (Bonferroni). A claim
//! holds when the limits lie inside the margin, two one-sided tests at level `miss` (Schuirmann 1987), and is violated when they
//! lie outside at level `false_alarm`. The limits are asymptotic in the number of replicates. They take squared errors for gamma
//! variables, of which multiples of χ² are a case, with mean and variation estimated: the cube root of their mean is close to
//! normal (Wilson & Hilferty 1931), and Student's t takes in that the variation is estimated, independently of the mean (Lukacs
//! 1955). For χ² errors of 1 to 30 degrees of freedom they keep levels down to 6e-8, from 104 replicates on (tested by importance
//! sampling); the correction of t for skewness by Johnson (1978) would need an estimated third moment. Squared errors with far
//! heavier tails than χ² can fool them.
//!
//! With the defaults (false alarm 1e-6, miss 1e-3, at most 2000 replicates, margin 5 %) and errors of 30 degrees of freedom, over
//! 1000 runs each:
//!
//! | claim | right: passes after | wrong by 10 %: fails after |
//! |---|---|---|
//! | 95 % bound (the exact quantile) | 288 replicates | 111 |
//! | bound on the mean square (the exact risk) | 153 | 90 |
//! | risk | 196 | 219 (too small), 376 (too large) |
//! | rate over n = 100, 400, 1600 | 198 at each n | 286 |
//!
//! No run decided wrongly. Squared errors spread as `√(2/df)`, so that replicates grow as 1/df: for few degrees of freedom raise
//! budget or margin. A verdict depends on the seed and on nothing else, not on the number of threads.
//!
//! Sources: Ville, *Étude critique de la notion de collectif* (1939); Wald, Ann. Math. Statist. 16 (1945); Johnson, JASA 73 (1978);
//! Schuirmann, J. Pharmacokin. Biopharm. 15 (1987); Jennison & Turnbull, *Group Sequential Methods* (2000); Wilson & Hilferty, PNAS 17
//! (1931); Lukacs, Ann. Math. Statist. 26 (1955); Waudby-Smith & Ramdas, JRSS B 86 (2024).

#![forbid(unsafe_code)]

mod assertions;
mod batches;
mod claim;
mod error;
mod estimator;
mod least_squares;
mod limits;
mod macros;
mod options;
mod simulation;
mod sprt;
mod structure;
mod verdict;
mod wealth;

pub use assertions::{bound, matches_risk, rate, ratio_test, slope_of};
pub use claim::{Bound, Claim, ErrorBound, Explicit};
pub use convstat_estimate::Sample;
pub use convstat_theory::ErrorNorm;
pub use error::{AssertError, BoxError};
pub use estimator::{Estimator, StructureFit};
pub use least_squares::SmoothFit;
pub use options::{Detectable, Options};
pub use simulation::{Replicates, Simulation};
pub use sprt::{Characteristic, RatioTest, Standing};
pub use structure::SmoothStructure;
pub use verdict::{Decision, Verdict};

/// Result of this crate.
pub type Result<T> = std::result::Result<T, AssertError>;
