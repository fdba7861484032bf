//! A bet against the claim that the mean of nonnegative values is at most `m`.

/// Shares of the wealth that are bet: 1 finds values of small spread, the small ones values of large spread.
const SHARES: [f64; 7] = [1.0, 0.5, 0.25, 0.125, 0.0625, 0.03125, 0.015625];

/// Mean over the shares λ of `∏ (1 + λ(x_i/m − 1))`.
///
/// For independent `x_i ≥ 0` with `E x_i ≤ m` each product is a nonnegative supermartingale that starts at 1, whatever the
/// law, and so is their mean: by Ville's inequality (1939) `P(the wealth ever reaches 1/α) ≤ α`, exactly (Waudby-Smith &
/// Ramdas 2024). No moment but the mean is needed.
#[derive(Debug, Clone, Default)]
pub struct Wealth {
    /// Logarithms, for `SHARES` in order.
    logs: [f64; SHARES.len()],
}

impl Wealth {
    /// Takes the next value over `m`.
    pub fn take(&mut self, relative: f64) {
        for (log, share) in self.logs.iter_mut().zip(SHARES) {
            *log += (share * (relative - 1.0)).ln_1p();
        }
    }

    /// Logarithm of the wealth.
    pub fn ln(&self) -> f64 {
        let largest = self.logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        // All may be −∞ only if the share 1 alone is: the others lose at most half.
        largest + (self.logs.iter().map(|l| (l - largest).exp()).sum::<f64>() / SHARES.len() as f64).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wealth_by_hand() {
        let mut wealth = Wealth::default();
        assert!(wealth.ln().abs() < 1e-15);
        wealth.take(3.0);
        let mean = SHARES.iter().map(|s| 1.0 + 2.0 * s).sum::<f64>() / 7.0;
        assert!((wealth.ln() - mean.ln()).abs() < 1e-14);
        // A value of 0 takes all of the share 1, once and for all.
        wealth.take(0.0);
        let mean = SHARES.iter().map(|s| (1.0 + 2.0 * s) * (1.0 - s)).sum::<f64>() / 7.0;
        assert!((wealth.ln() - mean.ln()).abs() < 1e-14);
    }

    #[test]
    fn its_mean_is_one_at_the_claim() {
        // Two values 0 and 2m with equal chance: the mean over all sequences is exactly 1.
        let total: f64 = (0u32..1 << 10)
            .map(|word| {
                let mut wealth = Wealth::default();
                (0..10).for_each(|i| wealth.take(2.0 * f64::from(word >> i & 1)));
                wealth.ln().exp()
            })
            .sum();
        assert!((total / 1024.0 - 1.0).abs() < 1e-12);
    }
}
