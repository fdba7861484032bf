//! Settings and designs in the words of figures and tables.

use convstat_study::CellSummary;
use maud::Markup;

use crate::math;

/// Distinct values of a text column, in order of appearance.
pub(super) fn distinct<'a>(cells: &'a [CellSummary], f: impl Fn(&'a CellSummary) -> &'a str) -> Vec<&'a str> {
    let mut seen = Vec::new();
    for c in cells {
        if !seen.contains(&f(c)) {
            seen.push(f(c));
        }
    }
    seen
}

/// A setting and its structure, once where they say the same.
pub(super) fn setting_title(setting: &str, structure: &str) -> Markup {
    let same = structure.split('(').next().is_some_and(|kind| kind == setting);
    math::text(if same { structure.to_owned() } else { format!("{setting}: {structure}") })
}

/// A design in the field's words: `var1(rho=0.5)` becomes `VAR(1), ρ = 0.5`.
pub(crate) fn design_name(label: &str) -> String {
    let (kind, keys) = label.split_once('(').unwrap_or((label, ""));
    let keys = keys.trim_end_matches(')').replace("rho=", "ρ = ").replace("nu=", "ν = ");
    let (kind, keys) = match kind {
        "var1" => ("VAR(1)", keys),
        "student-t" => ("Student t", keys),
        "rademacher" => ("Rademacher", keys),
        "normal-exact" => ("normal", "exact law".to_owned()),
        other => (other, keys),
    };
    if keys.is_empty() { kind.to_owned() } else { format!("{kind}, {keys}") }
}

/// A design as a title: `var1(rho=0.5)` becomes `VAR(1) inputs, ρ = 0.5`.
pub(crate) fn design_title(label: &str) -> Markup {
    let name = design_name(label);
    let (kind, keys) = name.split_at(name.find(',').unwrap_or(name.len()));
    math::text(format!("{kind} inputs{keys}"))
}
