//! Problems that are hard for double precision, against solutions in 60 digits (`data/make_nasty.py`), within bounds
//! that perturbation theory gives for each case's own condition number.
//!
//! `u = ε/2`. A backward stable least-squares solution solves a problem whose matrix is off by `η = n D u` (Higham 2002,
//! Theorem 20.3); Theorem 20.1 (Wedin) then bounds solution, residual and, by `‖ΔA⁺‖ ≤ √2 ‖A⁺‖² ‖ΔA‖`, standard errors.

#![cfg(test)]

use convstat_cnn::Structure;
use convstat_estimate::{Diagnostic, FitOptions, Fitting, Method, Sample, design_times};
use convstat_tensor::linalg::{column_basis, svd};
use ndarray::{Array1, Array2, ArrayD, IxDyn};
use serde_json::{Value, json};

mod support;
use support::{build_plain, dense, diagnose, fit, fit_with, inference, ols, read, ridge};

const U: f64 = f64::EPSILON / 2.0;

fn cases(kind: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("data/nasty.json")).unwrap();
    all[kind].as_array().unwrap().clone()
}

fn list(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn sample(case: &Value) -> Sample {
    let shape = list(&case["shape"]);
    let (n, d) = (shape[0] as usize, shape[1] as usize);
    let z = Array2::from_shape_vec((n, d), list(&case["z"])).unwrap();
    Sample::new(z, Array2::from_shape_vec((n, 1), list(&case["y"])).unwrap()).unwrap()
}

fn norm<'a>(values: impl IntoIterator<Item = &'a f64>) -> f64 {
    values.into_iter().map(|v| v * v).sum::<f64>().sqrt()
}

fn distance<'a>(a: impl IntoIterator<Item = &'a f64>, b: &[f64]) -> f64 {
    a.into_iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// Largest and smallest singular value above rounding.
fn range(a: &Array2<f64>) -> (f64, f64) {
    let (_, s, _) = svd(&a.view()).unwrap();
    let largest = s[0];
    (largest, s.iter().copied().filter(|v| *v > 1e-13 * largest).fold(largest, f64::min))
}

/// `‖|Z||w|‖`, what rounding of the fitted values is a share of.
fn absolute_fit(z: &Array2<f64>, w: &[f64]) -> f64 {
    norm(&z.mapv(f64::abs).dot(&Array1::from_iter(w.iter().map(|v| v.abs()))))
}

/// Units of the features: their norms where these are graded.
fn units(name: &str, z: &Array2<f64>) -> Vec<f64> {
    z.columns().into_iter().map(|c| if name.contains("graded") { norm(c) } else { 1.0 }).collect()
}

fn times(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a * b).collect()
}

/// Least squares, or ridge with this penalty.
fn direct(penalty: f64) -> Method {
    if penalty > 0.0 { ridge(penalty) } else { ols() }
}

