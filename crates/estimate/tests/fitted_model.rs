//! The one call: options as files say them, units, interrupts, what is said of a fit.

#![cfg(test)]

use std::cell::Cell;

use convstat_cnn::Structure;
use convstat_estimate::select::{SelectOptions, select};
use convstat_estimate::solvers::LevenbergMarquardt;
use convstat_estimate::{
    Criterion, Diagnostic, EstimateError, Family, FitOptions, FittedModel, Fitting, Joint, LabelledSample,
    Method, Sample, Start, Termination, TracePoint,
};
use ndarray::Array2;
use serde_json::json;

mod support;
use support::{
    build_plain, cnn, draw, fit, iterative, known_problems, matrix, normals, ols, ridge, spectral,
};

fn of_rank(rank: usize, rows: usize, columns: usize) -> Structure {
    build_plain(&format!("{{ einsum = \"ar,br->ab\", sizes = {{ r = {rank} }} }}"), &[rows, columns], 1)
}

#[test]
fn every_solver_reads_its_options_and_no_others() {
    let iterative = json!({ "starts": ["spectral", "random"], "max_iterations": 7, "tolerance": 1e-3 });
    let adam = json!({ "starts": ["random"], "steps": 5, "batch": 2, "learning_rate": 0.5 });
    let all = ["starts", "max_iterations", "tolerance", "lambda", "steps", "batch", "learning_rate"];
    for method in Method::all() {
        let name = method.name();
        let own = match name {
            "ols" => json!({}),
            "ridge" => json!({ "lambda": 3.0 }),
            "nuclear-norm" => json!({ "lambda": 3.0, "max_iterations": 7, "tolerance": 1e-3 }),
            "adam" => adam.clone(),
            _ => iterative.clone(),
        };
        let with = |options: &serde_json::Value| {
            let mut options = options.clone();
            options["solver"] = name.into();
            serde_json::from_value::<Method>(options)
        };
        // The defaults, and what is written is read again.
        assert_eq!(with(&json!({})).unwrap(), method);
        let read = with(&own).unwrap();
        assert_eq!(serde_json::from_value::<Method>(serde_json::to_value(&read).unwrap()).unwrap(), read);
        let written = serde_json::to_value(&read).unwrap();
        for (key, value) in own.as_object().unwrap() {
            assert_eq!(&written[key], value, "{name}");
        }
        for key in all.into_iter().filter(|key| own.get(key).is_none()) {
            let mut options = own.clone();
            options[key] = if key == "starts" { json!(["random"]) } else { json!(1) };
            let message = with(&options).unwrap_err().to_string();
            assert!(message.contains("unknown field") && message.contains(key), "{name} {key}: {message}");
        }
    }
    assert!(serde_json::from_value::<Method>(json!({ "solver": "newton" })).is_err());
}

#[test]
fn options_outside_their_range_are_named() {
    let (structure, (sample, _)) = (of_rank(1, 2, 3), draw(&of_rank(1, 2, 3), 30, 1.0, 1));
    for (options, option) in [
        (json!({ "solver": "levenberg-marquardt", "max_iterations": 0 }), "max_iterations"),
        (json!({ "solver": "als", "tolerance": 0.0 }), "tolerance"),
        (json!({ "solver": "scaled-gradient", "starts": [] }), "starts"),
        (json!({ "solver": "ridge", "lambda": -1.0 }), "lambda"),
        (json!({ "solver": "nuclear-norm", "lambda": -1.0 }), "lambda"),
        (json!({ "solver": "adam", "steps": 0 }), "steps"),
    ] {
        let options = FitOptions::new(support::read(options));
        let refused = FittedModel::fit(&structure, &sample, &options).map(|_| ());
        assert!(
            matches!(&refused, Err(EstimateError::BadOption { option: found, .. }) if *found == option),
            "{refused:?}"
        );
    }
}

#[test]
fn starts_of_solvers_that_need_none_stay_none() {
    let starts = vec![Start::Random; 2];
    for method in Method::all() {
        let with = method.clone().with_starts(starts.clone());
        if method.starts().is_empty() {
            assert_eq!(with, method);
        } else {
            assert_eq!(with.starts(), starts);
        }
    }
}

