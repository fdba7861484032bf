//! Quantiles of F, for any number of degrees of freedom.

use statrs::distribution::{ChiSquared, ContinuousCDF, FisherSnedecor};

/// Denominator degrees of freedom from which the F law is expanded about its limit, to ten digits.
const MANY: f64 = 1e5;

/// The quantile of `F_{numerator, denominator}` at `probability`; none where a number of degrees of freedom is not above
/// 0 or the probability is not between 0 and 1.
///
/// The quantile of Student's t at `(1 + level)/2` is the root of that of `F_{1, ν}` at `level`.
pub fn fisher_quantile(numerator: f64, denominator: f64, probability: f64) -> Option<f64> {
    if !(numerator > 0.0 && denominator > 0.0 && probability > 0.0 && probability < 1.0) {
        return None;
    }
    if denominator > MANY {
        // F_{d1,d2} = (x/d1)(1 + (x − d1 + 2)/(2 d2)) + O(d2⁻²) at the same quantile x of χ²_{d1}.
        let x = ChiSquared::new(numerator).ok()?.inverse_cdf(probability);
        return Some(x / numerator * (1.0 + (x - numerator + 2.0) / (2.0 * denominator)));
    }
    Some(FisherSnedecor::new(numerator, denominator).ok()?.inverse_cdf(probability))
}
