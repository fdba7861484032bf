//! `bound`: the error exceeds a bound no more often, or in mean square no further, than the bound says.

use convstat_theory::ErrorNorm;

use crate::batches::{errors, finite_square};
use crate::limits::{Moments, looks};
use crate::sprt::{RatioTest, Standing};
use crate::verdict::error_name;
use crate::wealth::Wealth;
use crate::{AssertError, Claim, Decision, Detectable, ErrorBound, Options, Replicates, Result, Verdict};

/// Replicates run at a time; those beyond the one that decides are not used.
const BATCH: usize = 32;

/// Steps of the odds in the search for the least detectable exceedance.
const ODDS_STEP: f64 = 1.05;

/// Tests a bound at n observations by simulation.
///
/// A bound with a probability: sequential probability ratio test of `P(error > bound) ≤ 1 − probability`. A right bound
/// is called violated with probability at most `false_alarm/2`, and one exceeded with the detectable probability or more is said
/// to hold with probability at most `miss`, both exactly and for any law of the errors. With [`Detectable::Auto`] a right
/// bound is left undecided with probability at most `false_alarm/2` too, so that it fails with at most `false_alarm`.
///
/// A bound on the mean square: a right one is called violated with probability at most `false_alarm`, exactly and for any law;
/// one that the root mean squared error exceeds by the relative margin is said to hold with probability at most `miss`,
/// asymptotically in the number of replicates.
///
/// # Errors
/// Options outside their range, a bound that claims nothing at n, a replicate that failed.
pub fn bound(
    source: &(impl Replicates + ?Sized),
    bound: &(impl ErrorBound + ?Sized),
    n: u64,
    options: &Options,
) -> Result<Verdict> {
    options.check()?;
    convstat_tensor::blas::single_thread()?;
    let silent = |reason: String| AssertError::NoClaim { name: bound.name(), n, reason };
    let subject = Subject { source, name: bound.name(), norm: bound.norm(), n };
    match bound.claim(n as f64).map_err(|e| silent(e.to_string()))? {
        Claim::Probable { value, .. } | Claim::MeanSquare { value }
            if !(value.is_finite() && value >= 0.0) =>
        {
            Err(silent(format!("its value is {value}")))
        }
        Claim::Probable { probability, .. } if !(probability > 0.0 && probability <= 1.0) => {
            Err(silent(format!("its probability is {probability}")))
        }
        Claim::Probable { value, probability } => probable(&subject, value, probability, options),
        Claim::MeanSquare { value } => mean_square(&subject, value, options),
    }
}

struct Subject<'a, S: ?Sized> {
    source: &'a S,
    name: String,
    norm: ErrorNorm,
    n: u64,
}

/// The test of a bound of this probability with these options; what it does within the budget is its
/// [`characteristic`](RatioTest::characteristic).
///
/// # Errors
/// A detectable exceedance that is not above what the bound allows and below 1, a budget too small to decide anything.
pub fn ratio_test(probability: f64, options: &Options) -> Result<RatioTest> {
    let p0 = 1.0 - probability;
    let half = options.false_alarm / 2.0;
    let test = |p1: f64| RatioTest::new(p0, p1, half, options.miss);
    let mend = "it has to make a probability above what the bound allows and below 1";
    match options.detectable {
        Detectable::Probability(p1) => test(p1).ok_or_else(|| AssertError::bad("detectable", p1, mend)),
        Detectable::Factor(f) => test(f * p0).ok_or_else(|| AssertError::bad("detectable factor", f, mend)),
        Detectable::Auto => {
            // Where nothing is allowed the least detectable exceedance is a matter of the budget alone.
            let mut odds = if p0 > 0.0 { 2.0 * p0 / (1.0 - p0) } else { 1.0 / options.budget as f64 };
            // A test that finds only bounds that fail about always says nothing.
            while let Some(test) = test(odds / (1.0 + odds)).filter(|t| t.p1() <= f64::midpoint(p0, 1.0)) {
                if test.characteristic(p0, options.budget).open <= half {
                    return Ok(test);
                }
                odds *= ODDS_STEP;
            }
            let (budget, false_alarm) = (options.budget, options.false_alarm);
            Err(AssertError::Budget { budget, probability, false_alarm })
        }
    }
}

