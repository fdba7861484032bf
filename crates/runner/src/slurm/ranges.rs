//! Indices of arrays as Slurm writes them.

/// The indices that Slurm writes as `3`, `[4-5,7]` or `[4-5,7%2]`.
pub fn indices(text: &str) -> Vec<u64> {
    let text = text.trim_matches(['[', ']']);
    let text = text.split('%').next().unwrap_or_default();
    let range = |part: &str| {
        let (low, high) = part.split_once('-').unwrap_or((part, part));
        Some(low.parse::<u64>().ok()?..=high.parse::<u64>().ok()?)
    };
    text.split(',').filter_map(range).flatten().collect()
}

/// Indices as Slurm writes them: `1,3-5`.
pub fn ranges(indices: &[u64]) -> String {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &i in indices {
        match runs.last_mut() {
            Some((_, high)) if *high + 1 == i => *high = i,
            _ => runs.push((i, i)),
        }
    }
    let text =
        |&(low, high): &(u64, u64)| if low == high { low.to_string() } else { format!("{low}-{high}") };
    runs.iter().map(text).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_written_as_ranges() {
        assert_eq!(ranges(&[1, 3, 4, 5, 9]), "1,3-5,9");
        assert_eq!(indices(&ranges(&[1, 3, 4, 5, 9])), [1, 3, 4, 5, 9]);
        assert_eq!(ranges(&[]), "");
    }
}