#[test]
fn the_seed_is_a_stream_of_normals() {
    let structure = of_rank(2, 4, 5);
    let (sample, _) = draw(&structure, 60, 1.0, 2);
    let method: Method = LevenbergMarquardt::from_starts(vec![Start::Random; 3]).into();
    let options = FitOptions::bare(method.clone());
    let mut normal = normals(9);
    let given = Fitting::new(&structure, &options).normal(&mut normal).fit(&sample).unwrap().fit;
    assert_eq!(given.w, fit(&structure, &sample, &method, 9).w);
    assert_ne!(
        given.all[0].objective.to_bits(),
        fit(&structure, &sample, &method, 8).all[0].objective.to_bits()
    );
}

#[test]
fn an_interrupted_fit_is_the_best_point_so_far() {
    for problem in known_problems() {
        let (structure, sample) = (&problem.structure, &problem.sample);
        for steps in [0, 1, 3] {
            for method in iterative(json!({ "starts": ["random", "spectral"], "tolerance": 1e-15 })) {
                let name = format!("{} {} after {steps}", problem.name, method.name());
                if fit(structure, sample, &method, 1).all[0].iterations <= steps {
                    continue;
                }
                let asked = Cell::new(0);
                let stop = || {
                    asked.set(asked.get() + 1);
                    asked.get() > steps
                };
                let mut best = f64::INFINITY;
                let mut observer = |point: &TracePoint| {
                    if point.accepted {
                        best = best.min(point.objective);
                    }
                };
                let options = FitOptions::bare(method.clone());
                let found = Fitting::new(structure, &options)
                    .interrupt(&stop)
                    .observer(&mut observer)
                    .fit(sample)
                    .unwrap()
                    .fit;
                assert_eq!(found.best.termination, Termination::Interrupted, "{name}");
                assert_eq!((found.best.iterations, found.all.len()), (steps, 1), "{name}");
                assert_eq!(found.best.objective.to_bits(), best.to_bits(), "{name}");
                let own = sample.objective(&found.w.view());
                assert!((own / best - 1.0).abs() < 1e-12, "{name}: {own} for {best}");
                let w = structure.coefficient_matrix(&found.factors).unwrap();
                assert_eq!(w, found.w, "{name}");
                // The same point as with so many iterations.
                if steps > 0 {
                    let mut short = serde_json::to_value(&method).unwrap();
                    (short["max_iterations"], short["starts"]) = (json!(steps), json!(["random"]));
                    let short = fit(structure, sample, &support::read(short), 1);
                    assert_eq!(short.best.termination, Termination::MaxIterations, "{name}");
                    assert_eq!(short.w, found.w, "{name}");
                }
            }
        }
        // The default options refine no fit that was stopped.
        let options = FitOptions::new(spectral(0));
        let model = Fitting::new(structure, &options).interrupt(&|| true).fit(sample).unwrap();
        assert_eq!((model.termination(), model.fit.best.iterations), (Termination::Interrupted, 0));
        let is_named = |d: &Diagnostic| {
            matches!(d, Diagnostic::NotConverged { termination: Termination::Interrupted, .. })
        };
        assert!(model.diagnostics.iter().any(is_named), "{:?}", model.diagnostics);
        // Whoever is never told to stop goes on to the end.
        let model = Fitting::new(structure, &options).interrupt(&|| false).fit(sample).unwrap();
        assert_eq!(model.termination(), Termination::Converged);
        assert_eq!(model.fit.w, FittedModel::fit(structure, sample, &options).unwrap().fit.w);
    }
}

