//! Grids of candidate structures.

#![cfg(test)]

use std::collections::BTreeMap;

use convstat_cnn::{StructureSpec, parse_over};

fn grid(text: &str, over: &[(&str, &[usize])]) -> Result<Vec<String>, String> {
    let over: BTreeMap<String, Vec<usize>> =
        over.iter().map(|(k, v)| ((*k).to_owned(), v.to_vec())).collect();
    let all = StructureSpec::parse(text).unwrap().grid(&over).map_err(|e| e.to_string())?;
    Ok(all.iter().map(ToString::to_string).collect())
}

#[test]
fn every_combination_stands_once() {
    let tucker = "{ kind = \"tucker\", ranks = [2, 2], r = 1, kernels = 4 }";
    let found = grid(tucker, &[("r", &[1, 2]), ("ranks", &[1, 3])]).unwrap();
    let expected = [(1, 1), (1, 3), (2, 1), (2, 3)].map(|(r, rank)| {
        StructureSpec::parse(&format!(
            "{{ kind = \"tucker\", ranks = [{rank}, {rank}], r = {r}, kernels = 4 }}"
        ))
        .unwrap()
        .to_string()
    });
    assert_eq!(found, expected);
    // Without keys the structure itself.
    assert_eq!(grid(tucker, &[]).unwrap().len(), 1);
    let network = "{ einsum = \"ar,br->ab\", sizes = { r = 2 } }";
    assert!(grid(network, &[("r", &[5])]).unwrap()[0].contains("r = 5"));
}

#[test]
fn keys_and_values_that_make_no_sense_are_refused() {
    let cnn = "{ kind = \"cnn\", kernels = 2 }";
    for (over, expected) in [
        (("kernel", &[1, 2][..]), "did you mean \"kernels\"?"),
        (("kernels", &[]), "at least one"),
        (("kernels", &[2, 2]), "each value once"),
        (("kind", &[1]), "no whole number"),
        (("kernels", &(1..=2000).collect::<Vec<_>>()), "at most 1000"),
    ] {
        let error = grid(cnn, &[over]).unwrap_err();
        assert!(error.contains(expected), "{over:?}: {error}");
    }
}

#[test]
fn ranges_and_lists_are_read() {
    assert_eq!(parse_over("kernels=1..3").unwrap(), ("kernels".to_owned(), vec![1, 2, 3]));
    assert_eq!(parse_over("r = 1, 4").unwrap(), ("r".to_owned(), vec![1, 4]));
    for (wrong, mend) in [
        ("kernels", "1..6"),
        ("kernels=a", "1..6"),
        ("kernels=", "1..6"),
        ("kernels=3..1", "write kernels=1..3"),
        ("kernels=1..9999999", "at most 1000"),
    ] {
        let error = parse_over(wrong).unwrap_err().to_string();
        assert!(error.contains(mend), "{error}");
    }
}
