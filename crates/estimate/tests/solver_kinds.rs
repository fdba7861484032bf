//! Every solver of a structure ends at the same optimum; the nuclear norm against its optimality conditions and a closed form.

#![cfg(test)]

use convstat_cnn::{Geometry, GeometrySpec, OutputModes, Structure};
use convstat_estimate::{Rows, Sample, WindowedSample};
use convstat_tensor::linalg::{qr, svd};
use ndarray::{Array2, s};
use serde_json::json;

mod support;
use support::{build_on, fit, iterative, normals, read, refused};

fn build(text: &str, positions: &[usize], taps: &[usize], layers: usize, outputs: usize) -> Structure {
    build_on(text, &OutputModes { positions: positions.to_vec(), taps: taps.to_vec(), layers, outputs })
}

fn draw(structure: &Structure, n: usize, sigma: f64, seed: u64) -> Sample {
    support::draw(structure, n, sigma, seed).0
}

#[test]
fn without_responses_or_features_every_solver_is_at_an_optimum() {
    let structure = build("{ einsum = \"ar,br->ab\", sizes = { r = 2 } }", &[4], &[4], 1, 1);
    let sample = draw(&structure, 50, 1.0, 1);
    let no_responses = Sample::new(sample.z.clone(), Array2::zeros(sample.y.dim())).unwrap();
    let no_features = Sample::new(Array2::zeros(sample.z.dim()), sample.y).unwrap();
    for method in iterative(json!({})) {
        for sample in [&no_responses, &no_features] {
            let end = fit(&structure, sample, &method, 1).best;
            assert!(end.termination.is_success(), "{method:?} {end:?}");
        }
    }
}

#[test]
fn all_solvers_reach_one_optimum() {
    let cases = [
        build("{ kind = \"dense\" }", &[2], &[3, 3], 1, 1),
        build("{ kind = \"cnn\", kernels = 1 }", &[4], &[3, 3], 1, 1),
        build("{ kind = \"cnn\", kernels = 3 }", &[4], &[3, 3], 1, 1),
        build("{ kind = \"cnn\", kernels = 2, outputs = 2 }", &[4], &[3, 3], 1, 2),
        // K = 4 above R = 2: directions that change nothing.
        build("{ kind = \"tucker\", ranks = [2, 2, 2], r = 2, kernels = 4 }", &[2, 2], &[3, 3, 3], 1, 1),
        build("{ kind = \"cp\", rank = 2, kernels = 2 }", &[2, 2], &[3, 3, 2], 1, 1),
        build("{ kind = \"tensor-train\", ranks = [2, 2, 2], kernels = 2 }", &[4], &[3, 3, 2], 1, 1),
        build("{ kind = \"deep\", kernels = [2, 2] }", &[4], &[3, 3, 2, 2], 2, 1),
        // An output label in two factors: the blocks of the preconditioner differ.
        build("{ einsum = \"pc,ca,cb->pcab\" }", &[3], &[4, 3, 3], 1, 1),
    ];
    for structure in &cases {
        let sample = draw(structure, 12 * structure.naive_parameters(), 1.0, 3).compressed().unwrap();
        let mut first = None;
        for method in iterative(json!({ "starts": ["spectral"], "max_iterations": 2000 })) {
            let fit = fit(structure, &sample, &method, 1);
            let best = *first.get_or_insert(fit.best.objective);
            assert!(
                (fit.best.objective / best - 1.0).abs() < 1e-6 && fit.best.termination.is_success(),
                "{} {}: {} after {} iterations, {:?}; levenberg-marquardt {best}",
                structure.name(),
                method.name(),
                fit.best.objective,
                fit.best.iterations,
                fit.best.termination
            );
        }
    }
}

/// The matrix positions × taps of W for one response, and `Zᵀ(y − ZŴ)` in it.
fn slope(sample: &Sample, w: &Array2<f64>, shape: (usize, usize)) -> (Array2<f64>, Array2<f64>) {
    let dual = sample.z.t().dot(&(&sample.y - &sample.z.dot(w)));
    let matrix = |a: &Array2<f64>| Array2::from_shape_vec(shape, a.iter().copied().collect()).unwrap();
    (matrix(w), matrix(&dual))
}

#[test]
fn the_nuclear_norm_fit_meets_its_optimality_conditions() {
    let structure = build("{ kind = \"cnn\", kernels = 2 }", &[6], &[3, 3], 1, 1);
    // n above and below D = 54: the noise level from least squares, and from the fit itself.
    for (n, lambda) in [(300, 1.0), (300, 0.3), (40, 1.0)] {
        let sample = draw(&structure, n, 1.0, 7);
        let method = read(json!({ "solver": "nuclear-norm", "lambda": lambda, "tolerance": 1e-12 }));
        let raw = fit(&structure, &sample, &method, 1);
        let small = fit(&structure, &sample.compressed().unwrap(), &method, 1);
        assert!(raw.best.termination.is_success(), "{:?}", raw.best);
        assert!((&raw.w - &small.w).iter().all(|d| d.abs() < 1e-5), "raw and compressed rows differ");
        let (matrix, dual) = slope(&sample, &raw.w, (6, 9));
        let (u, sv, vt) = svd(&matrix.view()).unwrap();
        let rank = sv.iter().filter(|&&v| v > 1e-9 * sv[0]).count();
        println!("n {n} λ {lambda}: rank {rank}, {} iterations", raw.best.iterations);
        assert!((1..6).contains(&rank), "{sv}");
        // On the singular vectors of Ŵ the slope is μ U Vᵀ; its operator norm is μ.
        let (u, vt) = (u.slice(s![.., ..rank]), vt.slice(s![..rank, ..]));
        let on = u.t().dot(&dual).dot(&vt.t());
        let mu = on.diag().sum() / rank as f64;
        assert!((&on - &(Array2::<f64>::eye(rank) * mu)).iter().all(|d| d.abs() < 1e-6 * mu), "{on}");
        let off = (u.t().dot(&dual) - vt.to_owned() * mu).iter().fold(0.0f64, |m, v| m.max(v.abs()));
        assert!(off < 1e-6 * mu, "{off} beside {mu}");
        let operator = svd(&dual.view()).unwrap().1[0];
        assert!(operator <= mu * (1.0 + 1e-6), "{operator} {mu}");
    }
}

