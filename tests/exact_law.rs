//! The exact law of the compressed sample against samples compressed from drawn data (THEORY §3).

#![cfg(test)]

use convstat::estimate::{Sample, compress};
use convstat::prelude::*;
use convstat::runner::{RunDir, stream};
use convstat::study;
use convstat::study::designs::normal_exact::draw_compressed;
use convstat::tensor::linalg::{echelon_root, psd_root};
use ndarray::{Array2, Axis, concatenate};
use rand_distr::{Distribution, StandardNormal};

fn normals(rows: usize, cols: usize, key: &str, replicate: u64) -> Array2<f64> {
    let mut rng = stream(3, "exact law", key, replicate);
    Array2::from_shape_simple_fn((rows, cols), || StandardNormal.sample(&mut rng))
}

/// Largest distance of two empirical distribution functions.
fn kolmogorov_smirnov(mut a: Vec<f64>, mut b: Vec<f64>) -> f64 {
    a.sort_by(f64::total_cmp);
    b.sort_by(f64::total_cmp);
    let below = |v: &[f64], x: f64| v.partition_point(|y| *y <= x) as f64 / v.len() as f64;
    a.iter().chain(&b).map(|&x| (below(&a, x) - below(&b, x)).abs()).fold(0.0, f64::max)
}

/// Distance that two samples of `n` from one law pass with probability 0.0027 (Smirnov's limit), as 3 standard errors.
fn critical(n: usize) -> f64 {
    (-(0.0027f64 / 2.0).ln() / n as f64).sqrt()
}

#[test]
fn errors_have_one_law_at_small_and_large_n() {
    // D = 108: below, near and above it.
    let text = |design: &str| {
        format!(
            "[study]\nname = \"law\"\nseed = 9\nreplicates = 600\n[theory]\nbounds = false\n[[setting]]\nname = \"S3\"\n\
             input = [8, 8, 3]\nkernel = [3, 3, 3]\npool = [3, 3, 1]\nstructure = {{ kind = \"cnn\", kernels = 1 }}\n\
             [[design]]\nkind = \"{design}\"\n[samples]\nn = [89, 108, 115, 1422]\n"
        )
    };
    convstat::tensor::blas::single_thread().unwrap();
    let errors = |design: &str| {
        let dir = tempfile::tempdir().unwrap();
        let study = Study::new(&text(design), &Overrides::default()).unwrap();
        study::run(&study, dir.path(), study::RunOptions::default()).unwrap();
        let (rows, _) = study::run::read_rows(&RunDir::open(dir.path()).unwrap()).unwrap();
        let (n, pred) = (rows.ints("n").unwrap().to_vec(), rows.floats("err_pred").unwrap().to_vec());
        let objective = rows.floats("objective").unwrap().to_vec();
        move |at: i64, what: usize| -> Vec<f64> {
            let column = if what == 0 { &pred } else { &objective };
            n.iter().zip(column).filter(|(n, _)| **n == at).map(|(_, e)| *e).collect()
        }
    };
    let (drawn, exact) = (errors("normal"), errors("normal-exact"));
    for n in [89, 108, 115, 1422] {
        for what in [0, 1] {
            let distance = kolmogorov_smirnov(drawn(n, what), exact(n, what));
            assert!(distance < critical(600), "n = {n}, column {what}: {distance}");
        }
    }
    // The test can fail: n one fifth larger.
    assert!(kolmogorov_smirnov(drawn(89, 0), exact(108, 0)) > critical(600));
}

/// Mean and variance of the entries of `ZᵀZ`, `Zᵀy` and `yᵀy` over draws.
fn moments(draws: u64, sample: impl Fn(u64) -> Sample) -> (Array2<f64>, Array2<f64>) {
    let products: Vec<Array2<f64>> = (0..draws)
        .map(|r| {
            let s = sample(r);
            let all = concatenate![Axis(1), s.z, s.y];
            let mut gram = all.t().dot(&all);
            let last = gram.nrows() - 1;
            gram[[last, last]] += s.rss;
            gram
        })
        .collect();
    let n = draws as f64;
    let mean = products.iter().fold(Array2::zeros(products[0].dim()), |a, b| a + b) / n;
    let square = products.iter().fold(Array2::zeros(mean.dim()), |a, b| a + (b - &mean).mapv(|v| v * v));
    (mean, square / (n - 1.0))
}

