//! What is wrong with a fit is named, and nothing is said of fits that are right; units and traces change no bit.

#![cfg(test)]

use convstat_cnn::{Factors, Geometry, GeometrySpec, Structure};
use convstat_estimate::{
    Diagnostic, Fit, FitOptions, Fitting, Method, Rows, Sample, Start, StepKind, TracePoint,
};
use ndarray::{Array1, Array2, ArrayD, Axis, concatenate};
use serde_json::json;

mod support;
use support::{
    build_on, build_plain, diagnose, fit, inference, matrix, normals, ols, read, refined, ridge, spectral,
};

fn build(text: &str, positions: &[usize], taps: &[usize]) -> Structure {
    support::build(text, positions, taps, 1)
}

fn cnn(kernels: usize) -> Structure {
    support::cnn(kernels, 4, &[5])
}

/// Responses of a random member of the structure, with noise.
fn responses(structure: &Structure, z: &Array2<f64>, sigma: f64, seed: u64) -> Array2<f64> {
    let mut normal = normals(seed);
    let w = structure.coefficient_matrix(&structure.random_point(&mut normal)).unwrap();
    z.dot(&w) + Array2::from_shape_simple_fn((z.nrows(), 1), normal) * sigma
}

fn fitted(structure: &Structure, sample: &Sample, method: &Method) -> Fit {
    refined(structure, sample, method, 1)
}

/// What is wrong with a fit of rows that a geometry made.
fn diagnose_on(
    geometry: Option<&Geometry>,
    structure: &Structure,
    rows: &dyn Rows,
    method: &Method,
    fit: &Fit,
) -> Vec<Diagnostic> {
    Fitting::new(structure, &FitOptions::bare(method.clone())).geometry(geometry).diagnose(rows, fit).unwrap()
}

/// Kinds named for a sample, each with a message that says what to do.
fn kinds(
    structure: &Structure,
    z: Array2<f64>,
    y: Array2<f64>,
    method: &Method,
    geometry: Option<&Geometry>,
) -> Vec<&'static str> {
    let sample = Sample::new(z, y).unwrap();
    let found = fitted(structure, &sample, method);
    let mut named = diagnose_on(geometry, structure, &sample, method, &found);
    let twice = diagnose_on(geometry, structure, &sample.compressed().unwrap(), method, &found);
    assert_eq!(names(&named), names(&twice).into_iter().collect::<Vec<_>>(), "compressed");
    named.sort_by_key(Diagnostic::kind);
    named.dedup_by_key(|d| d.kind());
    for diagnostic in &named {
        println!("{}: {diagnostic}", diagnostic.kind());
        let message = diagnostic.to_string();
        assert!(message.contains(';') || message.contains(':'), "{message}");
    }
    names(&named)
}

/// Kinds, but for the offset, which only raw samples show.
fn names(named: &[Diagnostic]) -> Vec<&'static str> {
    named.iter().map(Diagnostic::kind).filter(|k| *k != "offset").collect()
}

