//! Criteria against other programs, brute force and closed forms.

#![cfg(test)]

use convstat_cnn::Structure;
use convstat_estimate::select::{Evidence, Verdict, cross_validate, folds_of, unfolding_rank};
use convstat_estimate::{Criterion, EstimateError, FitOptions, FittedModel, Fitting, Method, Sample};
use convstat_tensor::evbmf;
use convstat_tensor::linalg::svd;
use ndarray::{Array2, Axis};
use serde_json::Value;

mod support;
use support::{build, fit, normals, spectral};

/// CNNs of 1 to `most` kernels.
fn cnns(most: usize, positions: usize, taps: &[usize], outputs: usize) -> Vec<Structure> {
    (1..=most)
        .map(|k| build(&format!("{{ kind = \"cnn\", kernels = {k} }}"), &[positions], taps, outputs))
        .collect()
}

fn draw(structure: &Structure, n: usize, sigma: f64, seed: u64) -> Sample {
    support::draw(structure, n, sigma, seed).0
}

fn method() -> Method {
    spectral(2)
}

fn fits(structures: &[Structure], sample: &Sample) -> Vec<FittedModel> {
    let mut normal = normals(77);
    let options = FitOptions { inference: true, ..FitOptions::bare(method()) };
    let fit = |s| Fitting::new(s, &options).normal(&mut normal).fit(sample).unwrap();
    structures.iter().map(fit).collect()
}

fn judge(criterion: Criterion, structures: &[Structure], sample: &Sample, positions: usize) -> Verdict {
    let small = sample.compressed().unwrap();
    let fitted = if criterion.needs_fits() { fits(structures, &small) } else { Vec::new() };
    let held_out = criterion.needs_folds().then(|| {
        let folds = folds_of(sample, 5, normals(3)).unwrap();
        cross_validate(structures, &folds, &method(), normals(4)).unwrap()
    });
    let (fitted, held_out) = (&fitted[..], held_out.as_ref());
    criterion.judge(&Evidence { structures, sample: &small, positions, fitted, held_out }).unwrap()
}

#[test]
fn information_criteria_of_a_dense_fit_are_statsmodels() {
    // Written by data/make_intervals.py.
    let r: Value = serde_json::from_str(include_str!("data/intervals.json")).unwrap();
    let list =
        |v: &Value| -> Vec<f64> { v.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect() };
    let z: Vec<f64> = r["z"].as_array().unwrap().iter().flat_map(list).collect();
    let z = Array2::from_shape_vec((20, 3), z).unwrap();
    let sample = Sample::new(z, Array2::from_shape_vec((20, 1), list(&r["y"])).unwrap()).unwrap();
    let dense = [build("{ kind = \"dense\" }", &[], &[3], 1)];
    for (criterion, key) in [(Criterion::Bic, "bic"), (Criterion::Aic, "aic")] {
        let found = judge(criterion, &dense, &sample, 3).values[0];
        assert!((found - r[key].as_f64().unwrap()).abs() < 1e-8, "{key} {found}");
    }
}

#[test]
fn several_responses_count_as_equations() {
    let dense = [build("{ kind = \"dense\" }", &[2], &[2], 3)];
    let sample = draw(&dense[0], 50, 1.0, 5);
    // Normal equations: RSS = ‖y‖² − tr(yᵀZ (ZᵀZ)⁻¹ Zᵀy).
    let explained = convstat_tensor::linalg::lstsq(&sample.z.view(), &sample.y.view()).unwrap();
    let rss = (&sample.y - &sample.z.dot(&explained)).mapv(|v| v * v).sum();
    let expected = 150.0 * (rss / 150.0).ln() + 12.0 * 50f64.ln();
    let found = judge(Criterion::Bic, &dense, &sample, 2).values[0];
    assert!((found - expected).abs() < 1e-8 * expected.abs(), "{found} {expected}");
}

