//! More iterations allocate nothing more.

#![cfg(test)]

use convstat_cnn::{OutputModes, StructureSpec};
use convstat_estimate::{FitOptions, Sample, SolverKind, Start, fit};
use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

#[path = "../../../tests/support/counting_allocator.rs"]
mod counting_allocator;
use counting_allocator::allocations;

#[test]
fn iterations_allocate_nothing() {
    convstat_tensor::blas::single_thread().unwrap();
    let modes = OutputModes { positions: vec![2, 2], taps: vec![3, 3, 2], layers: 1, outputs: 1 };
    let spec = StructureSpec::parse("{ kind = \"tucker\", ranks = [2, 2, 2], r = 2, kernels = 2 }").unwrap();
    let structure = spec.build(&modes).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    let z = Array2::from_shape_simple_fn((90, structure.features()), &mut normal);
    let y = Array2::from_shape_simple_fn((90, 1), &mut normal);
    let sample = Sample::new(z, y).unwrap();
    for solver in [SolverKind::LevenbergMarquardt, SolverKind::Als] {
        let mut seen = Vec::new();
        for max_iterations in [2, 4, 8] {
            let options =
                FitOptions { solver, max_iterations, starts: vec![Start::Random], ..FitOptions::default() };
            let mut rng = ChaCha8Rng::seed_from_u64(5);
            let before = allocations();
            let end = fit(&structure, &sample, &options, None, || StandardNormal.sample(&mut rng)).unwrap();
            seen.push(allocations() - before);
            assert_eq!(end.best.iterations, max_iterations, "{solver:?}");
        }
        assert!(seen[0] > 0 && seen.iter().all(|s| *s == seen[0]), "{solver:?} {seen:?}");
    }
}
