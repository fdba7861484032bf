//! Mathematics of the page's own text.

use super::escape::escape;

/// `d_M`.
pub const D_M: &str = "<i>d</i><sub>M</sub>";
/// `√(d_M/n)`.
pub const RATE: &str = "√(<i>d</i><sub>M</sub>/<i>n</i>)";
/// `n`.
pub const N: &str = "<i>n</i>";
/// `W*`.
pub const TRUTH: &str = "<i>W</i>*";
/// `K/R`.
pub const K_OVER_R: &str = "<i>K</i>/<i>R</i>";
/// Root mean squared prediction error.
pub const PREDICTION: &str =
    "√(E‖<i>Σ</i><sub><i>Z</i></sub><sup>1/2</sup>(<i>Ŵ</i> − <i>W</i>*)‖<sup>2</sup>)";
/// Root mean squared estimation error.
pub const ESTIMATION: &str = "√(E‖<i>Ŵ</i> − <i>W</i>*‖<sub>F</sub><sup>2</sup>)";

/// The program's own sentences as HTML, their mathematics in the one form of the page.
pub fn typeset(text: &str) -> String {
    escape(&text.replace("<=", "≤").replace("the square root of d_M over n", "sqrt(d_M/n)"))
        .replace("√(d_M/n)", RATE)
        .replace("sqrt(d_M/n)", RATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_have_one_form_of_mathematics() {
        let typeset = typeset("P(error > bound) <= 0.05 for sqrt(d_M/n) in [0, 1]");
        assert_eq!(typeset, format!("P(error &gt; bound) ≤ 0.05 for {RATE} in [0, 1]"));
    }
}
