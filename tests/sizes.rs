//! How often checks fail studies whose theory is right: at most as often as they say.
//!
//! One pooled position and independent normal inputs make the study a linear regression, whose risk and intervals are exact at every n.

#![cfg(test)]

#[path = "support/long.rs"]
mod long;

use convstat::prelude::*;
use convstat::study::{self, RunOptions};
use statrs::distribution::{Beta, ContinuousCDF, StudentsT};

const REPLICATES: usize = 50;
const N: [usize; 4] = [30, 40, 60, 100];

/// Each check with the number of its comparisons.
const CHECKS: [(&str, usize, &str); 5] = [
    ("rate", 1, "kind = \"rate\""),
    ("risk, prediction error", N.len(), "kind = \"risk\""),
    ("risk, estimation error", N.len(), "kind = \"risk\"\nnorm = \"frobenius\""),
    ("bound", 0, "kind = \"bound\""),
    ("coverage of the region", N.len(), "kind = \"coverage\"\nof = [\"region\"]\ntolerance = 0.0"),
];

fn text(seed: usize) -> String {
    let checks: String = CHECKS.iter().map(|(_, _, keys)| format!("[[check]]\n{keys}\n")).collect();
    format!(
        "[study]\nname = \"sizes\"\nseed = {seed}\nreplicates = {REPLICATES}\n\
         [[setting]]\nname = \"linear\"\ninput = [4, 2]\nkernel = [3, 2]\npool = [2, 1]\n\
         structure = {{ kind = \"cnn\", kernels = 1 }}\n[[design]]\nkind = \"normal-exact\"\n\
         [samples]\nn = {N:?}\n[inference]\nlevel = 0.95\n{checks}"
    )
}

/// The probability that one of several comparisons at three standard errors fails, as a verdict states it.
fn stated(comparisons: usize) -> f64 {
    let one = 2.0 * StudentsT::new(0.0, 1.0, REPLICATES as f64 - 1.0).unwrap().sf(3.0);
    1.0 - (1.0 - one).powi(comparisons as i32)
}

/// Lower Clopper–Pearson limit of a probability at level 1e-6.
fn lower_limit(hits: usize, of: usize) -> f64 {
    if hits == 0 {
        return 0.0;
    }
    Beta::new(hits as f64, (of - hits + 1) as f64).unwrap().inverse_cdf(1e-6)
}

#[test]
fn checks_fail_right_theory_as_seldom_as_they_say() {
    let studies = long::size(60, 1000);
    let mut failed = [0; CHECKS.len()];
    for seed in 0..studies {
        let folder = tempfile::tempdir().unwrap();
        let study = Study::new(&text(seed), &Overrides::default()).unwrap();
        let report = study::run(&study, folder.path(), RunOptions { threads: 2, shard: None }).unwrap();
        for (count, check) in failed.iter_mut().zip(&report.checks) {
            *count += usize::from(!check.passed);
        }
    }
    for ((name, comparisons, _), count) in CHECKS.into_iter().zip(failed) {
        let (share, stated) = (count as f64 / studies as f64, stated(comparisons));
        let cells = [studies.to_string(), count.to_string(), format!("{share:.4}"), format!("{stated:.4}")];
        long::row("sizes", &[name, &cells[0], &cells[1], &cells[2], &cells[3]]);
        assert!(
            lower_limit(count, studies) <= stated,
            "{name}: {count} of {studies} fail, {stated:.4} is stated"
        );
    }
}
