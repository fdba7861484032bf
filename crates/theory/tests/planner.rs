//! The planner and the reference risks against simulation and closed forms.

#![cfg(test)]

use convstat_cnn::{OutputModes, StructureSpec};
use convstat_tensor::linalg::psd_root;
use convstat_theory::{
    ErrorNorm, ExplicitBound, TangentRisk, du_rates, equivariance_gap, explicit_bound, n_for_explicit,
    ols_risk, ridge_risk,
};
use ndarray::{Array1, Array2};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

/// Dense regression with D = 6 features of unequal variance.
fn dense() -> (TangentRisk, Array2<f64>, Array2<f64>) {
    convstat_tensor::blas::single_thread().unwrap();
    let sigma_z = Array2::from_diag(&Array1::from(vec![0.2, 0.5, 1.0, 1.0, 2.0, 3.0]));
    let root = psd_root(&sigma_z.view()).unwrap();
    let s =
        StructureSpec::parse("{ kind = \"dense\" }").unwrap().build(&OutputModes::plain(&[6], 1)).unwrap();
    (TangentRisk::new(&s, &s.generic_point(), &root).unwrap(), sigma_z, root)
}

#[test]
fn quantiles_and_means_are_those_of_drawn_samples() {
    let (risk, sigma_z, root) = dense();
    let (n, sigma, draws) = (30usize, 0.7, 20_000);
    let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(4);
    let (mut pred, mut frob) = (Vec::new(), Vec::new());
    for _ in 0..draws {
        let z =
            Array2::from_shape_simple_fn((n, 6), || -> f64 { StandardNormal.sample(&mut rng) }).dot(&root);
        let (f, p) = risk.given_design(sigma, &z).unwrap().unwrap();
        // Given the design, Δ ~ N(0, σ²(ZᵀZ)^{-1}).
        let r = convstat_tensor::linalg::qr_r(&z.view()).unwrap();
        let g = Array2::from_shape_simple_fn((6, 1), || -> f64 { StandardNormal.sample(&mut rng) });
        let delta = convstat_tensor::linalg::solve_upper(&r.view(), &g.view()) * sigma;
        frob.push((&delta * &delta).sum());
        pred.push((&delta * &sigma_z.dot(&delta)).sum());
        assert!(f > 0.0 && p > 0.0);
    }
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let se = |v: &[f64]| {
        let m = mean(v);
        (v.iter().map(|x| (x - m).powi(2)).sum::<f64>() / v.len() as f64 / v.len() as f64).sqrt()
    };
    let divisor = risk.finite_n(n as f64).unwrap();
    assert!((mean(&pred) - risk.prediction(sigma, divisor)).abs() < 4.0 * se(&pred));
    assert!((mean(&frob) - risk.frobenius(sigma, divisor)).abs() < 4.0 * se(&frob));
    let (ols_frob, ols_pred) = ols_risk(&sigma_z, sigma, n as f64).unwrap().unwrap();
    assert!((ols_pred / risk.prediction(sigma, divisor) - 1.0).abs() < 1e-12);
    assert!((ols_frob / risk.frobenius(sigma, divisor) - 1.0).abs() < 1e-12);
    for confidence in [0.5, 0.9, 0.95, 0.99] {
        let q = risk.quantile(ErrorNorm::Prediction, sigma, n as f64, confidence).unwrap().unwrap();
        let below = pred.iter().filter(|e| e.sqrt() <= q).count() as f64 / f64::from(draws);
        // Exact law: within 4 binomial standard errors.
        assert!(
            (below - confidence).abs() < 4.0 * (confidence * (1.0 - confidence) / f64::from(draws)).sqrt()
        );
        let n_needed = risk.n_for_quantile(ErrorNorm::Prediction, sigma, q, confidence).unwrap().unwrap();
        assert!((n_needed - n as f64).abs() <= 1.0, "{n_needed}");
    }
    let target = (risk.prediction(sigma, divisor)).sqrt();
    assert!((risk.n_for_mean(ErrorNorm::Prediction, sigma, target).unwrap() - n as f64).abs() <= 1.0);
}

#[test]
fn ridge_risk_is_that_of_drawn_noise() {
    let (_, sigma_z, root) = dense();
    let mut rng = rand::rngs::ChaCha8Rng::seed_from_u64(5);
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    let (lambda, sigma) = (3.0, 1.2);
    for n in [4, 25] {
        let z = Array2::from_shape_simple_fn((n, 6), &mut normal).dot(&root);
        let w = Array1::from_shape_simple_fn(6, &mut normal);
        let (frob, pred) = ridge_risk(&z, &sigma_z, &w, lambda, sigma).unwrap();
        let gram = z.t().dot(&z) + Array2::<f64>::eye(6) * lambda;
        let inverse = convstat_tensor::linalg::lstsq(&gram.view(), &Array2::eye(6).view()).unwrap();
        let map = inverse.dot(&z.t());
        let bias = map.dot(&z.dot(&w)) - &w;
        let direct_frob = bias.dot(&bias) + sigma * sigma * (&map * &map).sum();
        let direct_pred = bias.dot(&sigma_z.dot(&bias)) + sigma * sigma * (&map * &sigma_z.dot(&map)).sum();
        assert!((frob / direct_frob - 1.0).abs() < 1e-10 && (pred / direct_pred - 1.0).abs() < 1e-10);
    }
}

#[test]
fn planned_n_is_the_smallest() {
    let bound = ExplicitBound { width: 8.5, t: 4.1 };
    for target in [0.1, 0.5, 3.0] {
        let n = n_for_explicit(&bound, 1.0, target, 1.0).unwrap().unwrap();
        assert!(explicit_bound(&bound, 1.0, n).unwrap().error <= target);
        assert!(explicit_bound(&bound, 1.0, n - 1.0).unwrap().error > target);
    }
    assert!(n_for_explicit(&bound, 1.0, 0.1, 0.0).unwrap().is_none());
    assert!(n_for_explicit(&bound, 1.0, -1.0, 1.0).is_err());
    assert_eq!(du_rates(9, 4, 64, 0.1).unwrap().0.round(), 1300.0);
    // d = 10, ε = 0: 10·13/2 − 1.
    assert_eq!(equivariance_gap(10, 0.0).unwrap(), (64.0, 10.0));
    assert!(equivariance_gap(10, 1.0).is_err());
}

#[test]
fn quantiles_run_on_at_any_n() {
    let (risk, ..) = dense();
    // Across the change from the F law to its expansion, and far beyond it.
    let at = |n: f64| risk.quantile(ErrorNorm::Prediction, 1.0, n, 0.95).unwrap().unwrap() * n.sqrt();
    let (before, after) = (at(100_004.0), at(100_008.0));
    assert!((after / before - 1.0).abs() < 1e-7, "{before} {after}");
    // √(χ²_6 at 0.95).
    assert!((at(1e15) - 12.591_587_243_743_977f64.sqrt()).abs() < 1e-6);
    // A target that every n meets needs one with a finite risk.
    assert_eq!(risk.n_for_mean(ErrorNorm::Prediction, 1.0, 1e12).unwrap(), 8.0);
}
