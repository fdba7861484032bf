//! The bootstrap test of ranks: its statistic in closed form, its size, its power.

#![cfg(test)]

use convstat_cnn::Structure;
use convstat_estimate::{EstimateError, Sample, likelihood_ratio};
use convstat_tensor::linalg::{lstsq, svd};
use ndarray::{Array2, Axis, concatenate, s};
use rayon::prelude::*;
use statrs::distribution::{Beta, ContinuousCDF};

mod support;
use support::{build, draw, normals, ols, spectral};

fn cnn(kernels: usize, positions: usize, taps: usize) -> Structure {
    support::cnn(kernels, positions, &[taps])
}

#[test]
fn the_statistic_of_an_orthonormal_design_is_that_of_singular_values() {
    // Three copies of the identity: with S = mean response as a 4 × 5 matrix, RSS_K = rss + 3 Σ_{i > K} s_i².
    let mut normal = normals(1);
    let z = concatenate(Axis(0), &[Array2::eye(20).view(); 3]).unwrap();
    let y = Array2::from_shape_simple_fn((60, 1), &mut normal);
    let raw = Sample::new(z.clone(), y.clone()).unwrap();
    let w = lstsq(&z.view(), &y.view()).unwrap();
    let rss = (&y - &z.dot(&w)).mapv(|v| v * v).sum();
    let (_, values, _) = svd(&w.to_shape((4, 5)).unwrap().view()).unwrap();
    let of_rank = |k: usize| rss + 3.0 * values.slice(s![k..]).iter().map(|v| v * v).sum::<f64>();
    let expected = 60.0 * (of_rank(1) / of_rank(2)).ln();
    for sample in [raw.compressed().unwrap(), raw] {
        let test = likelihood_ratio(&cnn(1, 4, 5), &cnn(2, 4, 5), &sample, &spectral(1), 9, 3).unwrap();
        assert!((test.statistic - expected).abs() < 1e-3, "{} {expected}", test.statistic);
        assert_eq!(test.df, (8.0, 14.0));
        assert!((test.variance / (of_rank(1) / 52.0) - 1.0).abs() < 1e-5);
        let above = test.bootstrap.iter().filter(|t| **t >= test.statistic).count();
        assert!((test.p_value - (1 + above) as f64 / 10.0).abs() < 1e-15);
        assert!(test.bootstrap.iter().all(|t| *t >= 0.0));
    }
}

/// Rejections at 5 % in so many data sets of 40 observations with singular values 1 and `second` of W*, 19 bootstrap samples
/// each: p ≤ 0.05 where no draw is above.
fn rejections(second: f64, sets: u64) -> usize {
    let (null, alternative) = (cnn(1, 3, 4), cnn(2, 3, 4));
    (0..sets)
        .into_par_iter()
        .filter(|&set| {
            let mut normal = normals(1000 + set);
            let z = Array2::from_shape_simple_fn((40, 12), &mut normal);
            let mut w = Array2::zeros((12, 1));
            // Positions by taps: entries (0, 0) and (1, 1).
            (w[[0, 0]], w[[5, 0]]) = (1.0, second);
            let y = z.dot(&w) + Array2::from_shape_simple_fn((40, 1), &mut normal) * 0.5;
            let sample = Sample::new(z, y).unwrap().compressed().unwrap();
            let test = likelihood_ratio(&null, &alternative, &sample, &spectral(1), 19, set).unwrap();
            test.p_value <= 0.05
        })
        .count()
}

#[test]
fn the_test_has_its_size_and_its_power_grows() {
    let sets = 300;
    let hits = rejections(0.0, sets);
    // Clopper–Pearson at 1e-3 on either side.
    let (k, n) = (hits as f64, sets as f64);
    let lower = Beta::new(k, n - k + 1.0).unwrap().inverse_cdf(1e-3);
    let upper = Beta::new(k + 1.0, n - k).unwrap().inverse_cdf(1.0 - 1e-3);
    assert!((lower..=upper).contains(&0.05), "{hits} of {sets}: [{lower:.3}, {upper:.3}]");
    let power: Vec<usize> = [0.15, 0.3, 0.6].into_iter().map(|second| rejections(second, 100)).collect();
    assert!(hits / 3 < power[0] && power[0] < power[1] && power[1] < power[2], "{hits} {power:?}");
    println!("size {hits} of {sets}, power {power:?} of 100");
    assert!(power[2] >= 90, "{power:?}");
}

