//! Ticks where readers expect them, and their labels.

/// Most ticks of a linear axis, and most decades with a label each.
const MOST_TICKS: usize = 7;
const MOST_DECADES: usize = 8;

/// Multiples of 1, 2 and 5 times powers of ten, from many to two.
pub(crate) fn linear_ticks(low: f64, high: f64) -> Vec<Vec<f64>> {
    let span = high - low;
    let power = (span / MOST_TICKS as f64).log10().floor() as i32;
    let steps = (power..=power + 2).flat_map(|p| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(p)));
    let multiples = |step: f64| -> Vec<f64> {
        let ends = ((low / step - 1e-9).ceil() as i64, (high / step + 1e-9).floor() as i64);
        (ends.0..=ends.1).map(|k| k as f64 * step).collect()
    };
    steps.map(multiples).filter(|t| (2..=MOST_TICKS).contains(&t.len())).collect()
}

/// Ends in log10: whole decades where there are three, else 1, 2 and 5 times them, and within a decade as on a linear axis;
/// from many to few.
pub(crate) fn log_ticks(low: f64, high: f64) -> Vec<Vec<f64>> {
    let inside = |t: &f64| *t >= low - 1e-9 && *t <= high + 1e-9;
    let decades = || low.floor() as i32..=high.ceil() as i32;
    let whole: Vec<i32> = decades().filter(|&d| inside(&f64::from(d))).collect();
    let every = |step: usize| whole.iter().step_by(step).map(|&d| 10f64.powi(d)).collect::<Vec<_>>();
    if whole.len() >= 3 {
        return (whole.len().div_ceil(MOST_DECADES)..whole.len()).map(every).collect();
    }
    if high - low < 1.0 {
        return linear_ticks(10f64.powf(low), 10f64.powf(high));
    }
    let parts: [&[f64]; 3] = [&[1.0, 2.0, 5.0], &[1.0, 3.0], &[1.0]];
    let times = |parts: &[f64]| -> Vec<f64> {
        let all = decades().flat_map(|d| parts.iter().map(move |m| m * 10f64.powi(d)));
        all.filter(|t| inside(&t.log10())).collect()
    };
    parts.into_iter().map(times).collect()
}

/// Plain labels are of numbers from the first to below the second, powers of ten from the third to the fourth.
const PLAIN: [f64; 2] = [1e-3, 1e6];
const PLAIN_POWERS: [f64; 2] = [0.01, 1000.0];

/// Labels of ticks in one notation; evenly spaced ones have equally many decimals.
pub(crate) fn labels(ticks: &[f64], log: bool) -> Vec<String> {
    let sizes = || ticks.iter().map(|t| t.abs()).filter(|t| *t > 0.0);
    let is_power = |t: f64| (t.log10() - t.log10().round()).abs() < 1e-9;
    // The small allowances are for powers that are rounded.
    let powers = log && sizes().all(is_power);
    if powers && sizes().any(|t| !(0.999 * PLAIN_POWERS[0]..=1.001 * PLAIN_POWERS[1]).contains(&t)) {
        return ticks.iter().map(|t| power(t.log10().round() as i32)).collect();
    }
    let needed = |t: f64| (0..15).find(|&d| has_decimals(t, d)).unwrap_or(15) as usize;
    let is_plain = sizes().all(|t| t < PLAIN[1]) && sizes().fold(0.0, f64::max) >= PLAIN[0] * 0.999;
    if !is_plain {
        return ticks.iter().map(|&t| scientific(t)).collect();
    }
    let even = ticks.windows(3).all(|t| (t[2] - 2.0 * t[1] + t[0]).abs() < 1e-6 * (t[2] - t[0]));
    let most = ticks.iter().map(|&t| needed(t)).max().unwrap_or(0);
    let plain = |&t: &f64| {
        let digits = if even { most } else { needed(t) };
        if t == 0.0 { "0".to_owned() } else { format!("{t:.digits$}") }
    };
    ticks.iter().map(plain).collect()
}

/// Whether so many decimals write a number to its first six digits or more.
fn has_decimals(value: f64, digits: i32) -> bool {
    let scaled = value * 10f64.powi(digits);
    (scaled - scaled.round()).abs() <= 1e-6 * scaled.abs()
}

/// `2·10⁵`
fn scientific(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let exponent = (value.abs().log10() + 1e-9).floor() as i32;
    let factor = value / 10f64.powi(exponent);
    let digits = (0..6).find(|&d| has_decimals(factor, d)).unwrap_or(6) as usize;
    format!("{factor:.digits$}·{}", power(exponent))
}

/// `10⁵`
fn power(exponent: i32) -> String {
    let raised = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        c => char::from_u32('⁰' as u32 + c.to_digit(10).unwrap_or(0)).unwrap_or(c),
    };
    format!("10{}", exponent.to_string().chars().map(raised).collect::<String>())
}
