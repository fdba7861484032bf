//! Mathematical labels as SVG text spans. Their spaces do not break, so that a formula stays on one line.

/// A space that does not break.
const SPACE: char = '\u{a0}';

/// Attribute of letters above and below the line, and their size as a share of the others'.
pub(crate) const SMALL: &str = "font-size=\"70%\"";
pub(crate) const SMALL_SIZE: f64 = 0.7;

/// Italic letter.
fn it(s: &str) -> String {
    format!("<tspan font-style=\"italic\">{s}</tspan>")
}

/// Subscript; the next run returns to the baseline.
fn sub(s: &str) -> String {
    format!("<tspan baseline-shift=\"-20%\" {SMALL}>{s}</tspan>")
}

/// Superscript.
fn sup(s: &str) -> String {
    format!("<tspan baseline-shift=\"38%\" {SMALL}>{s}</tspan>")
}

/// `d_M`.
pub fn d_m() -> String {
    format!("{}{}", it("d"), sub("<tspan font-style=\"italic\">M</tspan>"))
}

/// `√(d_M / n)`.
pub fn sqrt_dm_over_n() -> String {
    format!("√({}{SPACE}/{SPACE}{})", d_m(), it("n"))
}

/// An italic letter.
pub fn italic(letter: &str) -> String {
    it(letter)
}

/// `a / b`, both italic.
pub fn ratio(a: &str, b: &str) -> String {
    format!("{}{SPACE}/{SPACE}{}", it(a), it(b))
}

/// `√(df / (n − df − 1))`.
pub fn collapse_abscissa() -> String {
    format!("√(df{SPACE}/{SPACE}({}{SPACE}−{SPACE}df{SPACE}−{SPACE}1))", it("n"))
}

/// `n`.
pub fn n() -> String {
    it("n")
}

/// `‖Ŵ − W*‖_F`.
pub fn frobenius_error() -> String {
    format!("‖{}{SPACE}−{SPACE}{}*‖{}", it("Ŵ"), it("W"), sub("F"))
}

/// `‖Σ_Z^{1/2}(Ŵ − W*)‖`.
pub fn prediction_error() -> String {
    let z = sub("<tspan font-style=\"italic\">Z</tspan>");
    format!("‖Σ{z}{}({}{SPACE}−{SPACE}{}*)‖", sup("1/2"), it("Ŵ"), it("W"))
}

/// `√(E‖…‖²)` of a norm written by one of the functions above.
pub fn root_mean_square(norm: &str) -> String {
    format!("√(E{norm}²)")
}

/// SVG spans as text: `d_M`, `Σ_Z^1/2`.
pub fn plain(spans: &str) -> String {
    let mut text = String::new();
    for (i, piece) in spans.split('<').enumerate() {
        // Before the first tag there is no tag.
        let (tag, content) = if i == 0 { ("", piece) } else { piece.split_once('>').unwrap_or(("", piece)) };
        if tag.contains("baseline-shift=\"-") {
            text.push('_');
        } else if tag.contains("baseline-shift") {
            text.push('^');
        }
        text += content;
    }
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").replace(SPACE, " ")
}

/// Escapes text for SVG.
pub fn escape(s: &str) -> String {
    s.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