#[test]
fn features() {
    let (ols, lm) = (ols(), spectral(4));
    let (dense, one) = (build("{ kind = \"dense\" }", &[4], &[5]), cnn(1));
    let well = matrix(60, 20, 1);
    let y = responses(&one, &well, 0.5, 2);
    assert!(kinds(&dense, well.clone(), y.clone(), &ols, None).is_empty());
    assert!(kinds(&one, well.clone(), y.clone(), &lm, None).is_empty());

    let mut z = well.clone();
    let copy = z.column(0).to_owned();
    z.column_mut(1).assign(&copy);
    assert_eq!(kinds(&dense, z.clone(), y.clone(), &ols, None), ["collinear"]);
    assert_eq!(kinds(&one, z.clone(), y.clone(), &lm, None), ["collinear"]);
    // Whether the structure identifies W is said.
    let sample = Sample::new(z.clone(), y.clone()).unwrap();
    let found = fitted(&one, &sample, &lm);
    let named = diagnose(&one, &sample, &lm, &found);
    assert!(
        matches!(named[..], [Diagnostic::Collinear { features: 20, rank: 19, zeros: 0, identified: true }]),
        "{named:?}"
    );
    // Ridge makes the solution unique.
    assert!(kinds(&dense, z.clone(), y.clone(), &ridge(1.0), None).is_empty());
    // A structure as free as the features that are left cannot tell.
    let full = build("{ kind = \"cnn\", kernels = 3 }", &[4], &[5]);
    let named = kinds(&full, z.clone(), y.clone(), &lm, None);
    assert!(named.contains(&"collinear"), "{named:?}");
    z.column_mut(7).fill(0.0);
    let sample = Sample::new(z, y.clone()).unwrap();
    let found = fitted(&dense, &sample, &ols);
    let named = diagnose(&dense, &sample, &ols, &found);
    assert!(matches!(named[..], [Diagnostic::Collinear { rank: 18, zeros: 1, .. }]), "{named:?}");

    let mut z = well.clone();
    let near = &z.column(0) + &(&z.column(1) * 1e-11);
    z.column_mut(1).assign(&near);
    assert_eq!(kinds(&dense, z, y.clone(), &ols, None), ["ill-conditioned"]);

    let graded = &well * &Array1::from_shape_fn(20, |i| if i < 10 { 1e-5 } else { 1e5 });
    assert!(kinds(&dense, graded.clone(), y.clone(), &ols, None).is_empty());
    assert!(kinds(&one, graded, y, &lm, None).contains(&"graded-features"));
}

#[test]
fn numbers_of_observations() {
    let (ols, lm) = (ols(), spectral(4));
    let (dense, one) = (build("{ kind = \"dense\" }", &[4], &[5]), cnn(1));
    let few = matrix(15, 20, 3);
    let y = responses(&one, &few, 0.1, 4);
    assert_eq!(kinds(&dense, few.clone(), y.clone(), &ols, None), ["saturated", "too-few-observations"]);
    // Fewer observations than features are enough for a structure.
    assert!(kinds(&one, few.clone(), y, &lm, None).is_empty());
    let two = cnn(2);
    let y = responses(&two, &matrix(14, 20, 3), 0.1, 4);
    assert_eq!(two.df().unwrap(), 14);
    let named = kinds(&two, matrix(14, 20, 3), y, &lm, None);
    assert!(named.contains(&"saturated") && !named.contains(&"not-identified"), "{named:?}");
    let y = responses(&two, &matrix(11, 20, 3), 0.1, 4);
    let named = kinds(&two, matrix(11, 20, 3), y, &lm, None);
    assert!(named.contains(&"saturated") && named.contains(&"not-identified"), "{named:?}");
}

#[test]
fn geometries() {
    let lm = spectral(4);
    let spec = GeometrySpec {
        input: vec![10],
        kernel: vec![3],
        pool: Some(vec![2]),
        pool_stride: Some(vec![2]),
        ..GeometrySpec::default()
    };
    let geometry = Geometry::new(&spec).unwrap();
    let structure = build_on("{ kind = \"cnn\", kernels = 1 }", &geometry.output_modes(1));
    assert!(geometry.feature_rank().unwrap() < geometry.features());
    let x = matrix(80, 10, 5).into_dyn();
    let z = geometry.windows().transform(&x.view()).unwrap();
    let y = responses(&structure, &z, 0.3, 6);
    assert_eq!(kinds(&structure, z.clone(), y.clone(), &lm, Some(&geometry)), ["singular-geometry"]);
    assert_eq!(kinds(&structure, z, y, &lm, None), ["collinear"]);
}

