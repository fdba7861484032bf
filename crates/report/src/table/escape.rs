//! Texts of others in tables: nothing of them is markup, and their mathematics is set as such.

use crate::digits::Notation;

/// Text in which the notation sees no markup.
pub(super) fn escape(text: &str, notation: Notation) -> String {
    match notation {
        Notation::Latex => escape_latex(text),
        Notation::Plain => escape_markdown(text),
    }
}

/// Text in which Markdown sees no markup, in one cell.
fn escape_markdown(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' | '|' | '*' | '_' | '`' | '[' | ']' | '<' | '>' => out.extend(['\\', c]),
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Text in which LaTeX sees no command.
pub fn escape_latex(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' => out += "\\textbackslash{}",
            '~' => out += "\\textasciitilde{}",
            '^' => out += "\\textasciicircum{}",
            '<' => out += "\\textless{}",
            '>' => out += "\\textgreater{}",
            '|' => out += "\\textbar{}",
            '{' | '}' | '$' | '&' | '#' | '%' | '_' => out.extend(['\\', c]),
            // What statisticians write that a LaTeX font does not have outside mathematics.
            '√' => out += "$\\surd$",
            '≤' => out += "$\\le$",
            '≥' => out += "$\\ge$",
            'ρ' => out += "$\\rho$",
            'ν' => out += "$\\nu$",
            'σ' => out += "$\\sigma$",
            '\n' | '\r' => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// The study's own sentence, its mathematics as such.
pub(super) fn sentence(text: &str) -> String {
    const RATE: &str = "$\\sqrt{d_{\\mathcal M}/n}$";
    escape_latex(text)
        .replace("sqrt(d\\_M/n)", RATE)
        .replace("$\\surd$(d\\_M/n)", RATE)
        .replace("d\\_M", "$d_{\\mathcal M}$")
}

/// `ρ = 0.5` as mathematics, other text as it is.
pub(super) fn term(text: &str) -> String {
    match text.split_once(" = ") {
        Some((name, value)) => {
            format!("${} = {}$", name.replace('ρ', "\\rho").replace('ν', "\\nu"), escape_latex(value))
        }
        None => escape_latex(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mathematics_is_mathematics() {
        assert_eq!(
            sentence("grows in sqrt(d_M/n) & d_M"),
            "grows in $\\sqrt{d_{\\mathcal M}/n}$ \\& $d_{\\mathcal M}$"
        );
        assert_eq!(term("ρ = 0.5"), "$\\rho = 0.5$");
        assert_eq!(term("a_b"), "a\\_b");
    }
}