#[test]
fn moments_are_those_of_the_wishart_law() {
    convstat::tensor::blas::single_thread().unwrap();
    let (d, sigma, draws) = (5, 0.7, 20_000u64);
    let full = normals(9, d, "root", 0);
    // Any covariance; one of rank 3.
    for rank in [d, 3] {
        let half = full.slice(ndarray::s![..rank + 2 * usize::from(rank == d), ..]).to_owned();
        let covariance = half.t().dot(&half) / 5.0;
        let root = psd_root(&covariance.view()).unwrap();
        assert_eq!(root.nrows(), rank);
        let w = normals(d, 1, "w", 0);
        // Joint covariance of a row (z, y).
        let zw = covariance.dot(&w);
        let yy = w.t().dot(&zw)[[0, 0]] + sigma * sigma;
        let joint = concatenate![
            Axis(0),
            concatenate![Axis(1), covariance, zw],
            concatenate![Axis(1), zw.t(), Array2::from_elem((1, 1), yy)]
        ];
        for n in [2u64, 5, 40] {
            let (mean, variance) = moments(draws, |r| {
                let key = format!("{rank} {n}");
                let (mut rng, mut noise) = (stream(1, "z", &key, r), stream(1, "y", &key, r));
                draw_compressed(&root, &w, sigma, n, &mut rng, &mut noise)
            });
            let (n, r) = (n as f64, draws as f64);
            for ((i, j), m) in mean.indexed_iter() {
                let expected = n * joint[[i, j]];
                let spread = n * (joint[[i, j]].powi(2) + joint[[i, i]] * joint[[j, j]]);
                // 36 entries in 6 cases: 4.5 standard errors leave a false alarm of 0.0015; the seed is fixed.
                assert!((m - expected).abs() < 4.5 * (spread / r).sqrt(), "mean ({i}, {j}) n = {n}");
                // The variance of a product of Gaussians has a kurtosis of at most 9 + 60/n.
                let its = spread * ((8.0 + 60.0 / n) / r).sqrt();
                assert!((variance[[i, j]] - spread).abs() < 4.5 * its, "variance ({i}, {j}) n = {n}");
            }
        }
    }
}

#[test]
fn compressed_samples_have_the_shape_of_compression() {
    convstat::tensor::blas::single_thread().unwrap();
    let root = normals(6, 6, "root", 0);
    let w = normals(6, 2, "w", 0);
    for n in [1u64, 5, 6, 7, 1_000_000_000_000] {
        let (mut rng, mut noise) = (stream(1, "z", "", n), stream(1, "y", "", n));
        let s = draw_compressed(&root, &w, 1.0, n, &mut rng, &mut noise);
        let rows = 6.min(n as usize);
        assert_eq!((s.z.dim(), s.y.dim(), s.n), ((rows, 6), (rows, 2), n as f64));
        assert!(s.z.iter().chain(&s.y).all(|v| v.is_finite()));
        // 2 (n − 6) squares of noise, within 6 standard errors.
        let left = 2.0 * (n as f64 - rows as f64);
        assert!((s.rss - left).abs() <= 6.0 * (2.0 * left).sqrt(), "n = {n}: {}", s.rss);
        assert_eq!(s.rss == 0.0, n <= 6);
    }
    // The same shapes from data.
    let z = normals(7, 6, "z", 0);
    let y = z.dot(&w);
    let c = compress(6, 2, 7.0, |sink| sink.add(&z.view(), &y.view())).unwrap();
    assert_eq!((c.z.dim(), c.y.dim()), ((6, 6), (6, 2)));
}

#[test]
fn risks_hold_at_any_n() {
    let text = "[study]\nname = \"any\"\nseed = 2\nreplicates = 300\n[theory]\nbounds = false\n[[setting]]\nname = \"S3\"\n\
                input = [8, 8, 3]\nkernel = [3, 3, 3]\npool = [3, 3, 1]\nstructure = { kind = \"cnn\", kernels = 1 }\n\
                [[design]]\nkind = \"normal-exact\"\n[samples]\nn = [10_000, 1_000_000_000, 1_000_000_000_000]\n\
                [[check]]\nkind = \"risk\"\n[[check]]\nkind = \"risk\"\nnorm = \"frobenius\"\n";
    convstat::tensor::blas::single_thread().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let report = study::run(
        &Study::new(text, &Overrides::default()).unwrap(),
        dir.path(),
        study::RunOptions::default(),
    )
    .unwrap();
    assert!(report.checks.len() == 2 && report.checks.iter().all(|c| c.passed), "{:#?}", report.checks);
    let summary = report.summary.unwrap();
    assert!(summary.cells.iter().all(|c| c.not_converged + c.errors + c.optimisation_failures == 0));
    // Only designs that draw data are bounded by what they draw.
    let message =
        Study::new(&text.replace("normal-exact", "normal"), &Overrides::default()).unwrap_err().to_string();
    assert!(message.contains("normal-exact"), "{message}");
}