#[test]
fn an_interrupted_nuclear_norm_fit_says_so() {
    let problem = &known_problems()[2];
    let options = FitOptions::bare(Method::all().into_iter().find(|m| m.name() == "nuclear-norm").unwrap());
    // Few rows: the noise level comes from rounds of fits.
    let few = Sample::new(
        problem.sample.z.slice(ndarray::s![..30, ..]).to_owned(),
        problem.sample.y.slice(ndarray::s![..30, ..]).to_owned(),
    )
    .unwrap();
    for sample in [&problem.sample, &few] {
        let asked = Cell::new(0);
        let stop = || {
            asked.set(asked.get() + 1);
            asked.get() >= 3
        };
        let found = Fitting::new(&problem.structure, &options).interrupt(&stop).fit(sample).unwrap().fit;
        assert_eq!((found.best.termination, found.best.iterations), (Termination::Interrupted, 3));
    }
}

#[test]
fn models_of_data_in_other_units_are_the_same_but_for_powers_of_two() {
    let structure = of_rank(1, 3, 4);
    let (sample, _) = draw(&structure, 60, 0.5, 21);
    let exponents =
        [(0, 600), (600, 0), (600, 600), (-600, -600), (0, 640), (640, 640), (-640, -640), (512, -384)];
    for method in [spectral(3), ols(), ridge(0.0)] {
        let options = FitOptions::new(method);
        let fit = |sample: &Sample| FittedModel::fit(&structure, sample, &options).unwrap();
        let plain = fit(&sample);
        assert!(plain.diagnostics.is_empty(), "{:?}", plain.diagnostics);
        for (of_z, of_y) in exponents {
            let (a, b) = (2f64.powi(of_z), 2f64.powi(of_y));
            let model = fit(&Sample::new(&sample.z * a, &sample.y * b).unwrap());
            let case = format!("{} {of_z} {of_y}", options.method.name());
            // Bit for bit where the data come back to what they were; units are steps of 2^128.
            // Elsewhere to rounding; both are infinite where a square leaves the range.
            let is_exact = of_z % 128 == 0 && of_y % 128 == 0;
            let is_same =
                |found: f64, plain: f64| found == plain || (!is_exact && (found / plain - 1.0).abs() < 1e-12);
            let are_same = |found: &Array2<f64>, plain: &Array2<f64>| {
                found.iter().zip(plain).all(|(f, p)| is_same(f * a / b, *p))
            };
            assert!(are_same(model.coefficients(), plain.coefficients()), "{case}");
            let own = model.standard_errors().unwrap();
            assert!(own.iter().all(|v| *v > 0.0 && v.is_finite()), "{case}");
            assert!(are_same(&own, &plain.standard_errors().unwrap()), "{case}");
            let half = |m: &FittedModel| m.confidence(0.9).unwrap().coefficients(Joint::Pointwise);
            assert!(are_same(&half(&model), &half(&plain)), "{case}");
            assert_eq!(model.df().unwrap(), plain.df().unwrap(), "{case}");
            let (goodness, own) = (plain.goodness.unwrap(), model.goodness.unwrap());
            assert!(is_same(own.r_squared, goodness.r_squared), "{case}");
            for (found, plain) in [
                (model.residual_variance().unwrap(), plain.residual_variance().unwrap()),
                (model.fit.best.objective, plain.fit.best.objective),
                (own.objective, goodness.objective),
            ] {
                assert!(is_same(found, plain * b * b), "{case}: {found} {plain}");
            }
            let kinds: Vec<&str> = model.diagnostics.iter().map(Diagnostic::kind).collect();
            let expected: &[&str] = if of_y.abs() > 500 { &["out-of-range"] } else { &[] };
            assert_eq!(kinds, expected, "{case}");
        }
    }
}

