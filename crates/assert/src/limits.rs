//! Confidence limits of a mean of squared errors, and the looks at which they are taken.

use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

/// Count, mean and sum of squared deviations (Welford 1962).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Moments {
    count: f64,
    mean: f64,
    deviations: f64,
}

impl Moments {
    /// Takes the next value.
    pub fn take(&mut self, value: f64) {
        self.count += 1.0;
        let off = value - self.mean;
        self.mean += off / self.count;
        self.deviations += off * (value - self.mean);
    }

    /// Number of values.
    pub fn count(&self) -> f64 {
        self.count
    }

    /// Mean.
    pub fn mean(&self) -> f64 {
        self.mean
    }

    /// Squared coefficient of variation `c²` of one value, and the degrees of freedom of this estimate.
    ///
    /// For a gamma law the sample's coefficient of variation is independent of its mean (Lukacs 1955), so that
    /// `E s² = E ĉ² E x̄²` and `ĉ²/(1 − ĉ²/k)` is without bias; its variance is `2c⁴(1 + c²)/k` to first order, that of
    /// `χ²_ν/ν` with `ν = k/(1 + c²)`, less one for the mean.
    pub fn variation(&self) -> (f64, f64) {
        let k = self.count;
        if k < 2.0 || self.mean <= 0.0 {
            return (f64::INFINITY, 0.0);
        }
        let raw = self.deviations / (k - 1.0) / (self.mean * self.mean);
        let square = if raw < k { raw / (1.0 - raw / k) } else { f64::INFINITY };
        (square, k / (1.0 + square) - 1.0)
    }

    /// Lower and upper confidence limit of the mean, each wrong with probability `level`.
    ///
    /// Values `x = error²` of a fit are close to a multiple of a χ² with few or many degrees of freedom, that is to a gamma law;
    /// then `x̄/E x` is gamma with shape `a = k/c²`, and `(x̄/E x)^{1/3}` normal with mean `1 − 1/(9a)` and variance
    /// `1/(9a)` to high accuracy (Wilson & Hilferty 1931). With `c²` estimated, Student's t with ν degrees of freedom takes
    /// the place of the normal law. For other laws of finite variance the limits hold as the count grows: they are
    /// asymptotic, with the skewness of the gamma law as correction.
    pub fn limits(&self, level: f64) -> (f64, f64) {
        let (square, freedom) = self.variation();
        if self.mean == 0.0 && self.deviations == 0.0 && self.count > 1.0 {
            return (0.0, 0.0);
        }
        let Some(t) = critical(level, freedom) else { return (0.0, f64::INFINITY) };
        let ninth = square / (9.0 * self.count);
        let (low, high) = (1.0 - ninth - t * ninth.sqrt(), 1.0 - ninth + t * ninth.sqrt());
        let upper = if low > 0.0 { self.mean / low.powi(3) } else { f64::INFINITY };
        (self.mean / high.powi(3), upper)
    }
}

/// Upper quantile of Student's t that is passed with probability `level`; `None` below two degrees of freedom.
pub fn critical(level: f64, freedom: f64) -> Option<f64> {
    if freedom.is_nan() || freedom < 2.0 {
        return None;
    }
    // By symmetry: the lower tail keeps its digits.
    if freedom > MANY {
        return Some(-Normal::standard().inverse_cdf(level));
    }
    StudentsT::new(0.0, 1.0, freedom).ok().map(|law| -law.inverse_cdf(level))
}

/// Degrees of freedom from which Student's t is normal, to six digits of its quantiles.
const MANY: f64 = 1e7;

/// First look, where the variation is known to a quarter.
const FIRST_LOOK: usize = 32;
/// Looks within a budget; the error probability is divided by their number (Bonferroni), so that over all looks it sums to
/// what is stated whatever the dependence of the looks.
const LOOKS: usize = 8;

