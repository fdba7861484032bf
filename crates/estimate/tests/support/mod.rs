//! What the tests of estimation share: structures in one line, samples at known truths, problems with known minima, fits.

// Every test uses a part of it.
#![allow(dead_code)]

use convstat_cnn::{Factors, OutputModes, Structure, StructureSpec};
use convstat_estimate::solvers::{Algorithm, LevenbergMarquardt, Ols, Ridge};
use convstat_estimate::{
    Diagnostic, Fit, FitOptions, Fitting, Inference, Method, Rows, Sample, SingleFit, Start, Termination,
};
use convstat_tensor::linalg::{qr, svd};
use ndarray::{Array2, s};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde_json::Value;

/// Standard normals: those that fits with this seed take.
pub fn normals(seed: u64) -> impl FnMut() -> f64 {
    convstat_tensor::blas::single_thread().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    move || StandardNormal.sample(&mut rng)
}

/// A matrix of standard normals.
pub fn matrix(rows: usize, columns: usize, seed: u64) -> Array2<f64> {
    Array2::from_shape_simple_fn((rows, columns), normals(seed))
}

/// A structure over positions and taps of one layer.
pub fn build(text: &str, positions: &[usize], taps: &[usize], outputs: usize) -> Structure {
    build_on(text, &OutputModes { positions: positions.to_vec(), taps: taps.to_vec(), layers: 1, outputs })
}

/// A structure over features that are a tensor of this shape.
pub fn build_plain(text: &str, shape: &[usize], outputs: usize) -> Structure {
    build_on(text, &OutputModes::plain(shape, outputs))
}

/// A structure over these modes.
pub fn build_on(text: &str, modes: &OutputModes) -> Structure {
    convstat_tensor::blas::single_thread().unwrap();
    StructureSpec::parse(text).unwrap().build(modes).unwrap()
}

/// A CNN with one response.
pub fn cnn(kernels: usize, positions: usize, taps: &[usize]) -> Structure {
    build(&format!("{{ kind = \"cnn\", kernels = {kernels} }}"), &[positions], taps, 1)
}

/// All coefficients free, of features without shape.
pub fn dense(features: usize) -> Structure {
    build_plain("{ kind = \"dense\" }", &[features], 1)
}

/// Standard normal rows at a random truth, with noise of standard deviation `sigma`; the truth.
pub fn draw(structure: &Structure, n: usize, sigma: f64, seed: u64) -> (Sample, Factors) {
    let mut normal = normals(seed);
    let truth = structure.random_point(&mut normal);
    let w = structure.coefficient_matrix(&truth).unwrap();
    let z = Array2::from_shape_simple_fn((n, structure.features()), &mut normal);
    let noise = Array2::from_shape_simple_fn((n, structure.outputs()), &mut normal) * sigma;
    let y = z.dot(&w) + noise;
    (Sample::new(z, y).unwrap(), truth)
}

/// Levenberg–Marquardt from the spectral start and so many random ones.
pub fn spectral(random: usize) -> Method {
    LevenbergMarquardt::from_starts(Start::spectral_and_random(random)).into()
}

/// Levenberg–Marquardt from these starts.
pub fn newton(starts: &[Start]) -> Method {
    LevenbergMarquardt::from_starts(starts.to_vec()).into()
}

pub fn ols() -> Method {
    Ols {}.into()
}

pub fn ridge(lambda: f64) -> Method {
    Ridge { lambda }.into()
}

/// A solver with its options as a study file says them.
pub fn read(options: Value) -> Method {
    serde_json::from_value(options).unwrap()
}

/// The iterative solvers, with these options as well.
pub fn iterative(options: Value) -> Vec<Method> {
    let is_iterative = |m: &Method| matches!(m.solver().algorithm(), Algorithm::Iterative(_));
    let with_options = |m: Method| {
        let mut options = options.clone();
        options["solver"] = m.name().into();
        read(options)
    };
    Method::all().into_iter().filter(is_iterative).map(with_options).collect()
}

/// The fit by a method and nothing more.
pub fn fit(structure: &Structure, rows: &dyn Rows, method: &Method, seed: u64) -> Fit {
    let options = FitOptions { seed, ..FitOptions::bare(method.clone()) };
    Fitting::new(structure, &options).fit(rows).unwrap().fit
}

/// The same with the true factors.
pub fn fit_with(structure: &Structure, rows: &dyn Rows, method: &Method, truth: &Factors, seed: u64) -> Fit {
    let options = FitOptions { seed, ..FitOptions::bare(method.clone()) };
    Fitting::new(structure, &options).truth(Some(truth)).fit(rows).unwrap().fit
}