#[test]
fn the_nuclear_norm_fit_of_an_orthogonal_design_shrinks_singular_values() {
    let structure = build("{ kind = \"cnn\", kernels = 1 }", &[4], &[5], 1, 1);
    let mut normal = normals(11);
    // ZᵀZ = 9 I.
    let (q, _) = qr(&Array2::from_shape_simple_fn((60, 20), &mut normal).view()).unwrap();
    let z = q * 3.0;
    let y = Array2::from_shape_simple_fn((60, 1), &mut normal) * 2.0;
    let sample = Sample::new(z.clone(), y.clone()).unwrap();
    let method = read(json!({ "solver": "nuclear-norm", "lambda": 0.6, "tolerance": 1e-13 }));
    let fit = fit(&structure, &sample, &method, 1);
    // The penalty from the slope at the fit; the closed form from least squares, Zᵀy / 9.
    let (_, dual) = slope(&sample, &fit.w, (4, 5));
    let mu = svd(&dual.view()).unwrap().1[0];
    let ols = Array2::from_shape_vec((4, 5), (z.t().dot(&y) / 9.0).iter().copied().collect()).unwrap();
    let (u, sv, vt) = svd(&ols.view()).unwrap();
    let shrunk = u.dot(&Array2::from_diag(&sv.mapv(|v| (v - mu / 9.0).max(0.0)))).dot(&vt);
    assert!(sv[0] > mu / 9.0 && sv[3] < mu / 9.0, "{sv} {mu}");
    assert!(fit.w.iter().zip(&shrunk).all(|(a, b)| (a - b).abs() < 1e-8), "{} {shrunk}", fit.w);
    // μ = λ σ̂ E‖mat(Zᵀg)‖_op, here three times the norm of a 4 × 5 standard normal matrix: by draws of its own. The norm
    // has standard deviation sd, and the fit's mean is of 32 draws.
    let norms: Vec<f64> = (0..4000)
        .map(|_| svd(&Array2::from_shape_simple_fn((4, 5), &mut normal).view()).unwrap().1[0])
        .collect();
    let mean = norms.iter().sum::<f64>() / 4000.0;
    let sd = (norms.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 3999.0).sqrt();
    let left = sample.objective(&(z.t().dot(&y) / 9.0).view());
    let norm = mu / (0.6 * (left / 40.0).sqrt() * 3.0);
    assert!((norm - mean).abs() < 4.0 * sd / 32f64.sqrt(), "{norm} {mean} {sd}");
}

#[test]
fn what_a_solver_cannot_do_is_said() {
    let shared =
        build("{ einsum = \"ar,br->ab\", shared = [[0, 1]], sizes = { r = 2 } }", &[], &[4, 4], 1, 1);
    let sample = draw(&shared, 60, 0.5, 4);
    let method = |solver| read(json!({ "solver": solver }));
    for solver in ["projected-gradient", "riemannian-gauss-newton"] {
        let message = refused(&shared, &sample, &method(solver));
        assert!(message.contains("more than once") && message.contains(solver), "{message}");
    }
    let gradient = fit(&shared, &sample, &method("scaled-gradient"), 1).best.objective;
    let newton = fit(&shared, &sample, &method("levenberg-marquardt"), 1).best.objective;
    assert!((gradient / newton - 1.0).abs() < 1e-6, "{gradient} {newton}");
    let dense = build("{ kind = \"dense\" }", &[2], &[3], 1, 1);
    let message = refused(&dense, &draw(&dense, 20, 1.0, 1), &method("nuclear-norm"));
    assert!(message.contains("use ridge"), "{message}");
}

#[test]
fn features_made_block_by_block_give_the_same_fit() {
    let spec = GeometrySpec {
        input: vec![6, 5],
        kernel: vec![3, 5],
        pool: Some(vec![2, 1]),
        ..GeometrySpec::default()
    };
    let geometry = Geometry::new(&spec).unwrap();
    let structure = build_on("{ kind = \"cnn\", kernels = 1 }", &geometry.output_modes(1));
    let (windows, mut normal) = (geometry.windows(), normals(6));
    // A last, shorter block.
    let x = Array2::from_shape_simple_fn((12_001, 30), &mut normal);
    let z = windows.transform(&x.view().into_shape_with_order((12_001, 6, 5)).unwrap().into_dyn()).unwrap();
    let w = structure.coefficient_matrix(&structure.generic_point()).unwrap();
    let y = z.dot(&w) + Array2::from_shape_simple_fn((12_001, 1), &mut normal);
    let small = Sample::new(z, y.clone()).unwrap().compressed().unwrap();
    let blocks = WindowedSample::new(windows, x, y).unwrap();
    for method in iterative(json!({ "starts": ["spectral"] })) {
        let [a, b] =
            [&small as &dyn Rows, &blocks].map(|rows| fit(&structure, rows, &method, 1).best.objective);
        assert!((a / b - 1.0).abs() < 1e-6, "{} {a} {b}", method.name());
    }
    let message = refused(&structure, &blocks, &read(json!({ "solver": "nuclear-norm" })));
    assert!(message.contains("nuclear-norm needs all features in memory"), "{message}");
}
