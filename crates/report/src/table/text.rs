//! Tables as aligned text, for the terminal.

use convstat_study::{CheckOutcome, Summary};
use convstat_theory::ErrorNorm;

/// Columns aligned to the right, texts to the left; the first row is the header.
pub fn align(rows: &[Vec<String>]) -> String {
    align_with(rows, "  ")
}

/// The same with another gap between columns.
fn align_with(rows: &[Vec<String>], gap: &str) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| rows.iter().filter_map(|r| r.get(c)).map(|s| s.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let numeric = |s: &str| s.starts_with(|c: char| c.is_ascii_digit() || c == '-') || s.is_empty();
    let right: Vec<bool> =
        (0..columns).map(|c| rows.iter().skip(1).filter_map(|r| r.get(c)).all(|s| numeric(s))).collect();
    let mut out = String::new();
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .zip(&right)
            .map(|((s, w), right)| {
                let pad = " ".repeat(w - s.chars().count());
                if *right { format!("{pad}{s}") } else { format!("{s}{pad}") }
            })
            .collect();
        out += cells.join(gap).trim_end();
        out.push('\n');
    }
    out
}

/// A table no wider than `width` where that can be: gaps become narrow, and columns that do not fit go below, beside the first `keys` again, whose
/// names are shortened; numbers never are.
pub fn align_within(rows: &[Vec<String>], keys: usize, width: usize) -> String {
    let widest = |text: &str| text.lines().map(|l| l.chars().count()).max().unwrap_or(0);
    for gap in ["  ", " "] {
        let whole = align_with(rows, gap);
        if widest(&whole) <= width {
            return whole;
        }
    }
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|r| r.iter().enumerate().map(|(c, s)| if c < keys { shortened(s) } else { s.clone() }).collect())
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let part = |from: usize, to: usize| {
        let pick = |r: &Vec<String>| -> Vec<String> {
            let chosen = (0..keys.min(columns)).chain(from..to);
            chosen.filter_map(|c| r.get(c).cloned()).collect()
        };
        align(&rows.iter().map(pick).collect::<Vec<_>>())
    };
    let mut blocks = Vec::new();
    let mut from = keys;
    while from < columns {
        let mut to = from + 1;
        while to < columns && widest(&part(from, to + 1)) <= width {
            to += 1;
        }
        blocks.push(part(from, to));
        from = to;
    }
    blocks.join("\n")
}

/// A name of at most this many characters, its middle left out; numbers stay.
fn shortened(name: &str) -> String {
    const MOST: usize = 20;
    let letters: Vec<char> = name.chars().collect();
    if letters.len() <= MOST || name.parse::<f64>().is_ok() {
        return name.to_owned();
    }
    let (head, tail) = (&letters[..MOST - 8], &letters[letters.len() - 7..]);
    head.iter().chain(&['…']).chain(tail).collect()
}

fn number(v: f64) -> String {
    if v.is_nan() {
        "-".to_owned()
    } else if v != 0.0 && !(1e-3..1e5).contains(&v.abs()) {
        format!("{v:.2e}")
    } else {
        format!("{v:.4}")
    }
}

/// The summary of a study, a row a cell, at most `width` columns wide ([`align_within`]).
pub fn summary_table(summary: &Summary, width: usize) -> String {
    let several = summary.cells.iter().any(|c| c.solver != summary.cells[0].solver);
    let mut header: Vec<String> =
        ["setting", "design", "n", "√(d_M/n)", "pred", "MCSE", "risk", "frob", "MCSE", "risk", "fail"]
            .map(str::to_owned)
            .to_vec();
    if several {
        header.insert(2, "solver".to_owned());
    }
    if summary.cells.iter().any(|c| c.coverage.is_some()) {
        header.extend(["entries", "predictions", "region"].map(str::to_owned));
    }
    if summary.cells.iter().any(|c| c.selection.is_some()) {
        header.extend(["right", "chosen"].map(str::to_owned));
    }
    let mut rows = vec![header];
    for c in &summary.cells {
        let mut row = vec![
            c.setting.clone(),
            c.design.clone(),
            c.n.to_string(),
            format!("{:.3}", c.sqrt_dm_over_n()),
            number(c.pred.0),
            number(c.pred.1),
            number(c.theory.risk(ErrorNorm::Prediction).0),
            number(c.frob.0),
            number(c.frob.1),
            number(c.theory.risk(ErrorNorm::Frobenius).0),
            (c.errors + c.not_converged + c.optimisation_failures).to_string(),
        ];
        if several {
            row.insert(2, c.solver.clone());
        }
        if let Some(coverage) = &c.coverage {
            row.extend(coverage.means.map(|(mean, _)| number(mean)));
        }
        if let Some(selection) = &c.selection {
            row.extend([number(selection.right.0), number(selection.mean.0)]);
        }
        rows.push(row);
    }
    align_within(&rows, if several { 4 } else { 3 }, width)
}

/// Checks with verdicts in words; the comparisons that failed, or all of them if `all`.
pub fn check_lines(checks: &[CheckOutcome], all: bool) -> String {
    let mut out = String::new();
    for c in checks {
        out += &format!("check {}: {}\n    {}\n", c.kind, c.claim, c.verdict);
        for line in c.details.iter().filter(|l| all || l.starts_with("FAIL")) {
            out += &format!("    {line}\n");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_tables_are_wrapped_and_no_number_is_cut() {
        let name = "a setting with a very long name";
        let row = |cells: &[&str]| cells.iter().map(ToString::to_string).collect::<Vec<_>>();
        let rows = [
            row(&["setting", "n", "pred", "MCSE", "frob", "MCSE"]),
            row(&[name, "100", "12.345678", "1.25e-07", "123456.789", "0.0001"]),
            row(&["b", "1000000", "1.5", "0.1", "2.5", "0.2"]),
        ];
        for width in [20, 34, 48, 60, 200] {
            let text = align_within(&rows, 2, width);
            // Below the keys and one column no table fits.
            let widest = text.lines().map(|l| l.chars().count()).max().unwrap();
            assert!(widest <= width.max(41), "{width}: {text}");
            for number in rows[1..].iter().flat_map(|r| &r[1..]) {
                assert!(text.contains(number.as_str()), "{width}: no {number} in {text}");
            }
            assert_eq!(text.contains(name), width == 200, "{text}");
        }
    }
}