/// Numbers of replicates at which one looks: in geometric steps up to the budget.
pub fn looks(budget: usize) -> Vec<usize> {
    let first = FIRST_LOOK.min(budget);
    let ratio = budget as f64 / first as f64;
    let mut all: Vec<usize> = (0..LOOKS)
        .map(|i| (first as f64 * ratio.powf(i as f64 / (LOOKS - 1) as f64)).round() as usize)
        .collect();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::ChaCha8Rng;
    use rand_distr::{Distribution, Gamma};

    #[test]
    fn looks_end_at_the_budget() {
        assert_eq!(looks(2000), [32, 58, 104, 188, 340, 614, 1108, 2000]);
        assert_eq!(looks(20), [20]);
    }

    #[test]
    fn quantiles_of_t() {
        // Two degrees of freedom: t = (1 − 2q)/√(2q(1 − q)).
        let q = 1e-8f64;
        let exact = (1.0 - 2.0 * q) / (2.0 * q * (1.0 - q)).sqrt();
        assert!((critical(q, 2.0).unwrap() / exact - 1.0).abs() < 1e-6);
        // R: qt(1e-2, 9, lower.tail = FALSE).
        assert!((critical(1e-2, 9.0).unwrap() - 2.821437924).abs() < 1e-7);
        let (near, beyond) = (critical(1e-7, 0.99 * MANY).unwrap(), critical(1e-7, 1.01 * MANY).unwrap());
        assert!((near / beyond - 1.0).abs() < 1e-6 && (beyond - 5.199338).abs() < 1e-6);
        assert!(critical(0.01, 1.5).is_none() && critical(0.01, f64::NAN).is_none());
    }

    #[test]
    fn moments_by_hand() {
        let mut m = Moments::default();
        [1.0, 2.0, 6.0].into_iter().for_each(|v| m.take(v));
        assert!((m.mean() - 3.0).abs() < 1e-15 && (m.deviations - 14.0).abs() < 1e-14);
        let raw = 7.0 / 9.0;
        assert!((m.variation().0 - raw / (1.0 - raw / 3.0)).abs() < 1e-14);
    }

    /// Probability that a limit of the mean of `k` gamma values with `freedom` degrees of freedom is wrong, by importance sampling:
    /// values are drawn with their scale times `tilt`, which only the sum tells. Estimate and standard error.
    fn chance(freedom: f64, k: usize, level: f64, upper: bool) -> (f64, f64) {
        let shape = freedom / 2.0;
        let total_shape = shape * k as f64;
        // The scale that puts the limit at the truth.
        let t = critical(level, k as f64 / (1.0 + 1.0 / shape) - 1.0).unwrap();
        let ninth = 1.0 / (9.0 * total_shape);
        let side = if upper { -1.0 } else { 1.0 };
        let tilt: f64 = (1.0 - ninth + side * t * ninth.sqrt()).powi(3);
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let law = Gamma::new(shape, tilt / shape).unwrap();
        let draws = 4_000;
        let (mut sum, mut squares) = (0.0, 0.0);
        for _ in 0..draws {
            let mut m = Moments::default();
            (0..k).for_each(|_| m.take(law.sample(&mut rng)));
            let (low, high) = m.limits(level);
            if if upper { high < 1.0 } else { low > 1.0 } {
                let weight = (total_shape * (tilt.ln() + m.mean() * (1.0 / tilt - 1.0))).exp();
                sum += weight;
                squares += weight * weight;
            }
        }
        let n = f64::from(draws);
        let mean = sum / n;
        (mean, ((squares / n - mean * mean) / n).sqrt())
    }

    #[test]
    fn limits_of_gamma_laws_keep_their_level() {
        // 6e-8 is that of one side of one look at a false alarm of 1e-6. Few replicates of few degrees of freedom leave limits
        // that are too wide; otherwise the level is used.
        for (freedom, k, is_used) in
            [(1.0, 104, false), (1.0, 614, true), (5.0, 104, true), (30.0, 104, true), (30.0, 614, true)]
        {
            for level in [1e-2, 6e-8] {
                for upper in [false, true] {
                    let (found, error) = chance(freedom, k, level, upper);
                    let what = format!(
                        "{freedom} {k} {level:e} {upper}: {:.3} +- {:.3}",
                        found / level,
                        error / level
                    );
                    // At most the level, to 2 %, at four standard errors; at least half of it.
                    assert!(found - 4.0 * error <= 1.02 * level, "{what}");
                    assert!(!is_used || found + 4.0 * error >= 0.5 * level, "{what}");
                }
            }
        }
    }
}