#[test]
fn draws_do_not_depend_on_threads_and_differ_by_seed() {
    let mut normal = normals(5);
    let z = Array2::from_shape_simple_fn((50, 12), &mut normal);
    let y = Array2::from_shape_simple_fn((50, 1), &mut normal);
    let sample = Sample::new(z, y).unwrap();
    let on = |threads: usize, seed: u64| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let test =
            || likelihood_ratio(&cnn(1, 3, 4), &cnn(3, 3, 4), &sample, &spectral(1), 20, seed).unwrap();
        pool.install(test).bootstrap
    };
    assert_eq!(on(1, 7), on(2, 7));
    assert_ne!(on(1, 7), on(1, 8));
}

#[test]
fn hypotheses_that_are_not_nested_and_equal_ones_are_refused() {
    let mut normal = normals(6);
    let z = Array2::from_shape_simple_fn((60, 12), &mut normal);
    let y = Array2::from_shape_simple_fn((60, 1), &mut normal);
    let sample = Sample::new(z, y).unwrap();
    let test = |null, alternative, draws| {
        likelihood_ratio(&null, &alternative, &sample, &spectral(1), draws, 1).map(|t| t.p_value)
    };
    assert!(matches!(test(cnn(2, 3, 4), cnn(1, 3, 4), 9), Err(EstimateError::NotNested { .. })));
    assert!(matches!(test(cnn(3, 3, 4), cnn(5, 3, 4), 9), Err(EstimateError::SameSet { df: 12, .. })));
    let refused = test(cnn(1, 3, 4), cnn(2, 3, 4), 0);
    assert!(matches!(refused, Err(EstimateError::BadOption { option: "bootstrap", .. })));
    let refused = likelihood_ratio(&cnn(1, 3, 4), &cnn(2, 3, 4), &sample, &ols(), 9, 1).map(|t| t.p_value);
    assert!(matches!(refused, Err(EstimateError::BadOption { option: "solver", .. })));
    let few = Sample::new(sample.z.slice(s![..8, ..]).to_owned(), sample.y.slice(s![..8, ..]).to_owned());
    let refused = likelihood_ratio(&cnn(1, 3, 4), &cnn(2, 3, 4), &few.unwrap(), &spectral(1), 9, 1);
    assert!(matches!(refused, Err(EstimateError::NoResidualFreedom { .. })), "{refused:?}");
}

#[test]
fn data_without_noise_do_not_reject_a_true_null() {
    let mut normal = normals(7);
    let z = Array2::from_shape_simple_fn((60, 12), &mut normal);
    let null = cnn(1, 3, 4);
    let w = null.coefficient_matrix(&null.random_point(&mut normal)).unwrap();
    let sample = Sample::new(z.clone(), z.dot(&w)).unwrap();
    let test = likelihood_ratio(&null, &cnn(2, 3, 4), &sample, &spectral(1), 9, 1).unwrap();
    assert_eq!((test.statistic, test.p_value), (0.0, 1.0));
}

#[test]
fn ranks_of_factored_kernels_are_tested() {
    let build = |text: &str| build(text, &[4], &[3, 3], 1);
    for (small, large) in [
        (
            "{ kind = \"tucker\", ranks = [2, 2], r = 1, kernels = 3 }",
            "{ kind = \"tucker\", ranks = [2, 2], r = 2, kernels = 3 }",
        ),
        ("{ kind = \"cp\", rank = 1, kernels = 3 }", "{ kind = \"cp\", rank = 2, kernels = 3 }"),
        (
            "{ kind = \"tensor-train\", ranks = [1, 1], kernels = 3 }",
            "{ kind = \"tensor-train\", ranks = [2, 2], kernels = 3 }",
        ),
    ] {
        let (small, large) = (build(small), build(large));
        let p_value = |truth: &Structure| {
            let sample = draw(truth, 150, 0.5, 21).0.compressed().unwrap();
            likelihood_ratio(&small, &large, &sample, &spectral(1), 39, 2).unwrap().p_value
        };
        assert!(p_value(&small) > 0.025, "{}", small.name());
        assert_eq!(p_value(&large), 0.025, "{}", large.name());
    }
}