#[test]
fn cross_validation_is_a_loop_over_raw_rows() {
    let structures = cnns(3, 3, &[4], 2);
    let (sample, folds) = (draw(&structures[1], 83, 1.0, 6), 7);
    let found = {
        let folds = folds_of(&sample, folds, normals(21)).unwrap();
        // 83 = 7·11 + 6: six folds of twelve rows, one of eleven.
        assert_eq!(folds.iter().map(|f| f.n as usize).collect::<Vec<_>>(), [12, 12, 12, 12, 12, 12, 11]);
        cross_validate(&structures, &folds, &method(), normals(22)).unwrap()
    };
    // Brute force: the fold of a row is its rank among the keys, modulo the folds; raw rows everywhere.
    let mut normal = normals(21);
    let keys: Vec<f64> = (0..83).map(|_| normal()).collect();
    let rank = |i: usize| keys.iter().filter(|k| **k < keys[i]).count();
    for (place, structure) in structures.iter().enumerate() {
        let mut means = Vec::new();
        let mut total = 0.0;
        for fold in 0..folds {
            let (out, kept): (Vec<usize>, Vec<usize>) = (0..83).partition(|&i| rank(i) % folds == fold);
            let part = |rows: &[usize]| (sample.z.select(Axis(0), rows), sample.y.select(Axis(0), rows));
            let ((z, y), (z_out, y_out)) = (part(&kept), part(&out));
            let fit = fit(structure, &Sample::new(z, y).unwrap(), &method(), fold as u64);
            let error = (&y_out - &z_out.dot(&fit.w)).mapv(|v| v * v).sum();
            total += error;
            means.push(error / (2 * out.len()) as f64);
        }
        let mean = total / 166.0;
        let se = (means.iter().map(|m| (m - mean).powi(2)).sum::<f64>() / 6.0 / 7.0).sqrt();
        // Fits of two roundings end within 1e-4 standard errors of each other.
        assert!((found.mean[place] / mean - 1.0).abs() < 1e-5, "{place}: {} {mean}", found.mean[place]);
        assert!((found.standard_error[place] / se - 1.0).abs() < 1e-4, "{place}");
    }
}

#[test]
fn folds_need_raw_rows_and_as_many_as_folds() {
    let sample = draw(&cnns(1, 2, &[2], 1)[0], 9, 1.0, 1);
    for (sample, folds, mend) in [
        (&sample, 1, "at least 2"),
        (&sample, 10, "fewer folds"),
        (&sample.compressed().unwrap(), 3, "raw sample"),
    ] {
        let error = folds_of(sample, folds, normals(1)).unwrap_err().to_string();
        assert!(error.contains(mend) && error.contains(&folds.to_string()), "{error}");
    }
}

#[test]
fn equal_sets_are_told_apart_by_their_parameters() {
    // P = 3: four to six kernels are the set of three, and the truth has three.
    let structures = cnns(6, 3, &[3, 3], 1);
    let sample = draw(&structures[2], 400, 0.5, 9);
    for criterion in [Criterion::Aic, Criterion::Bic, Criterion::Cv, Criterion::CvOneSe] {
        let verdict = judge(criterion, &structures, &sample, 3);
        assert_eq!(verdict.chosen, 2, "{criterion:?} {:?}", verdict.values);
        let spread = verdict.values[3..].iter().map(|v| (v - verdict.values[2]).abs()).fold(0.0, f64::max);
        assert!(spread < 1e-3, "{criterion:?}: the same set, but {:?}", verdict.values);
    }
    // The order of the candidates has no say.
    let reversed: Vec<Structure> = structures.iter().rev().cloned().collect();
    assert_eq!(judge(Criterion::Bic, &reversed, &sample, 3).chosen, 3);
}

#[test]
fn criteria_find_the_rank_of_the_truth() {
    let structures = cnns(4, 5, &[7], 1);
    for truth in 0..3 {
        let sample = draw(&structures[truth], 600, 0.5, 40 + truth as u64);
        for criterion in [Criterion::Bic, Criterion::CvOneSe] {
            let verdict = judge(criterion, &structures, &sample, 5);
            assert_eq!(verdict.chosen, truth, "{criterion:?} {:?}", verdict.values);
        }
        // Of a 5 × 7 matrix EVBMF keeps at most ⌈5/(1 + 5/7)⌉ − 1 = 2 components, whatever n.
        assert_eq!(judge(Criterion::Evbmf, &structures, &sample, 5).chosen, truth.min(1));
        // The smallest mean may be that of a larger rank, never of a smaller one where n is large.
        assert!(judge(Criterion::Cv, &structures, &sample, 5).chosen >= truth);
    }
}