#[test]
fn ranks() {
    let lm = spectral(4);
    let infeasible = |text: &str, positions: &[usize], taps: &[usize]| {
        let structure = build(text, positions, taps);
        let z = matrix(4 * structure.features(), structure.features(), 7);
        let y = responses(&structure, &z, 0.1, 8);
        let sample = Sample::new(z, y).unwrap();
        let found = fitted(&structure, &sample, &lm);
        let named = diagnose(&structure, &sample, &lm, &found);
        let mut ranks: Vec<(char, usize, usize)> = named
            .iter()
            .filter_map(|d| match *d {
                Diagnostic::RankAboveFeasible { label, rank, feasible } => Some((label, rank, feasible)),
                _ => None,
            })
            .collect();
        ranks.sort_unstable();
        ranks
    };
    assert_eq!(infeasible("{ kind = \"cnn\", kernels = 5 }", &[4], &[6]), [('k', 5, 4)]);
    // K above R is redundancy, no error.
    assert!(
        infeasible("{ kind = \"tucker\", ranks = [2, 2], r = 2, kernels = 7 }", &[4], &[3, 3]).is_empty()
    );
    assert!(infeasible("{ kind = \"cp\", rank = 2, kernels = 7 }", &[4], &[3, 3]).is_empty());
    assert_eq!(
        infeasible("{ kind = \"tucker\", ranks = [3, 1], r = 2, kernels = 3 }", &[4], &[3, 3]),
        [('x', 3, 2)]
    );
    assert_eq!(
        infeasible("{ kind = \"tensor-train\", ranks = [3, 4], kernels = 3 }", &[4], &[3, 3]),
        [('s', 4, 3)]
    );
    // A 2 x 2 x 2 tensor is a sum of two or three products; generically two fill the space and three do no more.
    assert_eq!(infeasible("{ einsum = \"pr,ar,br->pab\", sizes = { r = 3 } }", &[2], &[2, 2]), [('r', 3, 2)]);
    assert!(infeasible("{ einsum = \"pr,ar,br->pab\", sizes = { r = 2 } }", &[3], &[3, 3]).is_empty());
}

#[test]
fn solutions() {
    let lm = spectral(4);
    // A truth of rank 1 without noise, fitted with rank 2.
    let (one, two) = (cnn(1), cnn(2));
    let z = matrix(60, 20, 9);
    let named = kinds(&two, z.clone(), responses(&one, &z, 0.0, 10), &lm, None);
    assert!(named.contains(&"rank-deficient-fit") && named.contains(&"exact-fit"), "{named:?}");

    // The tensor a∘a∘b + a∘b∘a + b∘a∘a has rank 3 and is a limit of tensors of rank 2: components diverge (de Silva &
    // Lim 2008, proposition 4.6).
    let cp = build("{ einsum = \"pr,ar,br->pab\", sizes = { r = 2 } }", &[3], &[3, 3]);
    let (a, b) = ([1.0, 0.5, -0.2], [0.3, -1.0, 0.7]);
    let mut y = Array2::zeros((27, 1));
    for i in 0..27 {
        let (i, j, k, row) = (i / 9, i / 3 % 3, i % 3, i);
        y[[row, 0]] = a[i] * a[j] * b[k] + a[i] * b[j] * a[k] + b[i] * a[j] * a[k];
    }
    let named = kinds(&cp, Array2::eye(27), y, &lm, None);
    assert!(named.contains(&"degenerate-components"), "{named:?}");

    let named = kinds(&one, z.clone(), Array2::zeros((60, 1)), &lm, None);
    assert_eq!(named, ["zero-responses"]);

    let signal = responses(&two, &z, 0.3, 11);
    let y = signal.clone();
    let short = read(json!({ "solver": "levenberg-marquardt", "max_iterations": 1, "starts": ["random"] }));
    let sample = Sample::new(z.clone(), y.clone()).unwrap();
    let stopped = fit(&two, &sample, &short, 1);
    let named = names(&diagnose(&two, &sample, &short, &stopped));
    assert!(named.contains(&"not-converged"), "{named:?}");
    // Refinement goes on from there.
    let stopped = refined(&two, &sample, &short, 1);
    assert!(stopped.best.termination.is_success());
    assert!((&stopped.w - &fitted(&two, &sample, &lm).w).iter().all(|d| d.abs() < 1e-12));

    // One factor zero is a saddle.
    let sample = Sample::new(z.clone(), y.clone()).unwrap();
    let mut saddle = fitted(&two, &sample, &lm);
    let best = fitted(&one, &sample, &lm);
    saddle.factors = with_second_component(&best.factors, &two);
    saddle.w.assign(&two.coefficient_matrix(&saddle.factors).unwrap());
    let named = names(&diagnose(&two, &sample, &lm, &saddle));
    assert!(named.contains(&"not-a-minimum"), "{named:?}");

    // With Z = I the fit is the truncated SVD, whose observed information is 1 ± s_3/s_2 at its ends.
    let (left, right) =
        (orthonormal(&matrix(4, 4, 12).into_dyn()), orthonormal(&matrix(5, 5, 13).into_dyn()));
    let y = Array2::from_shape_fn((20, 1), |(i, _)| {
        (0..3).map(|k| [5.0, 1.0, 0.9][k] * left[[i / 5, k]] * right[[i % 5, k]]).sum()
    });
    let sample = Sample::new(Array2::eye(20), y).unwrap();
    let found = fitted(&two, &sample, &lm);
    let named = diagnose(&two, &sample, &lm, &found);
    assert!(
        matches!(named[..], [Diagnostic::Curved { information: (low, high) }]
            if (low - 0.1).abs() < 1e-9 && (high - 1.9).abs() < 1e-9),
        "{named:?}"
    );

    // Only one of two starts finds the optimum.
    let (sample, y) = (Sample::new(z.clone(), signal.clone()).unwrap(), signal);
    let mut found = fitted(&two, &sample, &lm);
    found.all.truncate(2);
    found.all[1].objective *= 2.0;
    let named = diagnose(&two, &sample, &lm, &found);
    assert!(matches!(named[..], [Diagnostic::StartsDisagree { starts: 2, .. }]), "{named:?}");

    // An intercept that nothing explains.
    let y = y + 1e3;
    let sample = Sample::new(z.clone(), y.clone()).unwrap();
    let offset = |named: Vec<Diagnostic>| {
        named.into_iter().find_map(|d| if let Diagnostic::Offset { ratio } = d { Some(ratio) } else { None })
    };
    let found = fitted(&two, &sample, &lm);
    assert!(offset(diagnose(&two, &sample, &lm, &found)).is_some_and(|ratio| ratio > 100.0));
    // Compressed rows have no mean.
    assert_eq!(offset(diagnose(&two, &sample.compressed().unwrap(), &lm, &found)), None);
    // With a feature of ones it is explained.
    let mut z = z;
    z.column_mut(0).fill(1.0);
    let dense = build("{ kind = \"dense\" }", &[4], &[5]);
    let sample = Sample::new(z, y).unwrap();
    assert_eq!(offset(diagnose(&dense, &sample, &ols(), &fitted(&dense, &sample, &ols()))), None);
}

