//! Numbers as a paper prints them: as many digits as the standard error allows.

use std::str::FromStr;

/// How Monte Carlo standard errors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Uncertainty {
    /// `0.1502 (0.0009)`
    #[default]
    Parentheses,
    /// `0.1502 ± 0.0009`
    PlusMinus,
    /// Not; the digits of the value follow it all the same.
    None,
}

impl FromStr for Uncertainty {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "parentheses" => Ok(Self::Parentheses),
            "plus-minus" => Ok(Self::PlusMinus),
            "none" => Ok(Self::None),
            other => Err(format!("\"{other}\" is not parentheses, plus-minus or none")),
        }
    }
}

/// Whether mathematics is written in LaTeX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    Latex,
    Plain,
}

/// Significant digits of a standard error, and of a number without one.
const ERROR_DIGITS: i32 = 2;
const DIGITS: i32 = 4;
/// Magnitudes outside of which a number without a standard error is written with a power of ten.
const PLAIN: std::ops::Range<f64> = 1e-4..1e6;
/// Most decimals of a value beside its standard error.
const MOST_DECIMALS: i32 = 12;

/// Decimals with which `value`, rounded to them, has `digits` significant ones.
fn decimals(value: f64, digits: i32) -> i32 {
    let first = digits - 1 - value.abs().log10().floor() as i32;
    // 0.0996 has two digits as 0.10.
    let rounded = format!("{:.*}", first.max(0) as usize, value.abs()).parse().unwrap_or(value.abs());
    if rounded >= 10f64.powi(digits - first) { first - 1 } else { first }
}

/// A number without a standard error, with four significant digits.
pub(super) fn number(value: f64, notation: Notation) -> String {
    let latex = notation == Notation::Latex;
    if value.is_nan() {
        return if latex { "--" } else { "–" }.to_owned();
    }
    let minus = match (value < 0.0, latex) {
        (false, _) => "",
        (true, true) => "$-$",
        (true, false) => "-",
    };
    let v = value.abs();
    if v.is_infinite() {
        return format!("{minus}{}", if latex { "$\\infty$" } else { "∞" });
    }
    if v == 0.0 || PLAIN.contains(&v) {
        let places = if v == 0.0 { 0 } else { decimals(v, DIGITS).max(0) };
        return format!("{minus}{v:.*}", places as usize);
    }
    let text = format!("{v:.*e}", DIGITS as usize - 1);
    match (text.split_once('e'), latex) {
        (Some((mantissa, power)), true) => format!("{minus}${mantissa}\\times 10^{{{power}}}$"),
        _ => minus.to_owned() + &text,
    }
}

/// A number with its standard error; the latter has two significant digits, the former as many decimals.
pub(super) fn with_error(value: f64, error: f64, uncertainty: Uncertainty, notation: Notation) -> String {
    let usable = value.is_finite() && error.is_finite() && error > 0.0;
    let places = if usable { decimals(error, ERROR_DIGITS) } else { 0 };
    if !usable || places > MOST_DECIMALS {
        return number(value, notation);
    }
    let places = places.max(0) as usize;
    let sign = if value < 0.0 && notation == Notation::Latex { "$-$" } else { "" };
    let value = if sign.is_empty() { value } else { value.abs() };
    let text = format!("{sign}{value:.places$}");
    match (uncertainty, notation) {
        (Uncertainty::None, _) => text,
        (Uncertainty::Parentheses, _) => format!("{text} ({error:.places$})"),
        (Uncertainty::PlusMinus, Notation::Latex) => format!("{text} $\\pm$ {error:.places$}"),
        (Uncertainty::PlusMinus, Notation::Plain) => format!("{text} ± {error:.places$}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_follow_the_standard_error() {
        let plain = |v, e| with_error(v, e, Uncertainty::Parentheses, Notation::Plain);
        assert_eq!(plain(0.150_24, 0.000_912), "0.15024 (0.00091)");
        assert_eq!(plain(0.432_1, 0.099_6), "0.43 (0.10)");
        assert_eq!(plain(123.456, 12.3), "123 (12)");
        assert_eq!(plain(12_345.6, 1234.0), "12346 (1234)");
        assert_eq!(plain(0.5, f64::NAN), "0.5000");
        assert_eq!(plain(0.5, 0.0), "0.5000");
        let latex = |v, e| with_error(v, e, Uncertainty::PlusMinus, Notation::Latex);
        assert_eq!(latex(-1.5, 0.25), "$-$1.50 $\\pm$ 0.25");
        assert_eq!(with_error(0.15024, 0.0009, Uncertainty::None, Notation::Latex), "0.15024");
    }

    #[test]
    fn numbers_without_one_have_four_digits() {
        assert_eq!(number(0.0, Notation::Plain), "0");
        assert_eq!(number(0.12345, Notation::Plain), "0.1235");
        assert_eq!(number(9.999_96, Notation::Plain), "10.00");
        assert_eq!(number(123_456.7, Notation::Plain), "123457");
        assert_eq!(number(1.5e-7, Notation::Latex), "$1.500\\times 10^{-7}$");
        assert_eq!(number(f64::INFINITY, Notation::Latex), "$\\infty$");
        assert_eq!(number(f64::NAN, Notation::Plain), "–");
    }
}
