//! Mathematics of the page's own text.

use maud::{Markup, html};

/// `d_M`.
pub fn d_m() -> Markup {
    html! { i { "d" } sub { "M" } }
}

/// `√(d_M/n)`.
pub fn rate() -> Markup {
    html! { "√(" (d_m()) "/" (n()) ")" }
}

/// `n`.
pub fn n() -> Markup {
    html! { i { "n" } }
}

/// `W*`.
pub fn truth() -> Markup {
    html! { i { "W" } "*" }
}

/// `K/R`.
pub fn k_over_r() -> Markup {
    html! { i { "K" } "/" i { "R" } }
}

/// Root mean squared prediction error.
pub fn prediction() -> Markup {
    html! {
        "√(E‖" i { "Σ" } sub { i { "Z" } } sup { "1/2" } "(" i { "Ŵ" } " − " (truth()) ")‖" sup { "2" } ")"
    }
}

/// Root mean squared estimation error.
pub fn estimation() -> Markup {
    html! { "√(E‖" i { "Ŵ" } " − " (truth()) "‖" sub { "F" } sup { "2" } ")" }
}

/// Text in which a formula stands for every `mark`.
pub fn with_formula(text: &str, mark: &str, formula: &Markup) -> Markup {
    html! {
        @for (i, part) in text.split(mark).enumerate() {
            @if i > 0 { (formula) }
            (part)
        }
    }
}

/// The program's own sentences, their mathematics in the one form of the page.
pub fn typeset(text: &str) -> Markup {
    const RATE: &str = "√(d_M/n)";
    let text =
        text.replace("<=", "≤").replace("the square root of d_M over n", RATE).replace("sqrt(d_M/n)", RATE);
    with_formula(&text, RATE, &rate())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_have_one_form_of_mathematics() {
        let typeset = typeset("P(error > bound) <= 0.05 for sqrt(d_M/n) in [0, 1]").into_string();
        assert_eq!(typeset, format!("P(error &gt; bound) ≤ 0.05 for {} in [0, 1]", rate().into_string()));
    }
}