/// A member of rank 1 as one of rank 2: the second component is small and not along a descent of the first order.
fn with_second_component(one: &Factors, two: &Structure) -> Factors {
    let mut factors = two.generic_point();
    for (wide, narrow) in factors.iter_mut().zip(one) {
        let axis = (0..wide.ndim()).find(|&a| wide.shape()[a] != narrow.shape()[a]).unwrap();
        *wide *= 1e-4;
        wide.index_axis_mut(Axis(axis), 0).assign(&narrow.index_axis(Axis(axis), 0));
    }
    factors
}

#[test]
fn nothing_is_said_of_well_posed_problems() {
    let structures = [
        cnn(1),
        cnn(2),
        build("{ kind = \"cnn\", kernels = 2 }", &[2, 2], &[3, 3]),
        build("{ kind = \"tucker\", ranks = [2, 2], r = 2, kernels = 4 }", &[4], &[4, 4]),
        build("{ kind = \"cp\", rank = 2, kernels = 3 }", &[4], &[4, 4]),
        build("{ kind = \"tensor-train\", ranks = [2, 2], kernels = 2 }", &[4], &[4, 4]),
        build("{ kind = \"dense\" }", &[2], &[4]),
    ];
    let mut problems = 0;
    for seed in 0..40u64 {
        for (s, structure) in structures.iter().enumerate() {
            let df = structure.df().unwrap();
            let n = df * [4, 10, 30][seed as usize % 3];
            // Components of like size at right angles, as regular points are.
            let mut normal = normals(1000 * seed + s as u64);
            let truth: Factors = structure.random_point(&mut normal).iter().map(orthonormal).collect();
            let w = structure.coefficient_matrix(&truth).unwrap();
            let w = &w / w.iter().map(|v| v * v).sum::<f64>().sqrt();
            let z = Array2::from_shape_simple_fn((n, structure.features()), &mut normal);
            let y = z.dot(&w) + Array2::from_shape_simple_fn((n, 1), &mut normal) * 0.1;
            let scale = [1.0, 1e-6, 1e9][seed as usize % 3];
            let sample = Sample::new(z, y * scale).unwrap().compressed().unwrap();
            for method in [spectral(4), ols()] {
                if !method.is_structured() && n <= structure.features() + 5 {
                    continue;
                }
                let found = fitted(structure, &sample, &method);
                let named = diagnose(structure, &sample, &method, &found);
                assert!(named.is_empty(), "{} n {n} seed {seed}: {named:?}", structure.name());
                problems += 1;
            }
        }
    }
    println!("{problems} problems");
}