/// The largest error in its bound, by what was compared.
#[derive(Default)]
struct Worst(Vec<(&'static str, f64, String)>);

impl Worst {
    fn check(&mut self, what: &'static str, case: &str, error: f64, bound: f64) {
        println!("{case}: {what} {error:.2e}, bound {bound:.2e}");
        assert!(error <= bound, "{case}: {what} is off by {error:e}, theory allows {bound:e}");
        self.0.push((what, error / bound, case.to_owned()));
    }
}

#[test]
fn linear_problems() {
    let mut worst = Worst::default();
    for case in cases("linear") {
        let (name, raw) = (case["name"].as_str().unwrap(), sample(&case));
        let (w, se) = (list(&case["w"]), list(&case["se"]));
        let (objective, penalty) = (case["objective"].as_f64().unwrap(), case["penalty"].as_f64().unwrap());
        let (n, d) = (raw.z.nrows() as f64, raw.features() as f64);
        // Columns of least squares are brought to like norms: its error is that of the matrix so scaled (van der Sluis
        // 1969), in the norm so scaled. A penalty is a block of rows below.
        let norms = units(name, &raw.z);
        let mut a = &raw.z / &Array1::from(norms.clone());
        if penalty > 0.0 {
            a.append(ndarray::Axis(0), (Array2::eye(a.ncols()) * penalty.sqrt()).view()).unwrap();
        }
        let (largest, smallest) = range(&a);
        let (kappa, eta) = (largest / smallest, n * d * U);
        let scaled = times(&w, &norms);
        let residual = (objective + penalty * norm(&w).powi(2)).sqrt();
        let size = norm(&raw.y);
        let structure = dense(raw.features());
        let method = direct(penalty);
        for (how, sample) in [("raw", raw.clone()), ("compressed", raw.compressed().unwrap())] {
            let name = format!("{name} ({how})");
            let found = fit(&structure, &sample, &method, 1);
            // Compression is another factorisation, by ZᵀZ where the condition number is at most 1000.
            let eta = match how {
                "raw" => eta,
                _ if kappa <= 1e3 => 2.0 * eta * kappa,
                _ => 2.0 * eta,
            };
            let share = kappa * eta;
            assert!(share < 0.5, "{name}");
            let bound = share / (1.0 - share) * (2.0 * norm(&scaled) + (kappa + 1.0) * residual / largest);
            let ours = times(&found.w.iter().copied().collect::<Vec<f64>>(), &norms);
            worst.check("W", &name, distance(&ours, &scaled), bound);

            // AΔx is the projection of ΔA x + Δb, and of (A + ΔA)⁺ᵀ ΔAᵀ r.
            let data = eta * (largest * norm(&scaled) + size);
            let evaluation = (d + 2.0) * U * (absolute_fit(&raw.z, &w) + size);
            let off = (data + eta * kappa * residual) / (1.0 - share) + evaluation;
            let values = raw.z.dot(&found.w);
            let target = raw.z.dot(&Array1::from(w.clone()));
            worst.check("prediction", &name, distance(&values, target.as_slice().unwrap()), off);
            // The residual is orthogonal to AΔx, but for the penalty, and in compressed samples off by ΔA x + Δb too.
            let along = if penalty > 0.0 { off } else { data };
            let rest = objective.sqrt();
            let bound =
                (2.0 * rest + along + evaluation) * (along + evaluation) + off * off + n * U * objective;
            worst.check("objective", &name, (found.best.objective - objective).abs(), bound);

            let inference = inference(&structure, &sample, &method, &found);
            worst.check("df", &name, (inference.df - case["df"].as_f64().unwrap()).abs(), 4.0 * d * share);
            if objective > 1e-100 {
                let variance = bound / objective;
                let relative = 2.0 * (2.0 * d).sqrt() * share + variance + d * d * share / (n - d);
                let ours = times(&inference.coefficient_se().to_vec(), &norms);
                let theirs = times(&se, &norms);
                worst.check("standard errors", &name, distance(&ours, &theirs), relative * norm(&theirs));
            }
        }
    }
    report(worst);
}

fn report(mut worst: Worst) {
    worst.0.sort_by(|a, b| b.1.total_cmp(&a.1));
    for (what, share, case) in worst.0.iter().take(8) {
        println!("largest share of a bound: {share:.2e} {what} of {case}");
    }
}

/// The structure of a network case.
fn network(case: &Value) -> Structure {
    let (text, sizes) = (case["einsum"].as_str().unwrap(), case["sizes"].as_object().unwrap());
    let output: Vec<char> = text.split_once("->").unwrap().1.chars().collect();
    let size = |c: &char| sizes[&c.to_string()].as_u64().unwrap() as usize;
    let inner: Vec<String> = sizes
        .iter()
        .filter(|(c, _)| !output.contains(&c.chars().next().unwrap()))
        .map(|(c, v)| format!("{c} = {v}"))
        .collect();
    let spec = format!("{{ einsum = \"{text}\", sizes = {{ {} }} }}", inner.join(", "));
    build_plain(&spec, &output.iter().map(size).collect::<Vec<_>>(), 1)
}

#[test]
fn networks() {
    let mut worst = Worst::default();
    for case in cases("networks") {
        let (name, sample, structure) = (case["name"].as_str().unwrap(), sample(&case), network(&case));
        let truth: Vec<ArrayD<f64>> = case["truth"]
            .as_array()
            .unwrap()
            .iter()
            .zip(structure.factor_shapes())
            .map(|(t, s)| ArrayD::from_shape_vec(IxDyn(&s), list(t)).unwrap())
            .collect();
        let (w, se) = (list(&case["w"]), list(&case["se"]));
        let objective = case["objective"].as_f64().unwrap();
        let starts = [&["spectral", "oracle"][..], &["random"; 10]].concat();
        let method =
            read(json!({ "solver": "levenberg-marquardt", "starts": starts, "max_iterations": 5000 }));
        let before = fit_with(&structure, &sample, &method, &truth, 3).w;
        let options = FitOptions { seed: 3, refine: true, ..FitOptions::bare(method.clone()) };
        let found = Fitting::new(&structure, &options).truth(Some(&truth)).fit(&sample).unwrap().fit;

        // In the units of the features; columns of the Jacobian brought to norm 1, which changes no space.
        let norms = units(name, &sample.z);
        let z = &sample.z / &Array1::from(norms.clone());
        let mut jacobian = structure.jacobian(&found.factors).unwrap();
        for (mut row, unit) in jacobian.rows_mut().into_iter().zip(&norms) {
            row *= *unit;
        }
        let columns: Vec<f64> = design_times(&z, &jacobian).columns().into_iter().map(norm).collect();
        jacobian /= &Array1::from(columns);
        let (n, d, p) = (sample.n, sample.features() as f64, jacobian.ncols() as f64);
        // The iteration ends where Uᵀ(y − ZŴ) is rounding: of the residual by η(‖y‖ + ‖|Z||Ŵ|‖), of the orthonormal U by
        // κ(ZJ) η; Newton's matrix turns that into the error of the fitted values, and Z on the tangent space into that
        // of W.
        let eta = n * p * U;
        let (high, low) = range(&design_times(&z, &jacobian));
        let kappa = high / low;
        let (tangent, s) = column_basis(&jacobian.view(), 1e-13).unwrap();
        let (top, bottom) = range(&design_times(&z, &tangent));
        let least = case["information"][0].as_f64().unwrap();
        let rounding = norm(&sample.y) + absolute_fit(&sample.z, &w);
        let off = eta * (rounding + kappa * objective.sqrt()) / least;

        println!("{name}: cond(ZJ) {kappa:.1e}, on the tangent space {:.1e}, {:?}", top / bottom, found.best);
        let target = sample.z.dot(&Array1::from(w.clone()));
        let values = sample.z.dot(&found.w);
        let unrefined = distance(&sample.z.dot(&before), target.as_slice().unwrap());
        println!("{name}: prediction before refinement {unrefined:.1e}");
        let error = distance(&values, target.as_slice().unwrap());
        worst.check("prediction", name, error, off + (d + 2.0) * U * absolute_fit(&sample.z, &w));
        let (ours, theirs) =
            (times(&found.w.iter().copied().collect::<Vec<f64>>(), &norms), times(&w, &norms));
        worst.check("W", name, distance(&ours, &theirs), off / bottom + p * U * norm(&theirs));
        let bound = 2.0 * objective.sqrt() * eta * rounding + off * off + (n + d) * U * objective;
        worst.check("objective", name, (found.best.objective - objective).abs(), bound);

        let inference = inference(&structure, &sample, &method, &found);
        assert!((inference.df - case["df"].as_f64().unwrap()).abs() < 0.5, "{name}: df {}", inference.df);
        // Cov^½ = σ J (ZJ)⁺: J is off by η and by the error of the factors, that of W over the least singular value of J;
        // (ZJ)⁺ as in Wedin's theorem.
        let (largest, smallest) = (s[0], s[tangent.ncols() - 1]);
        let turn = eta + off / bottom / smallest;
        let relative = 4.0 * kappa * turn;
        let scale = (objective / (n - inference.df)).sqrt() * inference.df.sqrt() * largest / low;
        let theirs = times(&se, &norms);
        let ours = times(&inference.coefficient_se().to_vec(), &norms);
        worst.check(
            "standard errors",
            name,
            distance(&ours, &theirs),
            relative * scale + bound / objective * norm(&theirs),
        );
    }
    report(worst);
}

/// What the diagnostics say of the linear problems.
#[test]
fn hard_linear_problems_are_named() {
    for case in cases("linear") {
        let (name, sample) = (case["name"].as_str().unwrap(), sample(&case));
        let penalty = case["penalty"].as_f64().unwrap();
        let structure = dense(sample.features());
        let method = direct(penalty);
        let found = fit(&structure, &sample, &method, 1);
        let named = diagnose(&structure, &sample, &method, &found);
        for diagnostic in &named {
            println!("{name}: {diagnostic}");
        }
        // Digits promised are digits had: the reference tells.
        let w = list(&case["w"]);
        let digits = -(distance(&found.w, &w) / norm(&w)).max(1e-17).log10();
        let promised = named.iter().find_map(|d| match d {
            Diagnostic::IllConditioned { digits, .. } => Some(*digits),
            _ => None,
        });
        // The estimate leaves out the factor n D of the rigorous bound.
        let slack = (sample.n * sample.features() as f64).log10();
        assert!(digits >= promised.unwrap_or(6.0) - slack, "{name}: {digits} of {promised:?}");
        if case["condition"].as_f64().unwrap() < 1e3 {
            assert!(named.is_empty(), "{name}: {named:?}");
        }
    }
}
