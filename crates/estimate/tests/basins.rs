//! How often a fit with the default starts misses the best optimum known, where there are many.

use convstat_cnn::{OutputModes, StructureSpec};
use convstat_estimate::{FitOptions, Sample, SolverKind, Start, fit};
use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

fn normals(seed: u64) -> impl FnMut() -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    move || StandardNormal.sample(&mut rng)
}

/// Over CP tensors of 8 × 8 × 8 and rank 3, n = 150 below D = 512: data sets where the default starts, and the spectral one
/// alone, end above the best of all starts, with the oracle and `random` more random ones.
fn misses(data_sets: u64, random: usize) -> (usize, usize) {
    convstat_tensor::blas::single_thread().unwrap();
    let modes = OutputModes::plain(&[8, 8, 8], 1);
    let spec = StructureSpec::parse("{ einsum = \"ar,br,cr->abc\", sizes = { r = 3 } }").unwrap();
    let structure = spec.build(&modes).unwrap();
    let missed: Vec<[bool; 2]> = (0..data_sets)
        .into_par_iter()
        .map(|seed| {
            let mut normal = normals(seed);
            let truth = structure.random_point(&mut normal);
            let w = structure.coefficient_matrix(&truth).unwrap();
            let z = Array2::from_shape_simple_fn((150, 512), &mut normal);
            let y = z.dot(&w) + Array2::from_shape_simple_fn((150, 1), &mut normal);
            let sample = Sample::new(z, y).unwrap();
            let run = |starts: Vec<Start>, seed| {
                let options = FitOptions { starts, ..FitOptions::default() };
                fit(&structure, &sample, &options, Some(&truth), normals(seed)).unwrap()
            };
            let mine = run(FitOptions::default().starts, 1000 + seed);
            let others = std::iter::once(Start::Oracle).chain(std::iter::repeat_n(Start::Random, random));
            let best = run(others.collect(), 2000 + seed).best.objective.min(mine.best.objective);
            // A ten-thousandth of the residual variance, as for a fit with an oracle start.
            [mine.best.objective, mine.all[0].objective].map(|o| o - best > 1e-4 * best / 150.0)
        })
        .collect();
    let count = |i: usize| missed.iter().filter(|m| m[i]).count();
    println!("{data_sets} data sets: default starts missed {}, spectral start alone {}", count(0), count(1));
    (count(0), count(1))
}

#[test]
fn default_starts_find_the_best_of_many_optima() {
    let defaults = FitOptions::default();
    assert_eq!((defaults.solver, defaults.starts[0]), (SolverKind::LevenbergMarquardt, Start::Spectral));
    // At a rate of 0.02 none of 40 is likely (0.45); at the spectral start's 0.07 it is not (0.05).
    assert_eq!(misses(40, 5).0, 0);
}

/// The long form: below 2 % of 200 data sets.
#[test]
#[ignore = "minutes"]
fn default_starts_find_the_best_of_many_optima_long() {
    let (default, spectral) = misses(200, 60);
    // One start is not enough.
    assert!(default < 4 && spectral >= 4, "{default} {spectral}");
}
