//! Labels of figures: SVG text spans with mathematics. Spaces of formulas do not break, so that each stays on one line.

use maud::{Markup, Render, html};

/// A label: SVG text spans.
pub type Label = Markup;

/// A space that does not break.
const SPACE: char = '\u{a0}';

/// Size of letters above and below the line, and the same as a share of the others'.
const SMALL: &str = "70%";
pub(crate) const SMALL_SIZE: f64 = 0.7;

/// Whether a tag begins letters above or below the line.
pub(crate) fn is_small(tag: &str) -> bool {
    tag.contains("font-size")
}

/// Subscript; the next run returns to the baseline.
fn sub(text: impl Render) -> Markup {
    html! { tspan baseline-shift="-20%" font-size=(SMALL) { (text) } }
}

/// Superscript.
fn sup(text: impl Render) -> Markup {
    html! { tspan baseline-shift="38%" font-size=(SMALL) { (text) } }
}

/// Text as it is.
pub fn text(text: impl Render) -> Markup {
    text.render()
}

/// An italic letter.
pub fn italic(letter: &str) -> Markup {
    html! { tspan font-style="italic" { (letter) } }
}

/// `d_M`.
pub fn d_m() -> Markup {
    html! { (italic("d")) (sub(italic("M"))) }
}

/// `√(d_M / n)`.
pub fn sqrt_dm_over_n() -> Markup {
    html! { "√(" (d_m()) (SPACE) "/" (SPACE) (n()) ")" }
}

/// `a / b`, both italic.
pub fn ratio(a: &str, b: &str) -> Markup {
    html! { (italic(a)) (SPACE) "/" (SPACE) (italic(b)) }
}

/// `√(df / (n − df − 1))`.
pub fn collapse_abscissa() -> Markup {
    html! {
        "√(df" (SPACE) "/" (SPACE) "(" (n()) (SPACE) "−" (SPACE) "df" (SPACE) "−" (SPACE) "1))"
    }
}

/// `n`.
pub fn n() -> Markup {
    italic("n")
}

/// `Ŵ − W*`.
fn error() -> Markup {
    html! { (italic("Ŵ")) (SPACE) "−" (SPACE) (italic("W")) "*" }
}

/// `‖Ŵ − W*‖_F`.
pub fn frobenius_error() -> Markup {
    html! { "‖" (error()) "‖" (sub("F")) }
}

/// `‖Σ_Z^{1/2}(Ŵ − W*)‖`.
pub fn prediction_error() -> Markup {
    html! { "‖Σ" (sub(italic("Z"))) (sup("1/2")) "(" (error()) ")‖" }
}

/// `√(E‖…‖²)` of a norm written by one of the functions above.
pub fn root_mean_square(norm: &Markup) -> Markup {
    html! { "√(E" (norm) "²)" }
}

/// The runs of spans: a tag, empty before the first one, and the text behind it.
pub(crate) fn runs(spans: &str) -> impl Iterator<Item = (&str, String)> {
    spans.split('<').enumerate().map(|(i, piece)| {
        let (tag, text) = if i == 0 { ("", piece) } else { piece.split_once('>').unwrap_or(("", piece)) };
        let text =
            text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&amp;", "&");
        (tag, text)
    })
}

/// SVG spans as text: `d_M`, `Σ_Z^1/2`.
pub fn plain(spans: &Markup) -> String {
    let mut plain = String::new();
    for (tag, text) in runs(&spans.0) {
        if tag.contains("baseline-shift=\"-") {
            plain.push('_');
        } else if tag.contains("baseline-shift") {
            plain.push('^');
        }
        plain += &text;
    }
    plain.replace(SPACE, " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_read_as_text() {
        assert_eq!(plain(&root_mean_square(&prediction_error())), "√(E‖Σ_Z^1/2(Ŵ − W*)‖²)");
        assert_eq!(plain(&sqrt_dm_over_n()), "√(d_M / n)");
        assert_eq!(plain(&text("a < \"b\" & c")), "a < \"b\" & c");
    }
}
