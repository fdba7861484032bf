//! Solvers against closed forms and each other; compression against raw rows.

#![cfg(test)]

use std::ops::Range;

use convstat_estimate::solvers::Algorithm;
use convstat_estimate::{Fit, Method, RowMemory, Rows, Sample, Start, Termination};
use convstat_tensor::linalg::{lstsq, svd};
use ndarray::{Array2, s};
use serde_json::json;

mod support;
use support::{
    Known, build, cnn, draw, fit, fit_with, inference, iterative, known_problems, newton, normals, ols, read,
    refused, ridge, spectral,
};

#[test]
fn identity_design_is_the_truncated_svd() {
    let structure = cnn(3, 6, &[9]);
    let mut normal = normals(5);
    let target = Array2::from_shape_simple_fn((54, 1), &mut normal);
    let sample = Sample::new(Array2::eye(54), target.clone()).unwrap();
    let (_, sv, _) = svd(&target.to_shape((6, 9)).unwrap().view()).unwrap();
    let best: f64 = sv.slice(s![3..]).iter().map(|v| v * v).sum();
    for method in iterative(json!({})) {
        let found = fit(&structure, &sample, &method, 1).best.objective;
        assert!((found / best - 1.0).abs() < 1e-8, "{} {found} {best}", method.name());
    }
}

#[test]
fn every_solver_is_at_its_known_minimum() {
    let free_of_structure = |problem: &Known, found: &Fit, method: &Method| {
        let Known { sample, structure, .. } = problem;
        let dual = sample.z.t().dot(&(&sample.y - &sample.z.dot(&found.w)));
        match method {
            Method::Ols(_) => found.best.objective - problem.free,
            Method::Ridge(ridge) => {
                // The least of ‖y − ZW‖² + λ‖W‖² is ‖y‖² − yᵀZ(ZᵀZ + λI)⁻¹Zᵀy.
                let matrix =
                    sample.z.t().dot(&sample.z) + Array2::<f64>::eye(sample.features()) * ridge.lambda;
                let side = sample.z.t().dot(&sample.y);
                let explained = (&side * &lstsq(&matrix.view(), &side.view()).unwrap()).sum();
                let size = |a: &Array2<f64>| a.iter().map(|v| v * v).sum::<f64>();
                found.best.objective + ridge.lambda * size(&found.w) - (size(&sample.y) - explained)
            }
            Method::NuclearNorm(_) => {
                // At the minimum <Zᵀ(y − ZW), W> is the product of the dual norms; elsewhere it is less.
                let unfolding = structure.unfolding().unwrap().unwrap();
                let values = |a: &Array2<f64>| {
                    let flat: Vec<f64> = a.iter().copied().collect();
                    svd(&unfolding.matrix(&flat).view()).unwrap().1
                };
                let (nuclear, operator) = (values(&found.w).sum(), values(&dual)[0]);
                assert!(nuclear > 0.0 && operator > 0.0);
                nuclear * operator - (&found.w * &dual).sum()
            }
            other => panic!("no known minimum for {}", other.name()),
        }
    };
    for problem in known_problems() {
        let Known { name, structure, sample, least, .. } = &problem;
        for method in Method::all() {
            let solver = method.name();
            if matches!(method.solver().algorithm(), Algorithm::Training) {
                let message = refused(structure, sample, &method);
                assert!(message.contains("trains networks with an activation"), "{message}");
                continue;
            }
            for rows in [sample, &sample.compressed().unwrap()] {
                let found = fit(structure, rows, &method, 1);
                // A solver that starts at the minimum may be unable to show that it is one.
                assert_ne!(found.best.termination, Termination::MaxIterations, "{name} {solver}");
                let own = sample.objective(&found.w.view());
                assert!((found.best.objective / own - 1.0).abs() < 1e-12, "{name} {solver}: of another W");
                let excess = if method.is_structured() {
                    found.best.objective - least
                } else {
                    free_of_structure(&problem, &found, &method)
                };
                assert!(excess.abs() < 1e-7 * least, "{name} {solver}: {excess:e} above {least}");
            }
        }
    }
}

#[test]
fn compressed_and_raw_samples_have_one_objective() {
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
        let starts = [Start::Spectral, Start::Random, Start::Random, Start::Oracle];
        let als = read(json!({ "solver": "als", "max_iterations": 20000, "tolerance": 1e-13 }));
        let als = als.with_starts(starts.to_vec());
        let a = fit_with(structure, &sample, &newton(&starts), &truth, 4);
        let b = fit_with(structure, &sample.compressed().unwrap(), &als, &truth, 4);
        assert!((a.best.objective / b.best.objective - 1.0).abs() < 1e-9, "{}", structure.name());
        assert!((&a.w - &b.w).iter().all(|d| d.abs() < 1e-4), "{}", structure.name());
        assert!(a.best.termination.is_success() && !a.is_optimisation_failure(300.0));

        let (exact, truth) = draw(structure, 300, 0.0, 9);
        let c = fit(structure, &exact, &spectral(0), 4);
        let w = structure.coefficient_matrix(&truth).unwrap();
        assert!((&c.w - &w).iter().all(|d| d.abs() < 1e-6), "{} {:?}", structure.name(), c.best);
    }
}

