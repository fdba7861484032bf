//! How often a fit with the default starts misses the best optimum known, where there are many.

#![cfg(test)]

use convstat_cnn::{Geometry, GeometrySpec};
use convstat_estimate::{Method, RANDOM_STARTS, Sample, Start};
use convstat_tensor::linalg::psd_root;
use ndarray::Array2;
use rayon::prelude::*;

mod support;
use support::{build_on, build_plain, draw, fit, fit_with, newton, normals, spectral};

/// Over CP tensors of 8 × 8 × 8 and rank 3, n = 150 below D = 512: data sets where the default starts, and the spectral one
/// alone, end above the best of all starts, with the oracle and `random` more random ones.
fn misses(data_sets: u64, random: usize) -> (usize, usize) {
    let structure = build_plain("{ einsum = \"ar,br,cr->abc\", sizes = { r = 3 } }", &[8, 8, 8], 1);
    let missed: Vec<[bool; 2]> = (0..data_sets)
        .into_par_iter()
        .map(|seed| {
            let (sample, truth) = draw(&structure, 150, 1.0, seed);
            let run = |method: Method, seed| fit_with(&structure, &sample, &method, &truth, seed);
            let mine = run(Method::default(), 1000 + seed);
            let others = [&[Start::Oracle][..], &vec![Start::Random; random]].concat();
            let best = run(newton(&others), 2000 + seed).best.objective.min(mine.best.objective);
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
    assert_eq!(Method::default(), spectral(RANDOM_STARTS));
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

/// More output channels than their rank, features that overlap, and units: the spectral start alone finds the optimum.
#[test]
fn the_spectral_start_does_not_mind_redundant_channels_nor_units() {
    let geometry = Geometry::new(&GeometrySpec {
        input: vec![10, 10, 3],
        kernel: vec![5, 5, 3],
        pool: Some(vec![3, 3, 1]),
        ..GeometrySpec::default()
    })
    .unwrap();
    let root = psd_root(&geometry.second_moment().unwrap().view()).unwrap();
    let structure = |kernels: usize| {
        let text = format!("{{ kind = \"tucker\", ranks = [2, 2, 2], r = 2, kernels = {kernels} }}");
        build_on(&text, &geometry.output_modes(1))
    };
    let missed: usize = (0..20u64)
        .into_par_iter()
        .map(|seed| {
            let mut normal = normals(seed);
            let small = structure(2);
            let w = small.coefficient_matrix(&small.random_point(&mut normal)).unwrap();
            let z = Array2::from_shape_simple_fn((1000, root.nrows()), &mut normal).dot(&root);
            let y = z.dot(&w) + Array2::from_shape_simple_fn((1000, 1), &mut normal);
            let sets = [(4, 1e-6), (8, 1.0), (16, 1e9)];
            let best = sets.map(|(kernels, unit)| {
                let sample = Sample::new(z.clone(), &y * unit).unwrap().compressed().unwrap();
                fit(&structure(kernels), &sample, &spectral(0), 1).best.objective / (unit * unit)
            });
            let least = best.iter().fold(f64::INFINITY, |m, &o| m.min(o));
            best.iter().filter(|o| **o - least > 1e-4 * least / 1000.0).count()
        })
        .sum();
    // Of 60: at one in a hundred three or more have probability 0.02; noise in redundant channels misses a third.
    println!("{missed} missed");
    assert!(missed < 3, "{missed} missed");
}