#[test]
fn a_model_is_said_in_a_few_lines() {
    let structure = of_rank(1, 2, 3);
    // Features of small whole numbers: y = z_1 + 2 z_2 + 3 z_3 + 2 (z_4 + 2 z_5 + 3 z_6) and a rest.
    let z = Array2::from_shape_fn((24, 6), |(i, j)| ((i * (j + 3) + j * j * i * i) % 7) as f64 - 3.0);
    let w = Array2::from_shape_fn((6, 1), |(i, _)| (1 + i / 3) as f64 * (1 + i % 3) as f64);
    let y = z.dot(&w) + Array2::from_shape_fn((24, 1), |(i, _)| ((i * 5) % 4) as f64 * 0.1 - 0.15);
    let sample = Sample::new(z.clone(), y.clone()).unwrap();
    let model = FittedModel::fit(&structure, &sample, &FitOptions::default()).unwrap();
    assert_eq!(
        model.to_string(),
        "\
ar,br->ab by gaussian, n = 24
objective 2.885219e-1, converged
df 4 of 5 parameters, residual variance 1.442610e-2
 feature    coefficient    std. error
       0     9.98570e-1    5.46925e-3
       1      1.99174e0    1.52167e-2
       2      2.99381e0    1.23601e-2
       3      2.00462e0    1.50295e-2
       4      3.99839e0    1.81792e-2
       5      6.01005e0    2.26215e-2"
    );
    // Without inference there are no standard errors, and with two responses a column says which.
    let two = build_plain("{ kind = \"dense\" }", &[2], 2);
    let (sample, _) = draw(&two, 20, 0.0, 3);
    let text = FittedModel::fit(&two, &sample, &FitOptions::bare(ols())).unwrap().to_string();
    assert!(!text.contains("df ") && text.contains(" response "), "{text}");
    assert_eq!(text.lines().filter(|line| line.ends_with(" -")).count(), 4, "{text}");
    // Twelve coefficients of twenty, a warning, and shrinkage.
    let wide = cnn(1, 4, &[5]);
    let (sample, _) = draw(&wide, 60, 1.0, 4);
    let text = FittedModel::fit(&wide, &sample, &FitOptions::new(ridge(1.0))).unwrap().to_string();
    assert!(text.contains("… and 8 more coefficients") && text.contains("shrinkage"), "{text}");
    let none = Sample::new(sample.z, Array2::zeros((60, 1))).unwrap();
    let text = FittedModel::fit(&wide, &none, &FitOptions::default()).unwrap().to_string();
    assert!(text.contains("\nwarning: "), "{text}");
}

#[test]
fn bare_fits_have_no_inference_and_say_so() {
    let structure = of_rank(1, 3, 4);
    let (sample, _) = draw(&structure, 60, 1.0, 5);
    for method in Method::all().into_iter().filter(|m| m.name() != "adam") {
        let bare = FittedModel::fit(&structure, &sample, &FitOptions::bare(method.clone())).unwrap();
        assert!(bare.inference.is_none() && bare.goodness.is_none() && bare.diagnostics.is_empty());
        let refused = Err(EstimateError::NoInference);
        assert_eq!(bare.standard_errors().map(|_| ()), refused);
        assert_eq!(bare.df().map(|_| ()), refused);
        assert_eq!(bare.residual_variance().map(|_| ()), refused);
        assert_eq!(bare.confidence(0.9).map(|_| ()), refused);
        assert!(EstimateError::NoInference.to_string().contains("no standard errors"));
        // The full fit has what one asks for afterwards.
        let full = FittedModel::fit(&structure, &sample, &FitOptions::new(method.clone())).unwrap();
        let after = support::inference(&structure, &sample, &method, &full.fit);
        let own = full.inference().unwrap();
        let bits = |v: ndarray::Array1<f64>| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(own.coefficient_se()), bits(after.coefficient_se()), "{}", method.name());
        assert_eq!(full.diagnostics, support::diagnose(&structure, &sample, &method, &full.fit));
        // Only shrinking solvers without a known law have none.
        let is_nan = full.standard_errors().unwrap().iter().all(|v| v.is_nan());
        assert_eq!(is_nan, method.name() == "nuclear-norm");
    }
}

#[test]
fn the_goodness_of_a_fit_is_that_of_its_rows() {
    let structure = of_rank(2, 3, 4);
    let (sample, _) = draw(&structure, 60, 1.0, 6);
    let model = FittedModel::fit(&structure, &sample, &FitOptions::default()).unwrap();
    let goodness = model.goodness.unwrap();
    let residual = sample.objective(&model.coefficients().view());
    let mean = sample.y.mean().unwrap();
    let about = |centre: f64| sample.y.iter().map(|v| (v - centre).powi(2)).sum::<f64>();
    assert!((goodness.objective / residual - 1.0).abs() < 1e-12);
    assert!((goodness.r_squared - (1.0 - residual / about(mean))).abs() < 1e-12);
    assert!((goodness.r_squared_about_zero - (1.0 - residual / about(0.0))).abs() < 1e-12);
    // Compressed rows have no mean, and the same sum of squares about zero.
    let small = FittedModel::fit(&structure, &sample.compressed().unwrap(), &FitOptions::default()).unwrap();
    let small = small.goodness.unwrap();
    assert!(small.r_squared.is_nan());
    assert!((small.r_squared_about_zero - goodness.r_squared_about_zero).abs() < 1e-12);
}

