//! Means with Monte Carlo standard errors.

/// Root of the mean of squared errors and its Monte Carlo standard error by the delta method:
/// `sd(e²) / (2 √(mean) √R)`. NaN for a single value's standard error.
pub fn root_mean(squares: &[f64]) -> (f64, f64) {
    let n = squares.len() as f64;
    let mean = squares.iter().sum::<f64>() / n;
    let variance = squares.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let root = mean.sqrt();
    let error = if root == 0.0 { 0.0 } else { (variance / n).sqrt() / (2.0 * root) };
    (root, error)
}

/// The middle of some numbers, or the mean of the two in the middle; NaN of none.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    match n {
        0 => f64::NAN,
        _ => 0.5 * (sorted[(n - 1) / 2] + sorted[n / 2]),
    }
}

/// Mean and its Monte Carlo standard error.
pub(crate) fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// Least-squares slope of `y` on `x`, and its standard error when the `y` have standard errors `se`.
pub(crate) fn slope(x: &[f64], y: &[f64], se: &[f64]) -> (f64, f64) {
    let mean = x.iter().sum::<f64>() / x.len() as f64;
    let spread: f64 = x.iter().map(|v| (v - mean).powi(2)).sum();
    let weight = |v: f64| (v - mean) / spread;
    let value = x.iter().zip(y).map(|(&x, y)| weight(x) * y).sum();
    let variance: f64 = x.iter().zip(se).map(|(&x, s)| (weight(x) * s).powi(2)).sum();
    (value, variance.sqrt())
}
