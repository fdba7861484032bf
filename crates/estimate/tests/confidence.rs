//! Intervals and regions against ordinary least squares of another program, and their coverage.

#![cfg(test)]

use convstat_estimate::{EstimateError, Joint, Method, Sample, fisher_quantile};
use ndarray::Array2;
use serde_json::Value;

mod support;
use support::{build, dense, fit, found_elsewhere, inference, normals, ols, spectral};

/// Written by data/make_intervals.py (statsmodels, SciPy).
fn reference() -> Value {
    serde_json::from_str(include_str!("data/intervals.json")).unwrap()
}

fn list(v: &Value) -> Vec<f64> {
    v.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn matrix(v: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = v.as_array().unwrap().iter().map(list).collect();
    Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).unwrap()
}

/// `centre ± half` against two columns of lower and upper ends.
fn assert_ends(centre: &[f64], half: &Array2<f64>, ends: &Array2<f64>) {
    assert_eq!(centre.len(), ends.nrows());
    for ((c, h), end) in centre.iter().zip(half).zip(ends.rows()) {
        assert!((c - h - end[0]).abs() < 1e-9 && (c + h - end[1]).abs() < 1e-9, "{c} ± {h}, {end}");
    }
}

#[test]
fn a_dense_fit_has_the_intervals_of_least_squares() {
    let r = reference();
    let (z, y, fresh) = (matrix(&r["z"]), list(&r["y"]), matrix(&r["fresh"]));
    let level = r["level"].as_f64().unwrap();
    // In large units too: nothing may leave the range of f64 on the way.
    for unit in [1.0, 2f64.powi(300)] {
        let y = Array2::from_shape_vec((y.len(), 1), y.iter().map(|v| v * unit).collect()).unwrap();
        let raw = Sample::new(z.clone(), y).unwrap();
        for sample in [raw.compressed().unwrap(), raw] {
            let structure = build("{ kind = \"dense\" }", &[], &[3], 1);
            let fit = fit(&structure, &sample, &Method::default(), 1);
            let w = fit.w.mapv(|v| v / unit);
            for method in [Method::default(), ols()] {
                let inference = inference(&structure, &sample, &method, &fit);
                let c = inference.confidence(level).unwrap();
                assert_eq!(inference.residual_df(), 17.0);
                let centre: Vec<f64> = w.iter().copied().collect();
                assert_ends(&centre, &(c.coefficients(Joint::Pointwise) / unit), &matrix(&r["conf_int"]));
                let at: Vec<f64> = fresh.dot(&w).into_iter().collect();
                assert_ends(&at, &(c.fitted(&fresh.view(), Joint::Pointwise) / unit), &matrix(&r["mean_ci"]));
                assert_ends(&at, &(c.response(&fresh.view()) / unit), &matrix(&r["obs_ci"]));
                // Scheffé's factor is √(df F) where Student's is t.
                let ratio = (3.0 * fisher_quantile(3.0, 17.0, level).unwrap()
                    / fisher_quantile(1.0, 17.0, level).unwrap())
                .sqrt();
                let both = [Joint::Simultaneous, Joint::Pointwise].map(|j| c.fitted(&fresh.view(), j));
                assert!((&both[0] / &both[1]).iter().all(|v| (v - ratio).abs() < 1e-9));
            }
        }
    }
}

#[test]
fn the_region_is_that_of_the_f_test() {
    let r = reference();
    let (z, y) = (matrix(&r["z"]), list(&r["y"]));
    let sample = Sample::new(z, Array2::from_shape_vec((y.len(), 1), y).unwrap()).unwrap();
    let w = Array2::from_shape_vec((3, 1), list(&r["params"])).unwrap();
    let at = Array2::from_shape_vec((3, 1), list(&r["at"])).unwrap();
    let inference = inference(&dense(3), &sample, &ols(), &found_elsewhere(&sample, w.clone()));
    // On the edge at level 1 - p.
    let edge = 1.0 - r["p_value"].as_f64().unwrap();
    let holds = |level: f64| inference.confidence(level).unwrap().contains(&sample, &w.view(), &at.view());
    assert!(holds(edge + 1e-6) && !holds(edge - 1e-6), "{edge}");
}