#[test]
fn the_simulated_sample_size_is_that_of_the_risk() {
    use convstat::study::{Quantity, sample_size};
    use convstat::theory::ErrorNorm;
    // One pooled position: a linear regression, whose risk and quantile are exact.
    let text = "[study]\nname = \"n\"\nseed = 4\nreplicates = 400\n[[setting]]\nname = \"S\"\ninput = [6, 3]\n\
                kernel = [4, 3]\npool = [3, 1]\nstructure = { kind = \"cnn\", kernels = 1 }\n\
                [[design]]\nkind = \"normal-exact\"\n[samples]\nn = [1]\n";
    convstat::tensor::blas::single_thread().unwrap();
    let file = StudyFile::parse(text).unwrap();
    let study = Study::new(text, &Overrides::default()).unwrap();
    let risk = study.plan.settings[0].truth(4, 0).unwrap().into_owned().risk;
    for (norm, target) in [(ErrorNorm::Prediction, 0.3), (ErrorNorm::Frobenius, 1.5)] {
        let mean = risk.n_for_mean(norm, 1.0, target).unwrap();
        // From far away on either side.
        for guess in [3.0, 1e7] {
            let found = sample_size(&file, norm, Quantity::RootMean, target, guess).unwrap();
            let off = (found.n - mean) / found.standard_error;
            assert!(off.abs() < 3.0 && found.standard_error < 0.05 * mean, "{norm:?} {mean} {found:?}");
        }
    }
    let quantile = risk.n_for_quantile(ErrorNorm::Prediction, 1.0, 0.3, 0.9).unwrap().unwrap();
    let found = sample_size(&file, ErrorNorm::Prediction, Quantity::Quantile(0.9), 0.3, quantile).unwrap();
    assert!((found.n - quantile).abs() < 3.0 * found.standard_error, "{quantile} {found:?}");
    let message =
        sample_size(&file, ErrorNorm::Prediction, Quantity::RootMean, -1.0, 10.0).unwrap_err().to_string();
    assert!(message.contains("target = -1"), "{message}");
    assert!(sample_size(&file, ErrorNorm::Frobenius, Quantity::RootMean, 1e9, 10.0).is_err());
}

#[test]
fn the_root_of_singular_inputs_does_not_depend_on_rounding() {
    convstat::tensor::blas::single_thread().unwrap();
    // (input, kernel, pool, pool_stride) of one mode: pools that overlap, or leave windows that depend on each other.
    let modes: [[Vec<usize>; 4]; 6] = [
        [vec![10, 10, 3], vec![5, 5, 3], vec![3, 3, 1], vec![3, 3, 1]],
        [vec![12], vec![6], vec![4], vec![1]],
        [vec![9, 8], vec![2, 3], vec![4, 3], vec![4, 2]],
        [vec![20], vec![3], vec![3], vec![1]],
        [vec![8, 8, 3], vec![3, 3, 3], vec![3, 3, 1], vec![3, 3, 1]],
        [vec![16, 2], vec![9, 2], vec![4, 1], vec![4, 1]],
    ];
    for [input, kernel, pool, pool_stride] in modes {
        let (pool, pool_stride) = (Some(pool), Some(pool_stride));
        let spec = GeometrySpec { input, kernel, pool, pool_stride, ..GeometrySpec::default() };
        let geometry = Geometry::new(&spec).unwrap();
        let sigma = geometry.second_moment().unwrap();
        let root = echelon_root(&sigma.view()).unwrap();
        assert_eq!(root.nrows(), geometry.feature_rank().unwrap(), "{spec:?}");
        let largest = sigma.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        let distance = |a: &Array2<f64>, b: &Array2<f64>| (a - b).iter().fold(0.0f64, |m, v| m.max(v.abs()));
        assert!(distance(&root.t().dot(&root), &sigma) < 1e-13 * largest, "{spec:?}");
        // Another rounding of the same matrix: A sum in another order.
        let shaken = Array2::from_shape_fn(sigma.dim(), |(i, j)| {
            let sign = if (3 * i.min(j) + 5 * i.max(j)) % 7 < 3 { 1.0 } else { -1.0 };
            sigma[[i, j]] * (1.0 + sign * f64::EPSILON)
        });
        let again = echelon_root(&shaken.view()).unwrap();
        assert_eq!(again.dim(), root.dim());
        println!(
            "{:?} rank {} of {}: {:.1e}",
            spec.input,
            root.nrows(),
            root.ncols(),
            distance(&root, &again)
        );
        assert!(distance(&root, &again) < 1e-10 * largest.sqrt(), "{spec:?}");
    }
}