/// A factor unfolded along its longest mode, its columns orthonormal as far as they go.
fn orthonormal(factor: &ArrayD<f64>) -> ArrayD<f64> {
    let axis = (0..factor.ndim()).max_by_key(|&a| factor.shape()[a]).unwrap();
    let a = convstat_tensor::unfold(&factor.view(), axis).unwrap();
    let (u, _, vt) = convstat_tensor::linalg::svd(&a.view()).unwrap();
    convstat_tensor::fold(&u.dot(&vt).view(), axis, factor.shape()).unwrap()
}

#[test]
fn units_change_nothing_but_units() {
    let structure = build("{ kind = \"cnn\", kernels = 2 }", &[3], &[4]);
    let z = matrix(50, 12, 21);
    let y = responses(&structure, &z, 0.4, 22);
    let lm = spectral(4);
    let base = Sample::new(z.clone(), y.clone()).unwrap();
    let plain = fitted(&structure, &base, &lm);
    let errors = inference(&structure, &base, &lm, &plain).coefficient_se();
    for (of_z, of_y) in [(0, 640), (0, -640), (512, 0), (-512, 0), (512, -384), (-640, -640), (384, 512)] {
        let (a, b) = (2f64.powi(of_z), 2f64.powi(of_y));
        let sample = Sample::new(&z * a, &y * b).unwrap();
        let found = fitted(&structure, &sample, &lm);
        // Bit for bit.
        assert_eq!(found.w.mapv(|v| v * a / b), plain.w, "{of_z} {of_y}");
        assert_eq!(found.best.objective, plain.best.objective * b * b, "{of_z} {of_y}");
        let inference = inference(&structure, &sample, &lm, &found);
        assert_eq!(inference.coefficient_se().mapv(|v| v * a / b), errors, "{of_z} {of_y}");
        let small = inference.fitted_se(&sample.z.view());
        assert!(small.iter().all(|v| *v > 0.0 && v.is_finite()));
        let named = names(&diagnose(&structure, &sample, &lm, &found));
        let expected: &[&str] = if of_y.abs() < 500 { &[] } else { &["out-of-range"] };
        assert_eq!(named, expected, "{of_z} {of_y}");
        let (lambda, penalty) = (2.0, 2.0 * a * a);
        let mut pairs = vec![(ols(), ols())];
        if penalty.is_finite() && penalty > 0.0 {
            pairs.push((ridge(penalty), ridge(lambda)));
        }
        for (scaled, plain) in pairs {
            let (found, plain) = (fit(&structure, &sample, &scaled, 1), fit(&structure, &base, &plain, 1));
            assert_eq!(found.w.mapv(|v| v * a / b), plain.w, "{scaled:?} {of_z} {of_y}");
        }
    }
    // Powers of ten, which round the data.
    for scale in [1e-200, 1e200] {
        let sample = Sample::new(z.clone(), &y * scale).unwrap();
        let found = fitted(&structure, &sample, &lm);
        assert!((&found.w / scale - &plain.w).iter().all(|d| d.abs() < 1e-12));
        assert!(sample.compressed().is_err(), "an rss that leaves the range is an error, not 0");
    }
}

