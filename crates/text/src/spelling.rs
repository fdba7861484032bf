//! The known name that a misspelt word may mean.

/// Names less alike than this (of 1) are not offered.
const ALIKE: f64 = 0.4;

/// How alike two words are, from 0 to 1: the Damerau–Levenshtein distance over the longer length.
pub fn likeness(a: &str, b: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(a, b)
}

/// "; did you mean …?" with the nearest of `names`, and the list of all.
pub fn suggestion<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.into_iter().collect();
    format!("{} (known: {})", nearest(word, names.iter().copied()), names.join(", "))
}

/// "; did you mean …?" with the nearest of `names`; empty if none is like `word`.
pub fn nearest<'a>(word: &str, names: impl IntoIterator<Item = &'a str>) -> String {
    names
        .into_iter()
        .map(|n| (likeness(word, n), n))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .filter(|(score, _)| *score > ALIKE)
        .map_or(String::new(), |(_, n)| format!("; did you mean \"{n}\"?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_offered_and_a_strange_one_is_not() {
        assert_eq!(nearest("kernals", ["kernels", "rank"]), "; did you mean \"kernels\"?");
        assert_eq!(nearest("xyz", ["kernels", "rank"]), "");
        assert_eq!(suggestion("rnk", ["rank"]), "; did you mean \"rank\"? (known: rank)");
        assert_eq!(suggestion("xyz", ["rank"]), " (known: rank)");
    }
}