#[test]
fn one_standard_error_takes_the_smallest_candidate_within_it() {
    let structures = cnns(4, 5, &[7], 1);
    let sample = draw(&structures[1], 120, 2.0, 8);
    let folds = folds_of(&sample, 10, normals(3)).unwrap();
    let held_out = cross_validate(&structures, &folds, &method(), normals(4)).unwrap();
    let evidence = Evidence {
        structures: &structures,
        sample: &sample,
        positions: 5,
        fitted: &[],
        held_out: Some(&held_out),
    };
    let verdict = Criterion::CvOneSe.judge(&evidence).unwrap();
    let best = (0..4).min_by(|&a, &b| held_out.mean[a].total_cmp(&held_out.mean[b])).unwrap();
    let limit = held_out.mean[best] + held_out.standard_error[best];
    assert_eq!(verdict.chosen, (0..4).find(|&i| held_out.mean[i] <= limit).unwrap());
    assert_eq!(Criterion::Cv.judge(&evidence).unwrap().chosen, best);
}

#[test]
fn saturated_fits_are_not_chosen_and_exact_ones_by_parsimony() {
    let structures = cnns(3, 3, &[4], 1);
    // df = 6, 10, 12.
    let sample = draw(&structures[0], 10, 1.0, 2);
    let verdict = judge(Criterion::Bic, &structures, &sample, 3);
    assert_eq!(verdict.chosen, 0);
    assert!(verdict.values[0].is_finite() && verdict.values[1..].iter().all(|v| *v == f64::INFINITY));
    let few = draw(&structures[0], 5, 1.0, 2);
    let fitted = fits(&structures, &few);
    let evidence =
        Evidence { structures: &structures, sample: &few, positions: 3, fitted: &fitted, held_out: None };
    let refused = Criterion::Bic.judge(&evidence);
    assert_eq!(refused, Err(EstimateError::NoCandidate { candidates: 3, equations: 5.0 }));
    // Without noise two kernels fit exactly, and so do three.
    let exact = draw(&structures[1], 60, 0.0, 2);
    let verdict = judge(Criterion::Bic, &structures, &exact, 3);
    assert_eq!(verdict.chosen, 1, "{:?}", verdict.values);
    // Evidence that is not there.
    assert!(Criterion::Cv.judge(&evidence).is_err());
    assert!(Criterion::Bic.judge(&Evidence { fitted: &[], ..evidence }).is_err());
}

#[test]
fn evbmf_judges_the_unfolding_of_least_squares() {
    // Orthonormal features make the noise of Ŵ white, as EVBMF has it; two responses stand with the positions.
    let structures = cnns(6, 6, &[20], 2);
    let mut normal = normals(12);
    let point = structures[2].random_point(&mut normal);
    let w = structures[2].coefficient_matrix(&point).unwrap();
    let y = &w + &(Array2::from_shape_simple_fn(w.dim(), &mut normal) * 0.3);
    let sample = Sample::new(Array2::eye(120), y.clone()).unwrap();
    let verdict = judge(Criterion::Evbmf, &structures, &sample, 6);
    let matrix = Array2::from_shape_fn((12, 20), |(i, tap)| y[[i / 2 * 20 + tap, i % 2]]);
    let (_, s, _) = svd(&matrix.view()).unwrap();
    let rank = evbmf(&s.to_vec(), 12, 20, 1e-10).rank;
    assert_eq!((rank, verdict.chosen), (3, 2));
    assert_eq!(verdict.values, [2.0, 1.0, 0.0, 1.0, 2.0, 3.0]);
    assert_eq!(unfolding_rank(&structures[4], 6).unwrap(), 5);
}
