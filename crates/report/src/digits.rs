//! Numbers in tables and on pages: as many digits as their Monte Carlo standard error (MCSE) leaves meaning.

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

impl Uncertainty {
    /// All of them; the first is the usual one.
    pub const ALL: [Self; 3] = [Self::Parentheses, Self::PlusMinus, Self::None];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Parentheses => "parentheses",
            Self::PlusMinus => "plus-minus",
            Self::None => "none",
        }
    }
}

/// Whether mathematics is written in LaTeX.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation {
    Latex,
    Plain,
}

/// How numbers and their standard errors are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Style {
    pub notation: Notation,
    pub uncertainty: Uncertainty,
}

impl Style {
    /// Of pages.
    pub const PAGE: Self = Self { notation: Notation::Plain, uncertainty: Uncertainty::Parentheses };
}

/// Significant digits of a standard error, of a number without one, and of `√(d_M/n)`.
const ERROR_DIGITS: i32 = 2;
const DIGITS: i32 = 4;
const RATE_DIGITS: i32 = 3;
/// Magnitudes outside of which a number is written with a power of ten.
const PLAIN: std::ops::Range<f64> = 1e-4..1e6;
/// Of `n` replicates that all agree, the share of others is below this over `n` with probability 0.95 (rule of three).
const RULE_OF_THREE: f64 = 3.0;

/// Decimals with which `value`, rounded to them, has `digits` significant ones; negative where even tens are digits.
fn decimals(value: f64, digits: i32) -> i32 {
    let first = digits - 1 - value.abs().log10().floor() as i32;
    // 0.0996 has two digits as 0.10.
    let rounded = format!("{:.*}", first.max(0) as usize, value.abs()).parse().unwrap_or(value.abs());
    if rounded >= 10f64.powi(digits - first) { first - 1 } else { first }
}

/// What is not finite, and the sign and size of what is.
fn split(value: f64, notation: Notation) -> Result<(&'static str, f64), String> {
    let latex = notation == Notation::Latex;
    if value.is_nan() {
        return Err(if latex { "--" } else { "–" }.to_owned());
    }
    let minus = match (value < 0.0, latex) {
        (false, _) => "",
        (true, true) => "$-$",
        (true, false) => "-",
    };
    if value.is_infinite() {
        return Err(format!("{minus}{}", if latex { "$\\infty$" } else { "∞" }));
    }
    Ok((minus, value.abs()))
}

/// A number with a power of ten, its mantissa with this many decimals.
fn with_power(value: f64, decimals: usize, notation: Notation) -> String {
    let (minus, v) = match split(value, notation) {
        Ok(parts) => parts,
        Err(text) => return text,
    };
    let text = format!("{v:.decimals$e}");
    match (text.split_once('e'), notation) {
        (Some((mantissa, power)), Notation::Latex) => format!("{minus}${mantissa}\\times 10^{{{power}}}$"),
        _ => format!("{minus}{text}"),
    }
}

/// A number to this many decimals.
fn to_place(value: f64, places: i32, notation: Notation) -> String {
    let (minus, v) = match split(value, notation) {
        Ok(parts) => parts,
        Err(text) => return text,
    };
    if v != 0.0 && !PLAIN.contains(&v) {
        let order = v.log10().floor() as i32;
        return with_power(value, (order + places).clamp(0, 15) as usize, notation);
    }
    format!("{minus}{v:.*}", places.max(0) as usize)
}

/// A number with so many significant digits.
fn significant(value: f64, digits: i32, notation: Notation) -> String {
    let places = if value.is_finite() && value != 0.0 { decimals(value, digits) } else { 0 };
    to_place(value, places, notation)
}

/// A number without a standard error, with four significant digits.
pub(crate) fn number(value: f64, notation: Notation) -> String {
    significant(value, DIGITS, notation)
}

/// `√(d_M/n)`, with three significant digits.
pub(crate) fn rate(value: f64, notation: Notation) -> String {
    significant(value, RATE_DIGITS, notation)
}

