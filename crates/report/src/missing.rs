//! Why a table has no number somewhere: a sentence for each kind of column, said where it occurs.

use convstat_theory::Bounds;
use convstat_theory::bounds::Kind;

/// Stands in the reasons where `n` is written.
pub(crate) const N: &str = "{n}";

/// Beginnings of names of columns of the summary, and why their numbers may lack: before those of bounds,
const BEFORE: [(&str, &str); 2] = [
    ("err_", "error: every replicate ended in an error"),
    (
        "risk_",
        "risk: none is claimed ({n} of at most df + 1, an estimator that theory does not cover, or a structure that the data do not \
         identify)",
    ),
];

/// and after them.
const AFTER: [(&str, &str); 2] = [
    (
        "covered_",
        "coverage: no interval ({n} of at most df, an estimator that shrinks, or entries that the data do not identify)",
    ),
    ("chosen_", "choice: the estimator chooses none"),
];

/// One sentence on all dashes of these columns; empty where there is none. `dash` and `n` are how a table writes these.
pub(crate) fn sentence<'a>(
    columns: impl IntoIterator<Item = (&'a str, bool)>,
    bounds: Bounds,
    dash: &str,
    n: &str,
) -> String {
    let missing: Vec<&str> =
        columns.into_iter().filter(|(_, is_missing)| *is_missing).map(|(name, _)| name).collect();
    let fixed = |(start, reason): (&str, &str)| (start.to_owned(), reason.to_owned());
    let of_bounds = bounds.iter().filter(|b| b.kind() == Kind::Upper).map(|b| {
        let reason = format!("{}: its theorem does not cover the design or the estimator", b.title());
        (b.columns_begin(), reason)
    });
    let reasons: Vec<String> = BEFORE
        .map(fixed)
        .into_iter()
        .chain(of_bounds)
        .chain(AFTER.map(fixed))
        .filter(|(start, _)| missing.iter().any(|name| name.starts_with(start.as_str())))
        .map(|(_, reason)| reason)
        .collect();
    if reasons.is_empty() {
        String::new()
    } else {
        format!(" {dash} as {}.", reasons.join("; as ")).replace(N, n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use convstat_theory::BOUNDS;

    #[test]
    fn only_what_lacks_is_explained() {
        assert_eq!(sentence([("risk_pred", false)], BOUNDS, "–", "n"), "");
        let columns = [
            ("risk_pred", true),
            ("covered_region", true),
            ("err_pred", false),
            ("literature_bound_frob", true),
        ];
        let text = sentence(columns, BOUNDS, "–", "n");
        assert!(
            text.starts_with(" – as risk: none is claimed")
                && text.contains("; as literature bound: its theorem")
                && text.contains("; as coverage: no interval"),
            "{text}"
        );
        assert!(!text.contains("error:"), "{text}");
    }
}