/// The fit to the last digits.
pub fn refined(structure: &Structure, rows: &dyn Rows, method: &Method, seed: u64) -> Fit {
    let options = FitOptions { seed, refine: true, ..FitOptions::bare(method.clone()) };
    Fitting::new(structure, &options).fit(rows).unwrap().fit
}

/// Why rows cannot be fitted.
pub fn refused(structure: &Structure, rows: &dyn Rows, method: &Method) -> String {
    Fitting::new(structure, &FitOptions::bare(method.clone())).fit(rows).unwrap_err().to_string()
}

/// Dimension, residual variance and standard errors at a fit.
pub fn inference(structure: &Structure, rows: &dyn Rows, method: &Method, fit: &Fit) -> Inference {
    let options = FitOptions::bare(method.clone());
    Fitting::new(structure, &options).inference(rows, fit).unwrap().unwrap()
}

/// What keeps a fit from being trusted.
pub fn diagnose(structure: &Structure, rows: &dyn Rows, method: &Method, fit: &Fit) -> Vec<Diagnostic> {
    Fitting::new(structure, &FitOptions::bare(method.clone())).diagnose(rows, fit).unwrap()
}

/// Coefficients found elsewhere as a fit without factors.
pub fn found_elsewhere(sample: &Sample, w: Array2<f64>) -> Fit {
    let objective = sample.objective(&w.view());
    let best = SingleFit { start: None, objective, iterations: 1, termination: Termination::Direct };
    Fit { factors: Factors::new(), w, all: vec![best.clone()], best, oracle_gap: None }
}

/// A problem whose least objective is known.
pub struct Known {
    pub name: &'static str,
    pub structure: Structure,
    pub sample: Sample,
    /// Over the structure.
    pub least: f64,
    /// Over all coefficients.
    pub free: f64,
}

/// Problems of more rows than features. Their responses are `Q t + e`, Q with orthonormal columns and e beside them, so that
/// the objective of fitted values `Q u` is `‖t − u‖² + ‖e‖²`.
pub fn known_problems() -> Vec<Known> {
    let (n, noise) = (90, 0.3);
    let problem = |name, structure: Structure, design: &Array2<f64>, t: Array2<f64>, tail: f64| {
        let d = t.len();
        let (q, _) = qr(&matrix(n, d, 50).view()).unwrap();
        let e = matrix(n, 1, 51) * noise;
        let e = &e - &q.dot(&q.t().dot(&e));
        let free = e.iter().map(|v| v * v).sum::<f64>();
        let sample = Sample::new(q.dot(design), q.dot(&t) + e).unwrap();
        Known { name, structure, sample, least: tail + free, free }
    };
    let tail = |t: &Array2<f64>, rank: usize| {
        let (_, values, _) = svd(&t.view()).unwrap();
        values.slice(s![rank..]).iter().map(|v| v * v).sum::<f64>()
    };
    let column = |t: &Array2<f64>| t.to_shape((t.len(), 1)).unwrap().into_owned();

    // With Z = Q the fit is the truncated singular value decomposition.
    let t = matrix(6, 9, 52);
    let truncated = problem("truncated SVD", cnn(3, 6, &[9]), &Array2::eye(54), column(&t), tail(&t, 3));

    // Orthonormal components of a tensor are the singular vectors of each unfolding, which bounds the rank.
    let [a, b, c] =
        [(3, 53), (4, 54), (5, 55)].map(|(size, seed)| qr(&matrix(size, 3, seed).view()).unwrap().0);
    let values = [3.0, 2.0, 0.8];
    let t = Array2::from_shape_fn((60, 1), |(i, _)| {
        (0..3).map(|r| values[r] * a[[i / 20, r]] * b[[i / 5 % 4, r]] * c[[i % 5, r]]).sum()
    });
    let text = "{ einsum = \"ar,br,cr->abc\", sizes = { r = 2 } }";
    let cp = problem("CP", build_plain(text, &[3, 4, 5], 1), &Array2::eye(60), t, values[2].powi(2));

    // With Z = Q (A ⊗ B) the fitted values are Q vec(A W Bᵀ), and rank 1 is that of A W Bᵀ.
    let near_identity = |size: usize, seed: u64| Array2::<f64>::eye(size) + matrix(size, size, seed) * 0.2;
    let (a, b) = (near_identity(5, 56), near_identity(7, 57));
    let kronecker = Array2::from_shape_fn((35, 35), |(i, j)| a[[i / 7, j / 7]] * b[[i % 7, j % 7]]);
    let t = matrix(5, 1, 58).dot(&matrix(1, 7, 59)) + matrix(5, 7, 60) * 0.3;
    let text = "{ einsum = \"ar,br->ab\", sizes = { r = 1 } }";
    let regression = problem("rank 1", build_plain(text, &[5, 7], 1), &kronecker, column(&t), tail(&t, 1));
    vec![truncated, cp, regression]
}
