//! `matches_risk`: the mean squared error equals a claimed risk.

use convstat_theory::ErrorNorm;

use super::{advice, judged};
use crate::batches::{errors, finite_square};
use crate::limits::{Moments, looks};
use crate::verdict::error_name;
use crate::{AssertError, Decision, Options, Replicates, Result, Verdict};

/// Tests `E error² = risk` at n observations by simulation, the roots within the relative margin.
///
/// Group-sequential: at up to eight looks confidence limits of the root mean squared error are taken. It holds when they lie
/// within the margin (two one-sided tests, Schuirmann 1987), and is violated when they lie outside. A root risk within
/// the margin is called violated with probability at most `false_alarm`, and one outside is said to hold with probability at
/// most `miss`, over all looks, asymptotically in the number of replicates.
///
/// # Errors
/// A risk that is not finite and positive, options outside their range, a replicate that failed.
pub fn matches_risk(
    source: &(impl Replicates + ?Sized),
    norm: ErrorNorm,
    n: u64,
    risk: f64,
    options: &Options,
) -> Result<Verdict> {
    options.check()?;
    convstat_tensor::blas::single_thread()?;
    if !(risk.is_finite() && risk > 0.0) {
        return Err(AssertError::bad(
            "risk",
            risk,
            "the mean squared error has to be a finite number above 0",
        ));
    }
    let root = risk.sqrt();
    let looks = looks(options.budget);
    let mut moments = Moments::default();
    let (mut decision, mut used) = (Decision::Undecided, 0);
    for &look in &looks {
        for (i, error) in errors(source, norm, &[n], used..look)?.into_iter().enumerate() {
            moments.take(finite_square(error[0], n, used + i)?);
        }
        used = look;
        decision = judged(|level| ratios(&moments, level, root), 1.0, options.margin, looks.len(), options);
        if decision != Decision::Undecided {
            break;
        }
    }
    let estimate = moments.mean().sqrt();
    // Half the variation of the mean square.
    let error = 0.5 * estimate * (moments.variation().0 / moments.count()).sqrt();
    let finding = match decision {
        Decision::Holds => {
            format!("they agree within {} % (miss {:e})", 100.0 * options.margin, options.miss)
        }
        Decision::Violated => {
            format!(
                "they differ by more than {} % (false alarm {:e})",
                100.0 * options.margin,
                options.false_alarm
            )
        }
        Decision::Undecided => {
            let limits = ratios(&moments, options.miss / looks.len() as f64, root);
            advice(estimate / root, limits, 1.0, options.margin, used)
        }
    };
    Ok(Verdict {
        decision,
        replicates: used,
        estimate,
        claimed: root,
        line: format!(
            "risk: {decision} at n = {n}: root mean squared {} {estimate:.4e} (standard error {error:.1e}) in {used} replicates, \
             claimed {root:.4e}, ratio {:.3}; {finding}",
            error_name(norm),
            estimate / root
        ),
    })
}

/// Limits of the root mean squared error over the root of the risk.
fn ratios(moments: &Moments, level: f64, root: f64) -> (f64, f64) {
    let (low, high) = moments.limits(level);
    (low.sqrt() / root, high.sqrt() / root)
}