#[test]
fn a_trace_follows_every_start_and_changes_no_bit() {
    let structure = build("{ kind = \"cnn\", kernels = 2 }", &[3], &[4]);
    let z = matrix(50, 12, 31);
    let y = responses(&structure, &z, 0.4, 32);
    for (solver, scale) in [
        ("levenberg-marquardt", 1.0),
        ("als", 1.0),
        ("projected-gradient", 1.0),
        ("riemannian-gauss-newton", 1.0),
        ("ols", 1.0),
        ("levenberg-marquardt", 2f64.powi(640)),
        ("scaled-gradient", 2f64.powi(640)),
        ("nuclear-norm", 2f64.powi(640)),
    ] {
        let sample = Sample::new(z.clone(), &y * scale).unwrap();
        let method = read(json!({ "solver": solver })).with_starts(Start::spectral_and_random(4));
        let plain = fit(&structure, &sample, &method, 1);
        let mut points: Vec<TracePoint> = Vec::new();
        let traced = Fitting::new(&structure, &FitOptions::bare(method.clone()))
            .observer(&mut |p| points.push(*p))
            .fit(&sample)
            .unwrap()
            .fit;
        assert_eq!(traced.w, plain.w);
        for (place, end) in plain.all.iter().enumerate() {
            let own: Vec<&TracePoint> = points.iter().filter(|p| p.place == place).collect();
            let last = own.last().unwrap();
            assert_eq!((last.step, last.termination), (StepKind::End, Some(end.termination)));
            assert_eq!((last.iteration, last.objective), (end.iterations, end.objective));
            assert!(own.iter().rev().skip(1).all(|p| p.termination.is_none()));
            if method.is_structured() {
                assert_eq!((own[0].step, own[0].iteration), (StepKind::Start, 0));
                let taken: Vec<f64> = own.iter().filter(|p| p.accepted).map(|p| p.objective).collect();
                assert!(taken.windows(2).all(|w| w[1] <= w[0] * (1.0 + 1e-12)), "{taken:?}");
                assert_eq!(taken.last(), Some(&end.objective));
            }
        }
        let lines: Vec<String> = points.iter().map(ToString::to_string).collect();
        println!("{}\n{}", TracePoint::HEADER, lines[..lines.len().min(12)].join("\n"));
    }
}

#[test]
fn collinear_data_of_many_rows_are_not_lost_in_compression() {
    // Two columns 1e-8 apart: ZᵀZ cannot tell them from one.
    let mut z = matrix(400, 4, 41);
    let near = &z.column(0) + &(&z.column(3) * 1e-8);
    z.column_mut(3).assign(&near);
    let y = concatenate![Axis(1), z.dot(&Array2::from_shape_vec((4, 1), vec![1.0, 2.0, 3.0, 1e8]).unwrap())];
    let sample = Sample::new(z, y).unwrap();
    let small = sample.compressed().unwrap();
    let dense = build("{ kind = \"dense\" }", &[1], &[4]);
    let w = fitted(&dense, &small, &ols()).w;
    // cond u ‖W‖ with a factor n D for the factorisation.
    let bound = 400.0 * 4.0 * 3e8 * f64::EPSILON * 1e8;
    assert!((w[[3, 0]] - 1e8).abs() < bound, "{w}");
}

#[test]
fn collinear_features_have_the_dimension_of_their_rank() {
    // 5 × 4 features whose last column repeats the one before: 15 of 20 directions, whatever solver and rank.
    let mut normal = normals(3);
    let mut z = Array2::from_shape_simple_fn((200, 20), &mut normal);
    for row in 0..5 {
        let twin = z.column(row * 4 + 2).to_owned();
        z.column_mut(row * 4 + 3).assign(&twin);
    }
    let y = z.slice(ndarray::s![.., ..2]).sum_axis(ndarray::Axis(1)).insert_axis(ndarray::Axis(1))
        + Array2::from_shape_simple_fn((200, 1), &mut normal);
    let sample = Sample::new(z, y).unwrap().compressed().unwrap();
    for solver in ["levenberg-marquardt", "als", "scaled-gradient"] {
        for rank in [3, 4] {
            let text = format!("{{ einsum = \"ar,br->ab\", sizes = {{ r = {rank} }} }}");
            let structure = build_plain(&text, &[5, 4], 1);
            let method = read(json!({ "solver": solver }));
            let found = fit(&structure, &sample, &method, 1);
            let df = inference(&structure, &sample, &method, &found).df;
            assert_eq!(df, 15.0, "{solver}, rank {rank}");
        }
    }
}
