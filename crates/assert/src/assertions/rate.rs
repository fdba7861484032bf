//! `rate`: the root mean squared error falls with n at a claimed power.

use convstat_theory::ErrorNorm;

use super::{advice, judged};
use crate::batches::{errors, finite_square};
use crate::limits::{Moments, critical, looks};
use crate::verdict::error_name;
use crate::{AssertError, Decision, Options, Replicates, Result, Verdict};

/// Tests that `log √(E error²)` against `log n` has the slope `exponent` over the sizes `ns`, within the relative margin.
///
/// The slope is that of least squares through all n; `−1/2` is the parametric rate, [`slope_of`] the slope of a risk over
/// the same n (at small n the exact risk is steeper than its rate). Group-sequential as
/// [`matches_risk`](crate::matches_risk), with as many replicates at each n; both error probabilities are asymptotic.
///
/// # Errors
/// Fewer than two different n, an exponent that is 0 or not finite, options outside their range, a replicate that failed.
pub fn rate(
    source: &(impl Replicates + ?Sized),
    norm: ErrorNorm,
    ns: &[u64],
    exponent: f64,
    options: &Options,
) -> Result<Verdict> {
    options.check()?;
    convstat_tensor::blas::single_thread()?;
    if !(exponent.is_finite() && exponent != 0.0) {
        return Err(AssertError::bad(
            "exponent",
            exponent,
            "it has to be finite and not 0, for instance -0.5",
        ));
    }
    let weights = weights(ns)?;
    let looks = looks(options.budget);
    let mut moments = vec![Moments::default(); ns.len()];
    let (mut decision, mut used) = (Decision::Undecided, 0);
    let mut found = (f64::NAN, f64::NAN, 0.0);
    for &look in &looks {
        for (i, row) in errors(source, norm, ns, used..look)?.into_iter().enumerate() {
            for ((m, error), &n) in moments.iter_mut().zip(row).zip(ns) {
                m.take(finite_square(error, n, used + i)?);
            }
        }
        used = look;
        found = slope(&weights, &moments);
        decision = judged(|level| limits(found, level), exponent, options.margin, looks.len(), options);
        if decision != Decision::Undecided {
            break;
        }
    }
    let (value, error, _) = found;
    let width = options.margin * exponent.abs();
    let finding = match decision {
        Decision::Holds => format!("they agree within {width:.3} (miss {:e})", options.miss),
        Decision::Violated => {
            format!("they differ by more than {width:.3} (false alarm {:e})", options.false_alarm)
        }
        Decision::Undecided => {
            let limits = limits(found, options.miss / looks.len() as f64);
            advice(value, limits, exponent, options.margin, used) + ", or widen the range of n"
        }
    };
    Ok(Verdict {
        decision,
        replicates: used,
        estimate: value,
        claimed: exponent,
        line: format!(
            "rate: {decision}: slope of the log root mean squared {} on log n {value:.4} (standard error {error:.4}) in {used} \
             replicates at each of {} n, claimed {exponent:.4}; {finding}",
            error_name(norm),
            ns.len()
        ),
    })
}

/// Slope of `log √risk(n)` on `log n` by least squares through all n, for [`rate`]; `risk` is a mean squared error.
///
/// # Errors
/// Fewer than two different n, a risk that is not finite and positive.
pub fn slope_of(ns: &[u64], risk: impl Fn(f64) -> f64) -> Result<f64> {
    let mut slope = 0.0;
    for (weight, &n) in weights(ns)?.iter().zip(ns) {
        let value = risk(n as f64);
        if !(value.is_finite() && value > 0.0) {
            return Err(AssertError::bad("risk", value, "it has to be finite and above 0 at every n"));
        }
        slope += weight * 0.5 * value.ln();
    }
    Ok(slope)
}

/// Weights of the values at each n in the slope on `log n`.
fn weights(ns: &[u64]) -> Result<Vec<f64>> {
    let x: Vec<f64> = ns.iter().map(|&n| (n as f64).ln()).collect();
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let spread: f64 = x.iter().map(|v| (v - mean).powi(2)).sum();
    if !(spread.is_finite() && spread > 0.0) {
        return Err(AssertError::bad(
            "ns",
            format!("{ns:?}"),
            "give at least two different n, each at least 1",
        ));
    }
    Ok(x.iter().map(|v| (v - mean) / spread).collect())
}

/// Limits of a slope with its standard error and degrees of freedom, each wrong with probability `level`.
fn limits((value, error, freedom): (f64, f64, f64), level: f64) -> (f64, f64) {
    match critical(level, freedom) {
        Some(t) if value.is_finite() => (value - t * error, value + t * error),
        _ => (f64::NEG_INFINITY, f64::INFINITY),
    }
}

/// Slope, its standard error and its degrees of freedom (Welch 1947).
///
/// `ln x̄` has mean `ln E x − c²/(2k)` and variance `c²/k` to first order; its skewness is small already where that of `x̄` is
/// not, so that it needs no further correction.
fn slope(weights: &[f64], moments: &[Moments]) -> (f64, f64, f64) {
    let (mut value, mut variance, mut squares) = (0.0, 0.0, 0.0);
    for (weight, m) in weights.iter().zip(moments) {
        let (square, freedom) = m.variation();
        let each = square / m.count();
        value += weight * 0.5 * (m.mean().ln() + each / 2.0);
        let part = 0.25 * weight * weight * each;
        variance += part;
        squares += part * part / freedom;
    }
    // Errors without spread leave no doubt.
    let freedom = if variance > 0.0 { variance * variance / squares } else { f64::MAX };
    (value, variance.sqrt(), freedom)
}
