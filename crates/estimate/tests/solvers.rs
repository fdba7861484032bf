//! Solvers against closed forms and each other; compression against raw rows.

#![cfg(test)]

use convstat_cnn::{OutputModes, Structure, StructureSpec};
use convstat_estimate::{FitOptions, Inference, Sample, SolverKind, Start, fit};
use convstat_tensor::linalg::{lstsq, svd};
use ndarray::{Array2, s};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

fn normals(seed: u64) -> impl FnMut() -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    move || StandardNormal.sample(&mut rng)
}

fn build(text: &str, positions: &[usize], taps: &[usize], outputs: usize) -> Structure {
    let modes = OutputModes { positions: positions.to_vec(), taps: taps.to_vec(), layers: 1, outputs };
    StructureSpec::parse(text).unwrap().build(&modes).unwrap()
}

fn draw(structure: &Structure, n: usize, sigma: f64, seed: u64) -> (Sample, Vec<ndarray::ArrayD<f64>>) {
    let mut normal = normals(seed);
    let truth = structure.random_point(&mut normal);
    let w = structure.coefficient_matrix(&truth).unwrap();
    let z = Array2::from_shape_simple_fn((n, structure.features()), &mut normal);
    let noise = Array2::from_shape_simple_fn((n, structure.outputs()), &mut normal) * sigma;
    let y = z.dot(&w) + noise;
    (Sample::new(z, y).unwrap(), truth)
}

#[test]
fn identity_design_is_the_truncated_svd() {
    convstat_tensor::blas::single_thread().unwrap();
    let structure = build("{ kind = \"cnn\", kernels = 3 }", &[6], &[9], 1);
    let mut normal = normals(5);
    let target = Array2::from_shape_simple_fn((54, 1), &mut normal);
    let sample = Sample::new(Array2::eye(54), target.clone()).unwrap();
    let (_, sv, _) = svd(&target.to_shape((6, 9)).unwrap().view()).unwrap();
    let best: f64 = sv.slice(s![3..]).iter().map(|v| v * v).sum();
    for solver in [
        SolverKind::LevenbergMarquardt,
        SolverKind::Als,
        SolverKind::ScaledGradient,
        SolverKind::ProjectedGradient,
        SolverKind::RiemannianGaussNewton,
    ] {
        let options = FitOptions { solver, ..FitOptions::default() };
        let fit = fit(&structure, &sample, &options, None, normals(1)).unwrap();
        assert!((fit.best.objective / best - 1.0).abs() < 1e-8, "{solver:?} {} {best}", fit.best.objective);
    }
}

#[test]
fn compressed_and_raw_samples_have_one_objective() {
    convstat_tensor::blas::single_thread().unwrap();
    let mut normal = normals(8);
    for (n, d, m) in [(5, 8, 1), (9, 8, 2), (12, 8, 1), (200, 8, 3), (1500, 8, 1)] {
        let mut z = Array2::from_shape_simple_fn((n, d), &mut normal);
        for dependent in [false, true] {
            if dependent {
                let copy = z.column(0).to_owned();
                z.column_mut(1).assign(&copy);
            }
            let y = Array2::from_shape_simple_fn((n, m), &mut normal);
            let raw = Sample::new(z.clone(), y).unwrap();
            let small = raw.compressed().unwrap();
            assert!(small.z.nrows() <= d && small.n == n as f64);
            for _ in 0..3 {
                let w = Array2::from_shape_simple_fn((d, m), &mut normal);
                let (a, b) = (raw.objective(&w.view()), small.objective(&w.view()));
                assert!((a / b - 1.0).abs() < 1e-10, "n {n} m {m} dependent {dependent}: {a} {b}");
            }
        }
    }
}