/// [`number`] without zeros at its end, for values that were chosen and not measured.
pub(crate) fn short(value: f64) -> String {
    let text = number(value, Notation::Plain);
    if !text.contains('.') || text.contains('e') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Numbers of one column without standard errors: all with a power of ten where one needs it.
pub(crate) fn column(values: &[f64], notation: Notation) -> Vec<String> {
    let needs_power = |v: &f64| v.is_finite() && *v != 0.0 && !PLAIN.contains(&v.abs());
    if values.iter().any(needs_power) {
        values.iter().map(|v| with_power(*v, DIGITS as usize - 1, notation)).collect()
    } else {
        values.iter().map(|v| number(*v, notation)).collect()
    }
}

/// Joins a value and its standard error.
fn joined(value: &str, error: &str, style: Style) -> String {
    match (style.uncertainty, style.notation) {
        (Uncertainty::None, _) => value.to_owned(),
        (Uncertainty::Parentheses, _) => format!("{value} ({error})"),
        (Uncertainty::PlusMinus, Notation::Latex) => format!("{value} $\\pm$ {error}"),
        (Uncertainty::PlusMinus, Notation::Plain) => format!("{value} ± {error}"),
    }
}

/// A value and its standard error to this many decimals, joined; with powers of ten where the larger needs one.
fn pair(value: f64, error: f64, places: i32, style: Style) -> String {
    let notation = style.notation;
    if !PLAIN.contains(&value.abs().max(error)) {
        return joined(&to_place(value, places, notation), &to_place(error, places, notation), style);
    }
    let minus = split(value, notation).map_or("", |(minus, _)| minus);
    let places = places.max(0) as usize;
    joined(&format!("{minus}{:.places$}", value.abs()), &format!("{error:.places$}"), style)
}

/// A value to the place of the second digit of `error`.
pub(crate) fn like(value: f64, error: f64) -> String {
    if error.is_finite() && error > 0.0 {
        to_place(value, decimals(error, ERROR_DIGITS), Notation::Plain)
    } else {
        number(value, Notation::Plain)
    }
}

/// A mean with its MCSE; the latter has two significant digits, the former as many decimals. An MCSE of zero, of replicates
/// that all agree, is left out; that of a single replicate is a dash.
pub(crate) fn measured(value: f64, error: f64, style: Style) -> String {
    let notation = style.notation;
    if value.is_finite() && error.is_finite() && error > 0.0 {
        return pair(value, error, decimals(error, ERROR_DIGITS), style);
    }
    let text = number(value, notation);
    if value.is_finite() && error.is_nan() { joined(&text, &number(error, notation), style) } else { text }
}

/// A share of `count` replicates with its MCSE. Where it is 0 or 1 the MCSE is zero by its formula and says nothing: in
/// its place stands the bound of the rule of three.
pub(crate) fn share(value: f64, error: f64, count: usize, style: Style) -> String {
    if !is_unanimous(value, error) || style.uncertainty == Uncertainty::None {
        return measured(value, error, style);
    }
    let bound = significant(RULE_OF_THREE / count as f64, ERROR_DIGITS, style.notation);
    let below = if style.notation == Notation::Latex { "$<$ " } else { "< " };
    format!("{} ({below}{bound})", to_place(value, DIGITS - 1, style.notation))
}

/// Whether all replicates of a share agree.
pub(crate) fn is_unanimous(share: f64, error: f64) -> bool {
    error == 0.0 && (share == 0.0 || share == 1.0)
}

/// A value of theory with four significant digits; the standard error of a simulated one stands beside it where it
/// reaches these digits.
pub(crate) fn theory(value: f64, error: f64, style: Style) -> String {
    let text = number(value, style.notation);
    if !(value.is_finite() && value != 0.0 && error > 0.0) {
        return text;
    }
    let places = decimals(value, DIGITS);
    if error < 0.5 * 10f64.powi(-places) {
        return text;
    }
    pair(value, error, places, style)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATEX: Style = Style { notation: Notation::Latex, uncertainty: Uncertainty::PlusMinus };

    #[test]
    fn digits_follow_the_standard_error() {
        let plain = |v, e| measured(v, e, Style::PAGE);
        assert_eq!(plain(0.153_234, 0.002_31), "0.1532 (0.0023)");
        assert_eq!(plain(0.150_24, 0.000_912), "0.15024 (0.00091)");
        assert_eq!(plain(1.0 / 3.0, 0.25), "0.33 (0.25)");
        assert_eq!(plain(0.432_1, 0.099_6), "0.43 (0.10)");
        assert_eq!(plain(123.456, 12.3), "123 (12)");
        assert_eq!(plain(12_345.6, 1234.0), "12346 (1234)");
        assert_eq!(plain(1.532e-7, 2.3e-9), "1.532e-7 (2.3e-9)");
        assert_eq!(plain(0.000_4, 0.000_09), "0.000400 (0.000090)");
        assert_eq!(plain(0.5, f64::NAN), "0.5000 (–)");
        assert_eq!(plain(0.5, 0.0), "0.5000");
        assert_eq!(plain(f64::NAN, f64::NAN), "–");
        assert_eq!(measured(-1.5, 0.25, LATEX), "$-$1.50 $\\pm$ 0.25");
        assert_eq!(measured(0.15024, 0.0009, Style { uncertainty: Uncertainty::None, ..LATEX }), "0.15024");
        assert_eq!(like(0.153_07, 0.002_31), "0.1531");
        assert_eq!(like(f64::INFINITY, 0.1), "∞");
    }

    #[test]
    fn numbers_without_one_have_four_digits() {
        let plain = |v| number(v, Notation::Plain);
        assert_eq!(plain(0.0), "0");
        assert_eq!(plain(0.12345), "0.1235");
        assert_eq!(plain(9.999_96), "10.00");
        assert_eq!(plain(123_456.7), "123457");
        assert_eq!(plain(1e12), "1.000e12");
        assert_eq!(plain(-0.5), "-0.5000");
        assert_eq!(plain(f64::NAN), "–");
        assert_eq!(number(1.5e-7, Notation::Latex), "$1.500\\times 10^{-7}$");
        assert_eq!(number(f64::INFINITY, Notation::Latex), "$\\infty$");
        assert_eq!(short(0.2), "0.2");
        assert_eq!(short(300.0), "300");
        assert_eq!(short(1e12), "1.000e12");
        assert_eq!(rate(0.299_9, Notation::Plain), "0.300");
    }

    #[test]
    fn a_column_has_one_form() {
        assert_eq!(column(&[919_204.0, 1_012_345.0], Notation::Plain), ["9.192e5", "1.012e6"]);
        assert_eq!(column(&[919_204.0, f64::INFINITY], Notation::Plain), ["919204", "∞"]);
    }

    #[test]
    fn a_share_of_all_replicates_has_the_bound_of_the_rule_of_three() {
        assert_eq!(share(1.0, 0.0, 100, Style::PAGE), "1.000 (< 0.030)");
        assert_eq!(share(0.0, 0.0, 300, LATEX), "0.000 ($<$ 0.010)");
        assert_eq!(share(0.64, 0.048, 100, Style::PAGE), "0.640 (0.048)");
    }

    #[test]
    fn a_simulated_risk_has_its_standard_error_where_its_digits_show_it() {
        assert_eq!(theory(0.150_848, 0.000_039, Style::PAGE), "0.1508");
        assert_eq!(theory(0.6844, 0.0019, Style::PAGE), "0.6844 (0.0019)");
        assert_eq!(theory(0.204_04, 0.000_093, Style::PAGE), "0.2040 (0.0001)");
        assert_eq!(theory(0.149_7, 0.0, Style::PAGE), "0.1497");
    }
}
