//! The first-order risk of maximum likelihood against quadrature and against Wilks' theorem.

#![cfg(test)]

use convstat_cnn::{OutputModes, Structure, StructureSpec};
use convstat_estimate::solvers::LevenbergMarquardt;
use convstat_estimate::{FitOptions, Fitting, LabelledSample, Start, Termination, probabilities};
use convstat_theory::TangentRisk;
use ndarray::{Array2, ArrayD, IxDyn};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, StandardNormal};

fn build(text: &str, shape: &[usize], outputs: usize) -> Structure {
    StructureSpec::parse(text).unwrap().build(&OutputModes::plain(shape, outputs)).unwrap()
}

fn rows(n: usize, d: usize, rng: &mut ChaCha8Rng) -> Array2<f64> {
    Array2::from_shape_simple_fn((n, d), || StandardNormal.sample(rng))
}

#[test]
fn logistic_risk_is_the_quadrature() {
    convstat_tensor::blas::single_thread().unwrap();
    // Along W* the information of a row is E[v z²], across it E[v], with v = μ(1 − μ) at η = 2 z.
    let (d, size, n) = (5usize, 2.0, 400);
    let moment = |power: i32| -> f64 {
        // The trapezoidal rule on an analytic function that vanishes at both ends is exact to rounding.
        let h = 1e-2;
        (-1500..=1500)
            .map(|i| {
                let z = f64::from(i) * h;
                let weight = 1.0 / (2.0 + (size * z).exp() + (-size * z).exp());
                weight * z.powi(power) * (-z * z / 2.0).exp() * h / std::f64::consts::TAU.sqrt()
            })
            .sum()
    };
    let expected = (1.0 / moment(2) + (d - 1) as f64 / moment(0)) / n as f64;
    let structure = build("{ kind = \"dense\" }", &[d], 1);
    let mut w = Array2::zeros((d, 1));
    w[[0, 0]] = size;
    let factors = vec![
        ArrayD::from_shape_vec(IxDyn(&structure.factor_shapes()[0]), w.iter().copied().collect()).unwrap(),
    ];
    let risk = TangentRisk::new(&structure, &factors, &Array2::eye(d)).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let informations: Vec<_> = (0..400).map(|_| risk.information(&rows(n, d, &mut rng), &w)).collect();
    let found = risk.likelihood(&informations).unwrap().unwrap();
    for (value, se) in [found.frobenius, found.prediction] {
        assert!((value - expected).abs() < 3.0 * se && se < 0.01 * value, "{value} ± {se} for {expected}");
    }
    // Jensen: given designs of n rows the risk is larger, by about (df + 1)/n for Gaussian weights.
    let given = informations.iter().map(|i| risk.given_information(i).unwrap().1).sum::<f64>() / 400.0;
    assert!(given > found.prediction.0 && given < 1.1 * found.prediction.0, "{given}");
    assert!((risk.excess_risk(n as f64) - 5.0 / 800.0).abs() < 1e-15);
    assert!(risk.likelihood(&informations[..1]).unwrap().is_none());
    assert!(risk.given_information(&Array2::zeros((d, d))).is_none());
}

#[test]
fn the_fitted_deviance_is_wilks_below_the_true_one() {
    convstat_tensor::blas::single_thread().unwrap();
    let structure = build("{ einsum = \"ar,br,mr->abm\", sizes = { r = 1 } }", &[3, 3], 2);
    let mut rng = ChaCha8Rng::seed_from_u64(20_201_122);
    let truth = structure.random_point(|| StandardNormal.sample(&mut rng));
    let w = structure.coefficient_matrix(&truth).unwrap();
    let risk = TangentRisk::new(&structure, &truth, &Array2::eye(9)).unwrap();
    let (n, replicates) = (2000, 400);
    let options = FitOptions::bare(LevenbergMarquardt::from_starts(vec![Start::Oracle]));
    let (mut total, mut squares, mut expected) = (0.0, Vec::new(), 0.0);
    for _ in 0..replicates {
        let z = rows(n, 9, &mut rng);
        let classes: Vec<usize> = probabilities(z.dot(&w))
            .outer_iter()
            .map(|p| {
                let (u, mut sum) = (rng.random::<f64>(), 0.0);
                p.iter()
                    .position(|p| {
                        sum += p;
                        u < sum
                    })
                    .unwrap_or(0)
            })
            .collect();
        expected += risk.given_information(&risk.information(&z, &w)).unwrap().1 / f64::from(replicates);
        let sample = LabelledSample::from_classes(z, &classes, 3).unwrap();
        let found = Fitting::new(&structure, &options).truth(Some(&truth)).fit(&sample).unwrap().fit;
        assert_eq!(found.best.termination, Termination::Converged);
        total += sample.deviance(&w.view()) - found.best.objective;
        squares.push((&found.w - &w).iter().map(|v| v * v).sum::<f64>());
    }
    let (mean, df) = (total / f64::from(replicates), risk.df as f64);
    // χ² with df degrees of freedom has variance 2 df; three standard errors of the mean.
    let bound = 3.0 * (2.0 * df / f64::from(replicates)).sqrt();
    assert!((mean - df).abs() < bound, "{mean} for {df} ± {bound}");
    // Beyond first order the squared error grows by a few df/n, below these standard errors (four per cent).
    let reps = f64::from(replicates);
    let measured = squares.iter().sum::<f64>() / reps;
    let variance = squares.iter().map(|v| (v - measured).powi(2)).sum::<f64>() / (reps - 1.0);
    let mcse = (variance / reps).sqrt();
    assert!((measured - expected).abs() < 3.0 * mcse, "{measured} ± {mcse} for {expected}");
}
