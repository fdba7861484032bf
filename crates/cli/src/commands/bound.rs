//! `convstat bound`: bounds and exact risk of one setting.

use clap::Args;
use convstat::report::table::align;
use convstat::theory::bounds::Kind;
use convstat::theory::{Assumptions, BOUNDS, Bound as Entry, Bounds, SettingTheory, TheoryError};
use serde_json::{Map, Value};

use super::setting::SettingArgs;
use crate::failure::Failure;
use crate::output::{Status, print, print_json};

/// `bound`.
#[derive(Debug, Args)]
#[command(
    after_help = "Inputs have independent standard normal entries unless --design says otherwise, noise is N(0, sigma²).
The exact risk in Frobenius norm depends on the truth: its factors are standard normal, drawn with --seed.

Example:
  convstat bound --geometry g.toml --structure '{ kind = \"cnn\", kernels = 3 }' --n 500,2000,8000"
)]
pub struct Bound {
    #[command(flatten)]
    setting: SettingArgs,
    /// Sample sizes
    #[arg(long, value_delimiter = ',', required = true, value_name = "N,…", value_parser = whole_number)]
    n: Vec<u64>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A whole number, also as 1e12.
fn whole_number(text: &str) -> Result<u64, String> {
    let number = text.parse::<u64>().ok().or_else(|| {
        let v: f64 = text.parse().ok()?;
        // Above, not every whole number is one of f64.
        (v.fract() == 0.0 && (0.0..=9e15).contains(&v)).then_some(v as u64)
    });
    number.ok_or_else(|| "give a whole number, for instance 2000 or 1e12".to_owned())
}

/// Characters of a line of explanations.
const WIDTH: usize = 160;

impl Bound {
    /// Does it.
    pub fn run(&self) -> Result<Status, Failure> {
        if let Some(n) = self.n.iter().find(|n| **n == 0) {
            return Err(Failure::new(format!("--n {n}; sample sizes have to be at least 1")));
        }
        let all = self.setting.evaluate()?;
        let at_each_n = |n: &u64| at(&all.theory, BOUNDS, *n);
        if self.json {
            let mut json = all.json()?;
            json["n"] = self.n.iter().map(at_each_n).collect::<Result<_, _>>()?;
            print_json(&json)?;
            return Ok(Status::Done);
        }
        all.print()?;
        print(&format!("\n{}", align(&table(&all.theory, BOUNDS, &self.n)?)))?;
        print(&format!("\n{}", explanations(&all.theory, BOUNDS)))?;
        for &n in &self.n {
            print(&format!("\nassumptions at n = {n}\n"))?;
            for a in &assumptions(&all.theory, BOUNDS, n as f64)? {
                print(&assumption_lines(a))?;
            }
        }
        Ok(Status::Done)
    }
}

/// Bounds of which the table has columns.
fn tabulated(bounds: Bounds) -> impl Iterator<Item = &'static dyn Entry> {
    bounds.iter().copied().filter(|b| matches!(b.kind(), Kind::Risk | Kind::Upper))
}

/// The numbers, a row an n, under a header.
fn table(theory: &SettingTheory, bounds: Bounds, sizes: &[u64]) -> Result<Vec<Vec<String>>, TheoryError> {
    let show = |v: f64| {
        if !v.is_finite() {
            return "-".to_owned();
        }
        if v < 1e-2 { format!("{v:.3e}") } else { format!("{v:.4}") }
    };
    let mut header = vec!["n".to_owned()];
    for bound in tabulated(bounds) {
        header.extend(bound.norms().iter().map(|norm| format!("{} {}", bound.name(), norm.suffix())));
        header.extend((bound.kind() == Kind::Upper).then(|| "cond.".to_owned()));
    }
    let mut rows = vec![header];
    for &n in sizes {
        let mut row = vec![n.to_string()];
        for bound in tabulated(bounds) {
            let mut holds = true;
            for &norm in bound.norms() {
                let value = bound.evaluate(theory, norm, n as f64)?;
                row.push(show(value.error));
                holds &= value.condition_holds;
            }
            let word = if holds { "holds" } else { "fails" };
            row.extend((bound.kind() == Kind::Upper).then(|| word.to_owned()));
        }
        rows.push(row);
    }
    Ok(rows)
}