#[test]
fn labels_have_models_too() {
    let structure = of_rank(1, 2, 3);
    let z = matrix(200, 6, 7);
    let y = Array2::from_shape_fn((200, 1), |(i, _)| {
        f64::from(u8::from(z[[i, 0]] + z[[i, 4]] > 0.3 * z[[i, 5]] * z[[i, 1]]))
    });
    let sample = LabelledSample::new(z, y, Family::Logistic).unwrap();
    let model = FittedModel::fit(&structure, &sample, &FitOptions::default()).unwrap();
    assert_eq!((model.df().unwrap(), model.residual_variance().unwrap()), (4.0, 1.0));
    let goodness = model.goodness.unwrap();
    assert!((goodness.objective / sample.deviance(&model.coefficients().view()) - 1.0).abs() < 1e-12);
    assert!(model.to_string().contains("logistic"), "{model}");
}

#[test]
fn selection_is_one_call_in_any_units() {
    let structures: Vec<Structure> = (1..=3).map(|k| cnn(k, 4, &[6])).collect();
    let (sample, _) = draw(&structures[1], 300, 0.5, 8);
    let options = SelectOptions {
        criteria: Criterion::ALL.to_vec(),
        method: spectral(1),
        seed: 3,
        folds: 5,
        positions: 4,
        geometry: None,
    };
    let plain = select(&structures, &sample, &options).unwrap();
    for (criterion, verdict) in &plain.verdicts {
        if !matches!(criterion, Criterion::Evbmf | Criterion::Cv) {
            assert_eq!(verdict.chosen, 1, "{criterion:?} {:?}", verdict.values);
        }
    }
    // The fits do not depend on the criteria, and fewer criteria judge as before.
    let bic =
        select(&structures, &sample, &SelectOptions { criteria: vec![Criterion::Bic], ..options.clone() });
    let bic = bic.unwrap();
    let of = |criterion| plain.verdicts.iter().find(|(c, _)| *c == criterion).unwrap().1.clone();
    assert_eq!(bic.verdicts[0].1, of(Criterion::Bic));
    assert_eq!(bic.fitted[2].fit.w, plain.fitted[2].fit.w);
    assert_eq!(bic.diagnostics.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1]);
    assert!(bic.diagnostics[0].1.is_empty(), "{:?}", bic.diagnostics);
    let scaled = Sample::new(sample.z.clone(), &sample.y * 2f64.powi(400)).unwrap();
    let scaled = select(&structures, &scaled, &options).unwrap();
    // nM log of 2^800.
    let shift = 300.0 * 800.0 * std::f64::consts::LN_2;
    for ((criterion, plain), (_, scaled)) in plain.verdicts.iter().zip(&scaled.verdicts) {
        assert_eq!(plain.chosen, scaled.chosen, "{criterion:?}");
        for (plain, scaled) in plain.values.iter().zip(&scaled.values) {
            let expected = match criterion {
                Criterion::Aic | Criterion::Bic => plain + shift,
                Criterion::Cv | Criterion::CvOneSe => plain * 2f64.powi(800),
                _ => *plain,
            };
            assert!((scaled - expected).abs() <= 1e-9 * expected.abs(), "{criterion:?} {scaled} {expected}");
        }
    }
    for (plain, scaled) in plain.fitted.iter().zip(&scaled.fitted) {
        assert!(
            plain.fit.w.iter().zip(&scaled.fit.w).all(|(p, s)| (s / 2f64.powi(400) / p - 1.0).abs() < 1e-9)
        );
    }
}
