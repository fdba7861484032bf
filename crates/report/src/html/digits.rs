//! Numbers with as many digits as their Monte Carlo standard error leaves meaning.

/// Numbers outside of these sizes are written with an exponent.
const SMALL: f64 = 1e-4;
const LARGE: f64 = 1e6;

/// Digits of a number without a standard error.
const SIGNIFICANT: i32 = 4;

/// `0.1532 (0.0023)`: the standard error with two digits, the value to the same place; `–` for what is not a number.
pub fn with_error(value: f64, error: f64) -> String {
    if !(error.is_finite() && error > 0.0) {
        let error = if error == 0.0 { "0" } else { "–" };
        return format!("{} ({error})", number(value));
    }
    format!("{} ({})", like(value, error), like(error, error))
}

/// A value to the place of the second digit of `error`.
pub fn like(value: f64, error: f64) -> String {
    if !(value.is_finite() && error.is_finite() && error > 0.0) {
        return number(value);
    }
    to_place(value, order(error) - 1)
}

/// A value with four digits, whole numbers without a fraction.
pub fn number(value: f64) -> String {
    if value.is_nan() {
        return "–".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "∞".to_owned() } else { "−∞".to_owned() };
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    if value.fract() == 0.0 && value.abs() < LARGE {
        return format!("{value:.0}");
    }
    to_place(value, order(value) + 1 - SIGNIFICANT)
}

/// [`number`] without zeros at its end, for values that were chosen and not measured.
pub fn short(value: f64) -> String {
    let text = number(value);
    if !text.contains('.') || text.contains('e') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The power of ten of the first digit.
fn order(value: f64) -> i32 {
    value.abs().log10().floor() as i32
}

/// A finite value rounded to the digit of `10^place`.
fn to_place(value: f64, place: i32) -> String {
    if value != 0.0 && !(SMALL..LARGE).contains(&value.abs()) {
        let digits = (order(value) - place).clamp(0, 15) as usize;
        return format!("{value:.digits$e}");
    }
    let digits = (-place).clamp(0, 17) as usize;
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_follow_the_standard_error() {
        assert_eq!(with_error(0.153_234, 0.002_31), "0.1532 (0.0023)");
        assert_eq!(with_error(1.0 / 3.0, 0.25), "0.33 (0.25)");
        assert_eq!(with_error(1234.56, 12.3), "1235 (12)");
        assert_eq!(with_error(1.532e-7, 2.3e-9), "1.532e-7 (2.3e-9)");
        assert_eq!(with_error(0.25, f64::NAN), "0.2500 (–)");
        assert_eq!(with_error(1.0, 0.0), "1 (0)");
        assert_eq!(with_error(f64::NAN, f64::NAN), "– (–)");
        assert_eq!(like(0.153_07, 0.002_31), "0.1531");
        assert_eq!(like(f64::INFINITY, 0.1), "∞");
    }

    #[test]
    fn numbers_without_one_have_four() {
        assert_eq!(number(0.123_456), "0.1235");
        assert_eq!(number(1000.0), "1000");
        assert_eq!(number(1e12), "1.000e12");
        assert_eq!(number(-0.5), "-0.5000");
        assert_eq!(short(0.2), "0.2");
        assert_eq!(short(300.0), "300");
        assert_eq!(short(1e12), "1.000e12");
    }
}