/// What the columns are, in lines of at most some length.
fn explanations(theory: &SettingTheory, bounds: Bounds) -> String {
    let (mut text, mut line) = (String::new(), 0);
    for bound in tabulated(bounds) {
        let own = format!("{}: {}", bound.name(), bound.explanation(theory));
        let length = own.chars().count();
        if !text.is_empty() {
            let fits = line + 2 + length <= WIDTH;
            text += if fits { "; " } else { ";\n" };
            line = if fits { line + 2 } else { 0 };
        }
        text += &own;
        line += length;
    }
    text + "\n"
}

/// The assumptions of all bounds that have columns, but for those that assume nothing beyond one before them.
fn assumptions(theory: &SettingTheory, bounds: Bounds, n: f64) -> Result<Vec<Assumptions>, TheoryError> {
    let mut all: Vec<Assumptions> = Vec::new();
    for bound in bounds.iter().filter(|b| b.kind().has_columns()) {
        let own = bound.assumptions(theory, n)?;
        if !all.iter().any(|before| own.are_among(before)) {
            all.push(own);
        }
    }
    Ok(all)
}

/// A bound and its assumptions, each with its verdict.
fn assumption_lines(assumptions: &Assumptions) -> String {
    let mut text = format!("  {}\n", assumptions.of);
    for a in &assumptions.list {
        let verdict = match a.holds {
            Some(true) => "holds",
            Some(false) => "FAILS",
            None => "not known",
        };
        text += &format!("    {verdict:9}  {}\n", a.text);
    }
    text
}

/// Everything at one n, as JSON.
fn at(theory: &SettingTheory, bounds: Bounds, n: u64) -> Result<Value, Failure> {
    let finite = |v: f64| if v.is_finite() { Value::from(v) } else { Value::Null };
    let mut row = Map::new();
    row.insert("n".to_owned(), n.into());
    for bound in bounds.iter().filter(|b| b.kind().has_columns()) {
        for &norm in bound.norms() {
            let value = bound.evaluate(theory, norm, n as f64)?;
            row.insert(format!("{}_{}", bound.name(), norm.name()), finite(value.error));
            if bound.kind() == Kind::Upper {
                row.insert(format!("{}_condition", bound.name()), value.condition_holds.into());
            }
            if bound.has_unknown_constants() {
                row.insert(format!("{}_probability", bound.name()), finite(value.probability));
            }
        }
    }
    let assumptions = serde_json::to_value(assumptions(theory, bounds, n as f64)?);
    row.insert("assumptions".to_owned(), assumptions.map_err(|e| Failure::new(e.to_string()))?);
    Ok(row.into())
}

#[cfg(test)]
mod tests {
    use super::super::setting::tests::{WITH_THRICE, evaluated};
    use super::*;

    #[test]
    fn a_bound_is_printed_by_its_name_and_not_where_an_assumption_fails() {
        let independent = evaluated("{ kind = \"rademacher\" }").theory;
        let rows = table(&independent, WITH_THRICE, &[400]).unwrap();
        let tail = |row: &Vec<String>| row[row.len() - 3..].to_vec();
        assert_eq!(tail(&rows[0]), ["thrice pred", "thrice frob", "cond."]);
        // 3 √(5/400): two positions times four taps, of rank 1, have df = 2 + 4 − 1.
        assert_eq!(tail(&rows[1])[0], "0.3354");
        assert!(explanations(&independent, WITH_THRICE).contains("thrice: holds with probability 8/9"));
        let json = at(&independent, WITH_THRICE, 400).unwrap();
        assert!(json["thrice_frobenius"].is_number() && json["thrice_condition"] == true);
        // Neither the explicit nor the literature bound is about signs.
        assert!(json["literature_frobenius"].is_null() && json["literature_probability"].is_null());
        assert!(json["explicit_prediction"].is_null() && json["literature_condition"] == false);

        let dependent = evaluated("{ kind = \"var1\", rho = 0.5 }").theory;
        assert_eq!(tail(&table(&dependent, WITH_THRICE, &[400]).unwrap()[1]), ["-", "-", "fails"]);
        assert!(at(&dependent, WITH_THRICE, 400).unwrap()["literature_frobenius"].is_number());
    }
}