#[test]
fn ols_and_ridge_are_their_closed_forms() {
    let structure = build("{ kind = \"dense\" }", &[2], &[3], 2);
    let (sample, _) = draw(&structure, 40, 1.0, 2);
    let direct = lstsq(&sample.z.view(), &sample.y.view()).unwrap();
    let w = fit(&structure, &sample, &ols(), 1).w;
    assert!((&w - &direct).iter().all(|d| d.abs() < 1e-12));
    // (ZᵀZ + λI) w = Zᵀy
    let w = fit(&structure, &sample.compressed().unwrap(), &ridge(3.0), 1).w;
    let left = sample.z.t().dot(&sample.z.dot(&w)) + &w * 3.0;
    assert!((left - sample.z.t().dot(&sample.y)).iter().all(|d| d.abs() < 1e-10));
    // The dense structure fitted iteratively is OLS.
    let exact = read(json!({ "solver": "levenberg-marquardt", "tolerance": 1e-18 }));
    let lm = fit(&structure, &sample, &exact, 1);
    assert!((lm.w - direct).iter().all(|d| d.abs() < 1e-8));
}

#[test]
fn standard_errors_of_ols_are_the_textbook_ones() {
    let structure = build("{ kind = \"dense\" }", &[1], &[4], 1);
    let (sample, _) = draw(&structure, 30, 2.0, 6);
    let fit = fit(&structure, &sample, &Method::default(), 1);
    let inference = inference(&structure, &sample, &Method::default(), &fit);
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
    let message = refused(&structure, &sample, &Method::default());
    assert!(message.contains("7 features") && message.contains('6'), "{message}");
    let sample = Sample::new(z(), y()).unwrap();
    assert!(refused(&structure, &sample, &newton(&[Start::Oracle])).contains("oracle"));
    assert!(refused(&structure, &sample, &newton(&[])).contains("at least one"));
}

/// Rows that are fitted as they are: a sample in memory would be compressed.
struct InBlocks(Sample);

impl Rows for InBlocks {
    fn rows(&self) -> usize {
        Rows::rows(&self.0)
    }
    fn features(&self) -> usize {
        self.0.features()
    }
    fn outputs(&self) -> usize {
        self.0.outputs()
    }
    fn observations(&self) -> f64 {
        self.0.observations()
    }
    fn rss(&self) -> f64 {
        Rows::rss(&self.0)
    }
    fn sum_of_squares(&self) -> f64 {
        self.0.sum_of_squares()
    }
    fn block<'a>(&'a self, rows: Range<usize>, memory: &'a mut RowMemory) -> (&'a [f64], &'a [f64]) {
        self.0.block(rows, memory)
    }
    fn in_memory(&self) -> Option<&Sample> {
        None
    }
}

#[test]
fn many_rows_in_blocks_are_the_compressed_problem() {
    let structure = build("{ kind = \"cnn\", kernels = 2, outputs = 2 }", &[4], &[6], 2);
    // A last block of one row, and more blocks than are worked on at a time.
    let (sample, _) = draw(&structure, 60_001, 1.0, 3);
    let run = |rows: &dyn Rows, threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fit(&structure, rows, &spectral(0), 1))
    };
    let small = run(&sample.compressed().unwrap(), 1);
    let blocks = InBlocks(sample);
    let (one, two) = (run(&blocks, 1), run(&blocks, 2));
    assert!((one.best.objective / small.best.objective - 1.0).abs() < 1e-12);
    assert!((&one.w - &small.w).iter().all(|d| d.abs() < 1e-6));
    assert_eq!(one.w, two.w);
}

#[test]
fn a_fit_does_not_depend_on_units() {
    let structure = build("{ einsum = \"ar,br,cr->abc\", sizes = { r = 2 } }", &[4], &[3, 5], 1);
    let (sample, _) = draw(&structure, 120, 1.0, 6);
    let objective = |scale: f64| {
        let scaled = Sample::new(sample.z.clone(), &sample.y * scale).unwrap();
        fit(&structure, &scaled, &newton(&[Start::Random; 3]), 2).best.objective / (scale * scale)
    };
    for scale in [1e-8, 1e8] {
        assert!((objective(scale) / objective(1.0) - 1.0).abs() < 1e-7, "{scale}");
    }
}
