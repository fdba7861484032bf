//! Wald's sequential probability ratio test of a proportion, and what it does within a budget.

/// Test of `p ≤ p0` against `p ≥ p1` after each of a sequence of independent trials (Wald 1945).
///
/// After k hits in n trials the likelihood ratio is `Λ = (p1/p0)^k ((1 − p1)/(1 − p0))^{n−k}`. At `p = p0` it is a martingale
/// of mean 1, below it a supermartingale; so is `1/Λ` for `p ≥ p1`. By Ville's inequality (1939), whatever the number of
/// trials and whenever one stops,
///
/// ```text
/// P(Λ ever reaches 1/α) ≤ α  for p ≤ p0,      P(Λ ever falls to β) ≤ β  for p ≥ p1.
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatioTest {
    p0: f64,
    p1: f64,
    /// `ln(1/α)` and `ln β`.
    upper: f64,
    lower: f64,
}

/// Where a test stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// `p ≤ p0` is rejected.
    Above,
    /// `p ≥ p1` is rejected.
    Below,
    /// Neither.
    Open,
}

/// How a test ends within a budget, exactly.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Characteristic {
    /// `P(p ≤ p0 is rejected)`.
    pub above: f64,
    /// `P(p ≥ p1 is rejected)`.
    pub below: f64,
    /// `P(neither within the budget)`.
    pub open: f64,
    /// Expected number of trials.
    pub trials: f64,
}

impl RatioTest {
    /// The test with `0 ≤ p0 < p1 < 1` and error probabilities `alpha`, `beta` in (0, 1); `None` on others.
    pub fn new(p0: f64, p1: f64, alpha: f64, beta: f64) -> Option<Self> {
        let inside = |p: f64| p > 0.0 && p < 1.0;
        (p0 >= 0.0 && p0 < p1 && p1 < 1.0 && inside(alpha) && inside(beta)).then_some(Self {
            p0,
            p1,
            upper: -alpha.ln(),
            lower: beta.ln(),
        })
    }

    /// The alternative `p1`.
    pub fn p1(&self) -> f64 {
        self.p1
    }

    /// `ln Λ` after `hits` of `trials`; infinite if `p0 = 0` was hit.
    fn log_ratio(&self, hits: usize, trials: usize) -> f64 {
        let misses = (trials - hits) as f64 * ((1.0 - self.p1) / (1.0 - self.p0)).ln();
        if hits == 0 { misses } else { misses + hits as f64 * (self.p1 / self.p0).ln() }
    }

    /// After `hits` of `trials`.
    pub fn standing(&self, hits: usize, trials: usize) -> Standing {
        let ratio = self.log_ratio(hits, trials);
        if ratio >= self.upper {
            Standing::Above
        } else if ratio <= self.lower {
            Standing::Below
        } else {
            Standing::Open
        }
    }

    /// How the test ends within `budget` trials of probability `p`, by recursion over the number of hits.
    ///
    /// The chance of `Below` falls in p and that of `Above` rises: trials of smaller p can be coupled so that they have
    /// fewer hits at all times.
    pub fn characteristic(&self, p: f64, budget: usize) -> Characteristic {
        // Probabilities of `first`, `first + 1`, … hits, all of them open.
        let (mut first, mut open) = (0, vec![1.0]);
        let mut end = Characteristic { above: 0.0, below: 0.0, open: 0.0, trials: 0.0 };
        for trials in 1..=budget {
            end.trials += open.iter().sum::<f64>();
            let mut next = vec![0.0; open.len() + 1];
            for (i, &mass) in open.iter().enumerate() {
                next[i] += mass * (1.0 - p);
                next[i + 1] += mass * p;
            }
            // The ratio rises in the hits: the ends of the list close.
            while next
                .last()
                .is_some_and(|_| self.standing(first + next.len() - 1, trials) == Standing::Above)
            {
                end.above += next.pop().unwrap_or(0.0);
            }
            let closed =
                (0..next.len()).take_while(|i| self.standing(first + i, trials) == Standing::Below).count();
            end.below += next.drain(..closed).sum::<f64>();
            first += closed;
            open = next;
            if open.is_empty() {
                break;
            }
        }
        end.open = open.iter().sum();
        end
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All 2^budget sequences of trials.
    fn enumerated(test: &RatioTest, p: f64, budget: usize) -> Characteristic {
        let mut end = Characteristic { above: 0.0, below: 0.0, open: 0.0, trials: 0.0 };
        for word in 0u32..1 << budget {
            let all = word.count_ones() as i32;
            let mass = p.powi(all) * (1.0 - p).powi(budget as i32 - all);
            let mut hits = 0;
            let mut stopped = (Standing::Open, budget);
            for trial in 0..budget {
                hits += (word >> trial & 1) as usize;
                let standing = test.standing(hits, trial + 1);
                if standing != Standing::Open {
                    stopped = (standing, trial + 1);
                    break;
                }
            }
            match stopped.0 {
                Standing::Above => end.above += mass,
                Standing::Below => end.below += mass,
                Standing::Open => end.open += mass,
            }
            end.trials += mass * stopped.1 as f64;
        }
        end
    }

    #[test]
    fn characteristic_is_that_of_all_sequences() {
        for (p0, p1) in [(0.1, 0.4), (0.0, 0.3), (0.3, 0.5)] {
            let test = RatioTest::new(p0, p1, 0.1, 0.2).unwrap();
            for p in [0.0, 0.1, 0.35, 1.0] {
                let (a, b) = (test.characteristic(p, 14), enumerated(&test, p, 14));
                for (x, y) in [(a.above, b.above), (a.below, b.below), (a.open, b.open), (a.trials, b.trials)]
                {
                    // Rounding of 2^14 terms that sum to at most 14.
                    assert!((x - y).abs() < 16384.0 * 14.0 * f64::EPSILON, "{p0} {p1} {p}: {a:?} {b:?}");
                }
            }
        }
    }

    #[test]
    fn error_probabilities_are_kept_and_nearly_used() {
        // Far within the limits of Wald's approximation the overshoot leaves most of α and β.
        let test = RatioTest::new(0.05, 0.1, 1e-6, 1e-3).unwrap();
        let (right, wrong) = (test.characteristic(0.05, 20_000), test.characteristic(0.1, 20_000));
        assert!(right.above <= 1e-6 && right.above > 3e-7, "{right:?}");
        assert!(wrong.below <= 1e-3 && wrong.below > 3e-4, "{wrong:?}");
        // Wald's expected numbers of trials, ln(1/β)/KL and ln(1/α)/KL without overshoot: within the overshoot of one hit.
        let kl = |p: f64, q: f64| p * (p / q).ln() + (1.0 - p) * ((1.0 - p) / (1.0 - q)).ln();
        for (found, level, each) in
            [(right.trials, 1e3f64.ln(), kl(0.05, 0.1)), (wrong.trials, 1e6f64.ln(), kl(0.1, 0.05))]
        {
            assert!(
                found > 0.99 * level / each && found < (level + 2f64.ln()) / each,
                "{found} {}",
                level / each
            );
        }
    }

    #[test]
    fn arguments_outside_their_range_make_no_test() {
        for (p0, p1, alpha, beta) in [
            (0.1, 0.1, 0.1, 0.1),
            (-0.1, 0.2, 0.1, 0.1),
            (0.1, 1.0, 0.1, 0.1),
            (0.1, 0.2, 0.0, 0.1),
            (0.1, 0.2, 0.1, f64::NAN),
        ] {
            assert!(RatioTest::new(p0, p1, alpha, beta).is_none());
        }
    }
}
