//! Why a table has no number somewhere: a sentence for each kind of column, said where it occurs.

/// Stands in the reasons where `n` is written.
pub(crate) const N: &str = "{n}";

/// Beginnings of names of columns of the summary, and why their numbers may lack.
const REASONS: [(&str, &str); 5] = [
    ("err_", "error: every replicate ended in an error"),
    (
        "risk_",
        "risk: none is claimed ({n} of at most df + 1, an estimator that theory does not cover, or a structure that the data do not \
         identify)",
    ),
    ("explicit_bound", "explicit bound: its theorem does not cover the design or the estimator"),
    (
        "covered_",
        "coverage: no interval ({n} of at most df, an estimator that shrinks, or entries that the data do not identify)",
    ),
    ("chosen_", "choice: the estimator chooses none"),
];

/// One sentence on all dashes of these columns; empty where there is none. `dash` and `n` are how a table writes these.
pub(crate) fn sentence<'a>(
    columns: impl IntoIterator<Item = (&'a str, bool)>,
    dash: &str,
    n: &str,
) -> String {
    let missing: Vec<&str> =
        columns.into_iter().filter(|(_, is_missing)| *is_missing).map(|(name, _)| name).collect();
    let reasons: Vec<&str> = REASONS
        .iter()
        .filter(|(start, _)| missing.iter().any(|name| name.starts_with(start)))
        .map(|(_, reason)| *reason)
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

    #[test]
    fn only_what_lacks_is_explained() {
        assert_eq!(sentence([("risk_pred", false)], "–", "n"), "");
        let text = sentence([("risk_pred", true), ("covered_region", true), ("err_pred", false)], "–", "n");
        assert!(
            text.starts_with(" – as risk: none is claimed") && text.contains("; as coverage: no interval"),
            "{text}"
        );
        assert!(!text.contains("error:"), "{text}");
    }
}