#[test]
fn solvers_agree_and_truth_is_recovered_without_noise() {
    convstat_tensor::blas::single_thread().unwrap();
    let cases = [
        build("{ kind = \"cnn\", kernels = 2 }", &[4], &[3, 3], 1),
        build("{ kind = \"cnn\", kernels = 2 }", &[4], &[3, 3], 2),
        build(
            "{ einsum = \"pk,kr,rxy,ax,by->pab\", sizes = { k = 4, r = 2, x = 2, y = 2 } }",
            &[4],
            &[4, 4],
            1,
        ),
        build("{ einsum = \"pr,ar,br->pab\", sizes = { r = 2 } }", &[4], &[4, 4], 1),
    ];
    for structure in &cases {
        let (sample, truth) = draw(structure, 300, 1.0, 3);
        let starts = vec![Start::Spectral, Start::Random, Start::Random, Start::Oracle];
        let lm = FitOptions { starts: starts.clone(), ..FitOptions::default() };
        let als = FitOptions {
            solver: SolverKind::Als,
            starts,
            max_iterations: 20000,
            tolerance: 1e-13,
            ..FitOptions::default()
        };
        let a = fit(structure, &sample, &lm, Some(&truth), normals(4)).unwrap();
        let b = fit(structure, &sample.compressed().unwrap(), &als, Some(&truth), normals(4)).unwrap();
        assert!((a.best.objective / b.best.objective - 1.0).abs() < 1e-9, "{}", structure.name());
        assert!((&a.w - &b.w).iter().all(|d| d.abs() < 1e-4), "{}", structure.name());
        assert!(a.best.termination.is_success() && !a.is_optimisation_failure(300.0));

        let (exact, truth) = draw(structure, 300, 0.0, 9);
        let options = FitOptions { starts: vec![Start::Spectral], ..FitOptions::default() };
        let c = fit(structure, &exact, &options, None, normals(4)).unwrap();
        let w = structure.coefficient_matrix(&truth).unwrap();
        assert!((&c.w - &w).iter().all(|d| d.abs() < 1e-6), "{} {:?}", structure.name(), c.best);
    }
}

#[test]
fn ols_and_ridge_are_their_closed_forms() {
    let structure = build("{ kind = \"dense\" }", &[2], &[3], 2);
    let (sample, _) = draw(&structure, 40, 1.0, 2);
    let ols = FitOptions { solver: SolverKind::Ols, ..FitOptions::default() };
    let ridge = FitOptions { solver: SolverKind::Ridge, lambda: 3.0, ..FitOptions::default() };
    let direct = lstsq(&sample.z.view(), &sample.y.view()).unwrap();
    let w = fit(&structure, &sample, &ols, None, normals(1)).unwrap().w;
    assert!((&w - &direct).iter().all(|d| d.abs() < 1e-12));
    // (ZᵀZ + λI) w = Zᵀy
    let w = fit(&structure, &sample.compressed().unwrap(), &ridge, None, normals(1)).unwrap().w;
    let left = sample.z.t().dot(&sample.z.dot(&w)) + &w * 3.0;
    assert!((left - sample.z.t().dot(&sample.y)).iter().all(|d| d.abs() < 1e-10));
    // The dense structure fitted iteratively is OLS.
    let exact = FitOptions { tolerance: 1e-18, ..FitOptions::default() };
    let lm = fit(&structure, &sample, &exact, None, normals(1)).unwrap();
    assert!((lm.w - direct).iter().all(|d| d.abs() < 1e-8));
}

#[test]
fn standard_errors_of_ols_are_the_textbook_ones() {
    let structure = build("{ kind = \"dense\" }", &[1], &[4], 1);
    let (sample, _) = draw(&structure, 30, 2.0, 6);
    let fit = fit(&structure, &sample, &FitOptions::default(), None, normals(1)).unwrap();
    let inference = Inference::new(&structure, &sample, &fit.factors).unwrap();
    let gram = sample.z.t().dot(&sample.z);
    let inverse = lstsq(&gram.view(), &Array2::eye(4).view()).unwrap();
    let variance = fit.best.objective / 26.0;
    assert!((inference.variance / variance - 1.0).abs() < 1e-9 && inference.df == 4.0);
    for (se, v) in inference.coefficient_se().iter().zip(inverse.diag()) {
        assert!((se / (variance * v).sqrt() - 1.0).abs() < 1e-8);
    }
    let hat = sample.z.dot(&inverse).dot(&sample.z.t());
    for (se, h) in inference.fitted_se(&sample.z.view()).iter().zip(hat.diag()) {
        assert!((se / (variance * h).sqrt() - 1.0).abs() < 1e-8);
    }
}