fn probable<S: Replicates + ?Sized>(
    subject: &Subject<S>,
    value: f64,
    probability: f64,
    options: &Options,
) -> Result<Verdict> {
    let test = ratio_test(probability, options)?;
    let allowed = 1.0 - probability;
    let (mut above, mut used, mut standing) = (0, 0, Standing::Open);
    while standing == Standing::Open && used < options.budget {
        let batch = used..(used + BATCH).min(options.budget);
        for error in errors(subject.source, subject.norm, &[subject.n], batch)? {
            above += usize::from(error[0] > value);
            used += 1;
            standing = test.standing(above, used);
            if standing != Standing::Open {
                break;
            }
        }
    }
    let decision = match standing {
        Standing::Above => Decision::Violated,
        Standing::Below => Decision::Holds,
        Standing::Open => Decision::Undecided,
    };
    let finding = match decision {
        Decision::Holds => format!("P(error > bound) is below {:.4} (miss {:e})", test.p1(), options.miss),
        Decision::Violated => {
            format!("P(error > bound) is above {allowed:.4} (false alarm {:e})", options.false_alarm)
        }
        Decision::Undecided => format!(
            "{}, or state a detectable exceedance above {:.4}",
            enough(&test, allowed, options),
            test.p1()
        ),
    };
    Ok(Verdict {
        decision,
        replicates: used,
        estimate: above as f64 / used as f64,
        claimed: allowed,
        line: format!(
            "{}: {decision} at n = {}: {above} of {used} {}s exceed {value:.4e}, a share of {allowed:.4} may; {finding}",
            subject.name,
            subject.n,
            error_name(subject.norm)
        ),
    })
}

/// A budget within which a right bound is left undecided no more often than it is called violated.
fn enough(test: &RatioTest, allowed: f64, options: &Options) -> String {
    let doubled = |times: &usize| {
        test.characteristic(allowed, options.budget * times).open <= options.false_alarm / 2.0
    };
    match [2, 4, 8, 16, 32].iter().find(|times| doubled(times)) {
        Some(times) => format!("raise budget to {}", options.budget * times),
        None => "raise budget".to_owned(),
    }
}

fn mean_square<S: Replicates + ?Sized>(
    subject: &Subject<S>,
    value: f64,
    options: &Options,
) -> Result<Verdict> {
    if value == 0.0 {
        let reason = "its value is 0, from which no relative margin can be taken".to_owned();
        return Err(AssertError::NoClaim { name: subject.name.clone(), n: subject.n, reason });
    }
    let (mut moments, mut wealth) = (Moments::default(), Wealth::default());
    let looks = looks(options.budget);
    let level = options.miss / looks.len() as f64;
    let (mut decision, mut used) = (Decision::Undecided, 0);
    'all: for look in &looks {
        while used < *look {
            let batch = used..(used + BATCH).min(*look);
            for error in errors(subject.source, subject.norm, &[subject.n], batch)? {
                let square = finite_square(error[0], subject.n, used)?;
                moments.take(square);
                wealth.take(square / (value * value));
                used += 1;
                if wealth.ln() >= -options.false_alarm.ln() {
                    decision = Decision::Violated;
                    break 'all;
                }
            }
        }
        if moments.limits(level).1.sqrt() < (1.0 + options.margin) * value {
            decision = Decision::Holds;
            break;
        }
    }
    let finding = match decision {
        Decision::Holds => {
            format!("it is below {:.4} times the bound (miss {:e})", 1.0 + options.margin, options.miss)
        }
        Decision::Violated => {
            format!("the bound is wrong for any law of the errors (false alarm {:e})", options.false_alarm)
        }
        Decision::Undecided => "raise budget or margin".to_owned(),
    };
    let estimate = moments.mean().sqrt();
    Ok(Verdict {
        decision,
        replicates: used,
        estimate,
        claimed: value,
        line: format!(
            "{}: {decision} at n = {}: root mean squared {} {estimate:.4e} in {used} replicates, at most {value:.4e} \
             claimed; {finding}",
            subject.name,
            subject.n,
            error_name(subject.norm)
        ),
    })
}
