//! Likelihoods of labels: other programs' fits (`data/make_glm.py`), finite differences, separation.

#![cfg(test)]

use convstat_cnn::Structure;
use convstat_estimate::{
    Diagnostic, Family, Fit, FitOptions, Fitting, LabelledSample, LeastSquares, Linearised, Method, Rows,
    Start, Termination, TracePoint, probabilities,
};
use convstat_tensor::linalg::{lstsq, symmetrise};
use ndarray::{Array2, ArrayView2};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

mod support;
use support::{build_plain as build, diagnose, inference, newton, normals, refined, refused, spectral};

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> Vec<T> {
    serde_json::from_value(value.clone()).unwrap()
}

fn matrix(rows: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = list(rows);
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

fn reference() -> Value {
    serde_json::from_str(include_str!("data/glm.json")).unwrap()
}

/// Labels drawn from their law at linear predictors.
fn draw_classes(eta: &Array2<f64>, seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let draw = |p: ndarray::ArrayView1<f64>| {
        let (u, mut sum) = (rng.random::<f64>(), 0.0);
        p.iter().position(|p| {
            sum += p;
            u < sum
        })
    };
    probabilities(eta.clone()).outer_iter().map(draw).map(|c| c.unwrap_or(0)).collect()
}

/// A sample at a random truth with linear predictors of standard deviation `size`.
fn draw(structure: &Structure, n: usize, size: f64, seed: u64) -> LabelledSample {
    let mut normal = normals(seed);
    let truth = structure.random_point(&mut normal);
    let w = structure.coefficient_matrix(&truth).unwrap();
    let w = &w * (size / (w.iter().map(|v| v * v).sum::<f64>() / w.ncols() as f64).sqrt());
    let z = Array2::from_shape_simple_fn((n, structure.features()), &mut normal);
    let classes = draw_classes(&z.dot(&w), seed);
    LabelledSample::from_classes(z, &classes, w.ncols() + 1).unwrap()
}

fn best(structure: &Structure, sample: &LabelledSample, random: usize) -> Fit {
    refined(structure, sample, &spectral(random), 1)
}

#[test]
fn dense_fits_are_those_of_statsmodels() {
    let all = reference();
    let z = matrix(&all["anes96"]["x"]);
    for case in all["anes96"]["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let y: Vec<usize> = list(&case["y"]);
        let classes = y.iter().max().unwrap() + 1;
        let structure = build("{ kind = \"dense\" }", &[z.ncols()], classes - 1);
        let sample = LabelledSample::from_classes(z.clone(), &y, classes).unwrap();
        let found = best(&structure, &sample, 0);
        assert_eq!(found.best.termination, Termination::Converged, "{name}");
        let inference = inference(&structure, &sample, &Method::default(), &found);
        let (w, se): (Vec<f64>, Vec<f64>) = (list(&case["coefficients"]), list(&case["se"]));
        for ((w, se), (own, own_se)) in w.iter().zip(&se).zip(found.w.iter().zip(inference.coefficient_se()))
        {
            assert!((own - w).abs() <= 1e-8 * w.abs(), "{name}: {own} for {w}");
            assert!((own_se / se - 1.0).abs() <= 1e-6, "{name}: standard error {own_se} for {se}");
        }
        let (aic, bic) = sample.criteria(found.best.objective, inference.df);
        let null = sample.null_deviance();
        for (key, own) in
            [("deviance", found.best.objective), ("null_deviance", null), ("aic", aic), ("bic", bic)]
        {
            let of = case[key].as_f64().unwrap();
            // statsmodels finds the null deviance by iterations, which end at 1e-8.
            let tolerance = if key == "null_deviance" { 1e-8 } else { 1e-12 };
            assert!((own / of - 1.0).abs() < tolerance, "{name}: {key} {own} for {of}");
        }
        assert_eq!(diagnose(&structure, &sample, &Method::default(), &found), vec![]);
        // The logistic law is the multinomial one of two classes.
        if classes == 2 {
            let y = Array2::from_shape_fn((y.len(), 1), |(i, _)| y[i] as f64);
            let logistic = LabelledSample::new(z.clone(), y, Family::Logistic).unwrap();
            assert_eq!(best(&structure, &logistic, 0).w, found.w);
        }
    }
}

#[test]
fn low_rank_fits_are_those_of_a_general_minimiser() {
    for case in reference()["low_rank"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let (shape, y): (Vec<usize>, Vec<usize>) = (list(&case["shape"]), list(&case["y"]));
        let classes = case["classes"].as_u64().unwrap() as usize;
        let rank = if name.contains("rank 1") { 1 } else { 2 };
        let text = format!("{{ einsum = {}, sizes = {{ r = {rank} }} }}", case["einsum"]);
        let structure = build(&text, &shape, classes - 1);
        let sample = LabelledSample::from_classes(matrix(&case["x"]), &y, classes).unwrap();
        let found = best(&structure, &sample, 8);
        let (deviance, w): (f64, Vec<f64>) =
            (case["deviance"].as_f64().unwrap(), list(&case["coefficients"]));
        assert!((found.best.objective / deviance - 1.0).abs() < 1e-12, "{name}: {}", found.best.objective);
        let largest = w.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for (own, w) in found.w.iter().zip(&w) {
            assert!((own - w).abs() < 1e-8 * largest, "{name}: {own} for {w}");
        }
    }
}

#[test]
fn derivatives_are_finite_differences() {
    let cases = [
        (build("{ einsum = \"ar,br->ab\", sizes = { r = 2 } }", &[3, 4], 1), 60),
        // The response stands in a factor: entries of the Jacobian between responses are 0 before they are weighed.
        (build("{ einsum = \"ar,br,mr->abm\", sizes = { r = 2 } }", &[3, 2], 3), 50),
        (build("{ kind = \"dense\" }", &[3], 2), 40),
        // Several blocks of rows, the last one filled up.
        (build("{ einsum = \"ar,br->ab\", sizes = { r = 2 } }", &[3, 4], 1), 60_001),
    ];
    for (structure, n) in &cases {
        let (sample, name) = (draw(structure, *n, 1.5, 4), structure.name());
        let mut problem = LeastSquares::new(structure, &sample).unwrap();
        let theta = structure.flatten(&structure.random_point(normals(7))).unwrap();
        let theta: Vec<f64> = theta.iter().map(|v| 0.7 * v).collect();
        let p = theta.len();
        let mut at = Linearised::new(p).with_dual(structure.coefficients());
        // Twice, so that nothing is left over from the first time.
        problem.linearise(&theta, None, &mut at);
        problem.linearise(&theta, None, &mut at);
        symmetrise(&mut at.normal);

        let w = structure.coefficient_matrix(&structure.unflatten(&theta).unwrap()).unwrap();
        let deviance = sample.deviance(&w.view());
        assert!((at.objective / deviance - 1.0).abs() < 1e-12, "{name}: {} for {deviance}", at.objective);
        let naive: f64 = -2.0
            * sample
                .probabilities(&w.view())
                .outer_iter()
                .zip(sample.sample().y.outer_iter())
                .map(|(p, y)| y.iter().position(|&v| v == 1.0).map_or(p[0], |j| p[j + 1]).ln())
                .sum::<f64>();
        assert!((deviance / naive - 1.0).abs() < 1e-12, "{name}");

        // Central differences are off by h² and by rounding over h.
        let h = 1e-5;
        let moved = |i: usize, by: f64| {
            let mut t = theta.clone();
            t[i] += by;
            t
        };
        let mut curvature = Array2::zeros((p, p));
        problem.curvature(&at.dual, &theta, &mut curvature);
        symmetrise(&mut curvature);
        let hessian = &at.normal - &curvature;
        let scale = at.normal.diag().fold(0.0f64, |m, v| m.max(*v));
        let (mut up, mut down) = (Linearised::new(p), Linearised::new(p));
        for i in 0..p {
            problem.linearise(&moved(i, h), None, &mut up);
            problem.linearise(&moved(i, -h), None, &mut down);
            let slope = -(up.objective - down.objective) / (4.0 * h);
            assert!((slope - at.gradient[i]).abs() < 1e-7 * scale, "{name}: {slope} for {}", at.gradient[i]);
            for j in 0..p {
                let second = -(up.gradient[j] - down.gradient[j]) / (2.0 * h);
                assert!(
                    (second - hessian[[i, j]]).abs() < 1e-7 * scale,
                    "{name}: {second} for {}",
                    hessian[[i, j]]
                );
            }
        }
        // The information with explicit weights.
        let jacobian = structure.jacobian(&structure.unflatten(&theta).unwrap()).unwrap();
        let (m, mut information) = (structure.outputs(), Array2::<f64>::zeros((p, p)));
        for (z, mu) in sample.sample().z.outer_iter().zip(sample.probabilities(&w.view()).outer_iter()) {
            let rows = Array2::from_shape_fn((m, p), |(o, j)| {
                z.iter().enumerate().map(|(f, z)| z * jacobian[[f * m + o, j]]).sum::<f64>()
            });
            let v = Array2::from_shape_fn((m, m), |(a, b)| {
                (if a == b { mu[a + 1] } else { 0.0 }) - mu[a + 1] * mu[b + 1]
            });
            information += &rows.t().dot(&v.dot(&rows));
        }
        for (own, of) in at.normal.iter().zip(&information) {
            assert!((own - of).abs() < 1e-11 * scale, "{name}: information {own} for {of}");
        }
    }
}

#[test]
fn the_deviance_falls_with_every_step_taken() {
    let structure = build("{ einsum = \"ar,br,mr->abm\", sizes = { r = 2 } }", &[5, 4], 3);
    let sample = draw(&structure, 400, 3.0, 2);
    let options = FitOptions { seed: 3, ..FitOptions::bare(newton(&[Start::Random; 5])) };
    let mut last = f64::INFINITY;
    let mut taken = 0;
    let mut observer = |point: &TracePoint| {
        if point.iteration == 0 {
            last = point.objective;
        } else if point.accepted && point.termination.is_none() {
            assert!(point.objective < last, "{point}");
            (last, taken) = (point.objective, taken + 1);
        }
    };
    let found = Fitting::new(&structure, &options).observer(&mut observer).fit(&sample).unwrap().fit;
    assert!(taken > 10 && found.all.iter().all(|f| f.termination == Termination::Converged));
    // The gradient at the end is far below its own standard deviation, the root of the information.
    let mut problem = LeastSquares::new(&structure, &sample).unwrap();
    let theta = structure.flatten(&found.factors).unwrap();
    let mut at = Linearised::new(theta.len());
    problem.linearise(&theta, None, &mut at);
    for (g, v) in at.gradient.iter().zip(at.normal.diag()) {
        assert!(g.abs() < 1e-3 * v.sqrt(), "{g} {v}");
    }
}

/// Rows of one feature and an intercept.
fn line(x: &[f64], y: &[f64]) -> LabelledSample {
    let z = Array2::from_shape_fn((x.len(), 2), |(i, j)| if j == 0 { 1.0 } else { x[i] });
    LabelledSample::new(z, ArrayView2::from_shape((y.len(), 1), y).unwrap().to_owned(), Family::Logistic)
        .unwrap()
}

#[test]
fn separated_classes_are_named() {
    let dense = build("{ kind = \"dense\" }", &[2], 1);
    let x: Vec<f64> = (0..40).map(|i| f64::from(i) - 19.5).collect();
    let step = |cut: f64| x.iter().map(|v| f64::from(u8::from(*v > cut))).collect::<Vec<f64>>();
    let mut overlap = step(0.0);
    (overlap[18], overlap[22]) = (1.0, 0.0);
    // A dummy variable whose rows all have one label: quasi-complete separation.
    let dummy: Vec<f64> = (0..4000).map(|i| f64::from(u8::from(i < 5))).collect();
    let mostly: Vec<f64> = (0..4000).map(|i| f64::from(u8::from(i < 5 || i % 2 == 0))).collect();
    let mut one_off = mostly.clone();
    one_off[2] = 0.0;
    // One event in 3000: far from 1/2, and not separated.
    let rare: Vec<f64> = (0..3000).map(|i| f64::from(u8::from(i == 700))).collect();
    let wave: Vec<f64> = (0..3000).map(|i| f64::from(i).sin()).collect();
    for (name, sample, is_separated) in [
        ("complete", line(&x, &step(0.0)), true),
        ("overlapping", line(&x, &overlap), false),
        ("one class", line(&x, &step(-100.0)), true),
        ("quasi-complete", line(&dummy, &mostly), true),
        ("one off", line(&dummy, &one_off), false),
        ("rare", line(&wave, &rare), false),
    ] {
        let found = best(&dense, &sample, 0);
        assert_eq!(
            found.best.termination == Termination::Separated,
            is_separated,
            "{name}: {:?}",
            found.best
        );
        assert!(found.best.iterations < 100, "{name}: {:?}", found.best);
        let named = diagnose(&dense, &sample, &Method::default(), &found);
        assert_eq!(named.contains(&Diagnostic::Separated), is_separated, "{name}: {named:?}");
    }
    // Few observations of many features, through a structure.
    let structure = build("{ einsum = \"ar,br->ab\", sizes = { r = 2 } }", &[6, 7], 1);
    assert_eq!(best(&structure, &draw(&structure, 15, 2.0, 3), 2).best.termination, Termination::Separated);
    // A class without observations.
    let classes: Vec<usize> = (0..60).map(|i| if i % 3 == 0 { 0 } else { 2 }).collect();
    let z = Array2::from_shape_simple_fn((60, 2), normals(5));
    let sample = LabelledSample::from_classes(z, &classes, 3).unwrap();
    let dense = build("{ kind = \"dense\" }", &[2], 2);
    // Without an intercept the linear predictor of the class has both signs: it is fitted, and its deviance finite.
    assert_eq!(best(&dense, &sample, 0).best.termination, Termination::Converged);
}

#[test]
fn the_reference_class_does_not_matter() {
    let structure = build("{ einsum = \"ar,br,mr->abm\", sizes = { r = 2 } }", &[4, 3], 3);
    let sample = draw(&structure, 300, 2.0, 8);
    let classes: Vec<usize> = sample
        .sample()
        .y
        .outer_iter()
        .map(|y| y.iter().position(|&v| v == 1.0).map_or(0, |j| j + 1))
        .collect();
    // Class 2 becomes the reference.
    let order = [2, 1, 0, 3];
    let other: Vec<usize> = classes.iter().map(|&c| order[c]).collect();
    let other = LabelledSample::from_classes(sample.sample().z.clone(), &other, 4).unwrap();
    let (a, b) = (best(&structure, &sample, 6), best(&structure, &other, 6));
    assert!((a.best.objective / b.best.objective - 1.0).abs() < 1e-12);
    let (p, q) = (sample.probabilities(&a.w.view()), other.probabilities(&b.w.view()));
    for (p, q) in p.outer_iter().zip(q.outer_iter()) {
        assert!((0..4).all(|c| (p[c] - q[order[c]]).abs() < 1e-7));
    }
    let se = |s: &LabelledSample, f: &Fit| {
        let inference = inference(&structure, s, &Method::default(), f);
        inference.probability_se(&s.sample().z.view(), &f.w.view())
    };
    for (p, q) in se(&sample, &a).outer_iter().zip(se(&other, &b).outer_iter()) {
        assert!((0..4).all(|c| (p[c] - q[order[c]]).abs() < 1e-6));
    }
}

#[test]
fn standard_errors_of_probabilities_are_the_delta_method() {
    let structure = build("{ kind = \"dense\" }", &[3], 2);
    let sample = draw(&structure, 120, 1.0, 12);
    let found = best(&structure, &sample, 0);
    let z = &sample.sample().z;
    let inference = inference(&structure, &sample, &Method::default(), &found);
    // The covariance of all coefficients from the information of LeastSquares, the derivatives by differences.
    let mut at = Linearised::new(6);
    let theta = structure.flatten(&found.factors).unwrap();
    LeastSquares::new(&structure, &sample).unwrap().linearise(&theta, None, &mut at);
    symmetrise(&mut at.normal);
    let covariance = lstsq(&at.normal.view(), &Array2::eye(6).view()).unwrap();
    let se = inference.probability_se(&z.view(), &found.w.view());
    for i in [0, 17, 80] {
        for c in 0..3 {
            let of = |t: &[f64]| {
                let w = structure.coefficient_matrix(&structure.unflatten(t).unwrap()).unwrap();
                probabilities(z.slice(ndarray::s![i..=i, ..]).dot(&w))[[0, c]]
            };
            let slope = ndarray::Array1::from_shape_fn(6, |k| {
                let (mut up, mut down) = (theta.clone(), theta.clone());
                (up[k], down[k]) = (up[k] + 1e-5, down[k] - 1e-5);
                (of(&up) - of(&down)) / 2e-5
            });
            let expected = slope.dot(&covariance.dot(&slope)).sqrt();
            assert!((se[[i, c]] / expected - 1.0).abs() < 1e-6, "{} for {expected}", se[[i, c]]);
        }
    }
}

#[test]
fn units_of_the_features_do_not_matter() {
    let structure = build("{ einsum = \"ar,br->ab\", sizes = { r = 1 } }", &[3, 4], 1);
    let sample = draw(&structure, 200, 2.0, 1);
    let (scale, y) = (2f64.powi(300), sample.sample().y.clone());
    let large = LabelledSample::new(&sample.sample().z * scale, y, Family::Logistic).unwrap();
    let (a, b) = (best(&structure, &sample, 0), best(&structure, &large, 0));
    assert!((a.best.objective / b.best.objective - 1.0).abs() < 1e-13);
    assert!(a.w.iter().zip(&b.w).all(|(a, b)| (a - b * scale).abs() < 1e-9));
    let se = |s: &LabelledSample, f: &Fit| {
        let inference = inference(&structure, s, &Method::default(), f);
        inference.probability_se(&s.sample().z.view(), &f.w.view())
    };
    assert!(se(&sample, &a).iter().zip(&se(&large, &b)).all(|(a, b)| (a - b).abs() < 1e-9));
}

#[test]
fn what_is_no_label_and_who_knows_none_are_errors() {
    let z = || Array2::<f64>::ones((4, 2));
    let y = |values: [f64; 4]| ArrayView2::from_shape((4, 1), &values).unwrap().to_owned();
    let message = |r: convstat_estimate::Result<LabelledSample>| r.unwrap_err().to_string();
    let found = message(LabelledSample::new(z(), y([0.0, 1.0, 2.0, 0.0]), Family::Logistic));
    assert!(found.contains("row 2") && found.contains("(2)"), "{found}");
    let found = message(LabelledSample::new(z(), Array2::ones((4, 2)), Family::Multinomial));
    assert!(found.contains("at most one 1"), "{found}");
    assert!(
        message(LabelledSample::new(z(), Array2::ones((4, 2)), Family::Logistic)).contains("multinomial")
    );
    assert!(message(LabelledSample::new(z(), y([0.0; 4]), Family::Gaussian)).contains("gaussian"));
    let found = message(LabelledSample::from_classes(z(), &[0, 1, 3, 0], 3));
    assert!(found.contains("class 3") && found.contains("between 0 and 2"), "{found}");
    assert!(LabelledSample::from_classes(z(), &[0; 4], 1).is_err());

    let sample = LabelledSample::new(z(), y([0.0, 1.0, 1.0, 0.0]), Family::Logistic).unwrap();
    assert_eq!(sample.family(), Family::Logistic);
    let structure = build("{ kind = \"dense\" }", &[2], 1);
    let unsuited: Vec<Method> = Method::all().into_iter().filter(|m| !m.fits_labels()).collect();
    assert!(["als", "ols", "ridge"].iter().all(|name| unsuited.iter().any(|m| m.name() == *name)));
    for method in unsuited {
        let found = refused(&structure, &sample, &method);
        assert!(found.contains("logistic") && found.contains("levenberg-marquardt"), "{found}");
    }
}