#[test]
fn bad_samples_and_options_are_errors() {
    let structure = build("{ kind = \"cnn\", kernels = 1 }", &[2], &[3], 1);
    let z = || Array2::<f64>::ones((4, 6));
    let y = || Array2::<f64>::ones((4, 1));
    assert!(
        Sample::new(Array2::ones((0, 6)), Array2::ones((0, 1))).unwrap_err().to_string().contains("no rows")
    );
    assert!(
        Sample::new(z(), Array2::ones((5, 1))).unwrap_err().to_string().contains("X has 4 rows but y has 5")
    );
    let mut bad = z();
    bad[[1, 2]] = f64::NAN;
    assert!(Sample::new(bad, y()).unwrap_err().to_string().contains("NaN) at flat index 8"));
    let mut bad = y();
    bad[[3, 0]] = f64::INFINITY;
    assert!(
        Sample::new(z(), bad).unwrap_err().to_string().contains("y has a value that is not finite (inf)")
    );
    let sample = Sample::new(Array2::ones((4, 7)), y()).unwrap();
    let message = fit(&structure, &sample, &FitOptions::default(), None, || 0.0).unwrap_err().to_string();
    assert!(message.contains("7 features") && message.contains('6'), "{message}");
    let sample = Sample::new(z(), y()).unwrap();
    let oracle = FitOptions { starts: vec![Start::Oracle], ..FitOptions::default() };
    assert!(fit(&structure, &sample, &oracle, None, || 0.0).unwrap_err().to_string().contains("oracle"));
    let none = FitOptions { starts: vec![], ..FitOptions::default() };
    assert!(fit(&structure, &sample, &none, None, || 0.0).is_err());
}

#[test]
fn many_rows_in_blocks_are_the_compressed_problem() {
    convstat_tensor::blas::single_thread().unwrap();
    let structure = build("{ kind = \"cnn\", kernels = 2, outputs = 2 }", &[4], &[6], 2);
    // A last block of one row, and more blocks than are worked on at a time.
    let (sample, _) = draw(&structure, 60_001, 1.0, 3);
    let run = |sample: &Sample, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let options = FitOptions { starts: vec![Start::Spectral], ..FitOptions::default() };
        pool.install(|| fit(&structure, sample, &options, None, normals(1)).unwrap())
    };
    let small = run(&sample.compressed().unwrap(), 1);
    let (one, two) = (run(&sample, 1), run(&sample, 2));
    assert!((one.best.objective / small.best.objective - 1.0).abs() < 1e-12);
    assert!((&one.w - &small.w).iter().all(|d| d.abs() < 1e-6));
    assert_eq!(one.w, two.w);
}

#[test]
fn a_fit_does_not_depend_on_units() {
    convstat_tensor::blas::single_thread().unwrap();
    let structure = build("{ einsum = \"ar,br,cr->abc\", sizes = { r = 2 } }", &[4], &[3, 5], 1);
    let (sample, _) = draw(&structure, 120, 1.0, 6);
    let options = FitOptions { starts: vec![Start::Random; 3], ..FitOptions::default() };
    let objective = |scale: f64| {
        let scaled = Sample::new(sample.z.clone(), &sample.y * scale).unwrap();
        fit(&structure, &scaled, &options, None, normals(2)).unwrap().best.objective / (scale * scale)
    };
    for scale in [1e-8, 1e8] {
        assert!((objective(scale) / objective(1.0) - 1.0).abs() < 1e-7, "{scale}");
    }
}
