//! More iterations allocate nothing more.

#![cfg(test)]

use convstat_estimate::{FitOptions, FittedModel, Sample};
use serde_json::json;

mod support;
use support::{build, matrix, read};

#[path = "../../../tests/support/counting_allocator.rs"]
mod counting_allocator;
use counting_allocator::allocations;

#[test]
fn iterations_allocate_nothing() {
    let text = "{ kind = \"tucker\", ranks = [2, 2, 2], r = 2, kernels = 2 }";
    let structure = build(text, &[2, 2], &[3, 3, 2], 1);
    let sample = Sample::new(matrix(90, structure.features(), 4), matrix(90, 1, 5)).unwrap();
    for solver in ["levenberg-marquardt", "als"] {
        let mut seen = Vec::new();
        for max_iterations in [2, 4, 8] {
            let method =
                read(json!({ "solver": solver, "max_iterations": max_iterations, "starts": ["random"] }));
            let options = FitOptions::bare(method);
            let before = allocations();
            let model = FittedModel::fit(&structure, &sample, &options).unwrap();
            seen.push(allocations() - before);
            assert_eq!(model.fit.best.iterations, max_iterations, "{solver}");
        }
        assert!(seen[0] > 0 && seen.iter().all(|s| *s == seen[0]), "{solver} {seen:?}");
    }
}