#[test]
fn quantiles_are_scipys() {
    for q in reference()["quantiles"].as_array().unwrap() {
        let [d1, d2, p, expected] = list(q)[..] else { panic!("four numbers") };
        let found = fisher_quantile(d1, d2, p).unwrap();
        // Beyond 1e5 an expansion whose next term is of the order (d1/d2)².
        let tolerance = 1e-9 + (d1 / d2).powi(2);
        assert!((found / expected - 1.0).abs() < tolerance, "F({d1}, {d2}) at {p}: {found}, {expected}");
    }
    assert_eq!(fisher_quantile(3.0, 0.0, 0.9), None);
    assert_eq!(fisher_quantile(3.0, 5.0, 1.0), None);
}

#[test]
fn levels_and_saturated_fits_are_refused() {
    let mut normal = normals(3);
    let z = Array2::from_shape_simple_fn((4, 4), &mut normal);
    let y = Array2::from_shape_simple_fn((4, 1), &mut normal);
    let sample = Sample::new(z, y).unwrap();
    let fit = found_elsewhere(&sample, Array2::zeros((4, 1)));
    let inference = inference(&dense(4), &sample, &ols(), &fit);
    for level in [0.0, 1.0, 95.0, f64::NAN] {
        let refused = inference.confidence(level).map(|_| ());
        assert!(matches!(refused, Err(EstimateError::BadOption { option: "level", .. })), "{level}");
    }
    let refused = inference.confidence(0.9).map(|_| ());
    assert_eq!(refused, Err(EstimateError::NoResidualFreedom { df: 4.0, equations: 4.0 }));
}

#[test]
fn intervals_of_a_low_rank_fit_cover_as_often_as_they_say() {
    // Two responses, n far above df = 16: the delta method holds.
    let structure = build("{ kind = \"cnn\", kernels = 2 }", &[2], &[6], 2);
    let mut normal = normals(11);
    let truth = structure.random_point(&mut normal);
    let w = structure.coefficient_matrix(&truth).unwrap();
    let (replicates, level) = (400, 0.9);
    let (mut entries, mut fitted, mut responses, mut regions, mut all) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for _ in 0..replicates {
        let z = Array2::from_shape_simple_fn((300, 12), &mut normal);
        let noise = Array2::from_shape_simple_fn((300, 2), &mut normal) * 0.5;
        let sample = Sample::new(z.clone(), z.dot(&w) + noise).unwrap().compressed().unwrap();
        let fit = fit(&structure, &sample, &spectral(0), 1);
        let inference = inference(&structure, &sample, &spectral(0), &fit);
        assert_eq!(inference.df, 16.0);
        let c = inference.confidence(level).unwrap();
        let off = &fit.w - &w;
        let share = |off: &Array2<f64>, half: &Array2<f64>| {
            off.iter().zip(half).filter(|(o, h)| o.abs() <= **h).count() as f64 / off.len() as f64
        };
        entries += share(&off, &c.coefficients(Joint::Pointwise));
        all += f64::from(share(&off, &c.coefficients(Joint::Simultaneous)) == 1.0);
        let fresh = Array2::from_shape_simple_fn((8, 12), &mut normal);
        let at = fresh.dot(&off);
        fitted += share(&at, &c.fitted(&fresh.view(), Joint::Pointwise));
        let new = Array2::from_shape_simple_fn((8, 2), &mut normal) * 0.5;
        responses += share(&(&at - &new), &c.response(&fresh.view()));
        regions += f64::from(c.contains(&sample, &fit.w.view(), &w.view()));
    }
    // A share a replicate has a standard deviation of at most √(0.09); four MCSE.
    let tolerance = 4.0 * (level * (1.0 - level) / f64::from(replicates)).sqrt();
    for (name, sum) in
        [("entries", entries), ("fitted", fitted), ("responses", responses), ("regions", regions)]
    {
        let found = sum / f64::from(replicates);
        assert!((found - level).abs() < tolerance, "{name}: {found}");
    }
    assert!(all / f64::from(replicates) >= level);
}
