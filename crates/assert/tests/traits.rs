//! Structures, estimators, bounds and simulations through the traits, the toolkit's own and others.

#![cfg(test)]

use convstat_assert::{
    AssertError, Bound, BoxError, Claim, Decision, Detectable, ErrorNorm, Estimator, Explicit, Options,
    Replicates, Sample, Simulation, SmoothFit, SmoothStructure, StructureFit, assert_bound,
    assert_matches_risk, assert_rate, bound, matches_risk, rate, slope_of,
};
use convstat_cnn::{Geometry, GeometrySpec, Structure, StructureSpec};
use convstat_estimate::{FitOptions, FittedModel};
use convstat_tensor::linalg::{lstsq, psd_root};
use convstat_theory::{ExplicitBound, TangentRisk};
use ndarray::{Array2, array};

fn geometry() -> Geometry {
    Geometry::new(&GeometrySpec {
        input: vec![6, 6],
        kernel: vec![3, 3],
        pool: Some(vec![2, 2]),
        ..GeometrySpec::default()
    })
    .unwrap()
}

fn cnn() -> Structure {
    StructureSpec::parse("{ kind = \"cnn\", kernels = 1 }")
        .unwrap()
        .build(&geometry().output_modes(1))
        .unwrap()
}

fn root() -> Array2<f64> {
    psd_root(&geometry().second_moment().unwrap().view()).unwrap()
}

/// The same coefficients, their Jacobian by differences.
struct Plain(Structure);

impl SmoothStructure for Plain {
    fn name(&self) -> String {
        "plain".to_owned()
    }
    fn features(&self) -> usize {
        self.0.features()
    }
    fn parameters(&self) -> usize {
        self.0.naive_parameters()
    }
    fn coefficients(&self, theta: &[f64]) -> Result<Array2<f64>, BoxError> {
        SmoothStructure::coefficients(&self.0, theta)
    }
}

/// `a e^{−b t}`.
struct Decay(usize);

impl SmoothStructure for Decay {
    fn name(&self) -> String {
        "decay".to_owned()
    }
    fn features(&self) -> usize {
        self.0
    }
    fn parameters(&self) -> usize {
        2
    }
    fn coefficients(&self, theta: &[f64]) -> Result<Array2<f64>, BoxError> {
        Ok(Array2::from_shape_fn((self.0, 1), |(t, _)| theta[0] * (-theta[1] * t as f64).exp()))
    }
}

fn decay_simulation(seed: u64) -> Simulation<'static> {
    let theta = [2.0, 0.4];
    let fit = SmoothFit::new(Decay(6), &theta);
    Simulation::new(Array2::eye(6), Decay(6).coefficients(&theta).unwrap(), 0.5, fit).unwrap().seed(seed)
}

#[test]
fn differences_give_the_exact_jacobian_dimension_and_risk() {
    let (exact, plain) = (cnn(), Plain(cnn()));
    let factors = exact.generic_point();
    let theta = exact.flatten(&factors).unwrap();
    let jacobian = SmoothStructure::jacobian(&exact, &theta).unwrap();
    let difference = &plain.jacobian(&theta).unwrap() - &jacobian;
    // The coefficients are bilinear, so that only rounding is left: 1.5 ε |w| / step.
    let largest = jacobian.iter().fold(0.0f64, |m, v| m.max(v.abs()));
    assert!(difference.iter().all(|d| d.abs() < 1e-11 * largest));
    assert_eq!((plain.df(&theta).unwrap(), SmoothStructure::df(&exact, &theta).unwrap()), (12, 12));
    let basis = plain.tangent(&theta).unwrap();
    let excess = &basis.t().dot(&basis) - &Array2::<f64>::eye(12);
    assert!(excess.iter().all(|v| v.abs() < 1e-13));
    let known = TangentRisk::new(&exact, &factors, &root()).unwrap();
    let risk = plain.risk(&theta, &root()).unwrap();
    assert_eq!((risk.df, risk.outputs), (known.df, 1));
    assert!((risk.trace / known.trace - 1.0).abs() < 1e-9);
    // A curved set: derivatives by hand.
    let jacobian = Decay(4).jacobian(&[2.0, 0.5]).unwrap();
    for t in 0..4 {
        let e = (-0.5 * t as f64).exp();
        assert!(
            (jacobian[[t, 0]] - e).abs() < 1e-11 && (jacobian[[t, 1]] + 2.0 * t as f64 * e).abs() < 1e-11
        );
    }
}

#[test]
fn dense_least_squares_finds_the_optimum_of_the_own_solver() {
    let structure = cnn();
    let factors = structure.generic_point();
    let truth = structure.coefficient_matrix(&factors).unwrap();
    let theta = structure.flatten(&factors).unwrap();
    let own = StructureFit { truth: Some(factors.clone()), ..StructureFit::new(&structure) };
    let simulation = Simulation::of_geometry(&geometry(), truth, 0.3, own.clone()).unwrap();
    let dense = SmoothFit::new(Plain(structure.clone()), &theta);
    let random = SmoothFit { starts: Vec::new(), random_starts: 5, ..SmoothFit::new(&structure, &theta) };
    for replicate in 0..5 {
        let sample = simulation.sample(200, replicate).unwrap();
        let options = FitOptions::bare(own.method.clone());
        let best = FittedModel::fit(&structure, &sample, &options).unwrap().fit.best.objective;
        let mut state = 0.3;
        let mut spread = || {
            state = (state * 997.0_f64 + 0.1).fract();
            4.0 * state - 2.0
        };
        for w in
            [dense.estimate(&sample, &mut spread).unwrap(), random.estimate(&sample, &mut spread).unwrap()]
        {
            // The tolerance of either, in residual variances.
            let excess = (sample.objective(&w.view()) - best) / (best / 200.0);
            assert!(excess.abs() < 1e-7, "{excess}");
        }
    }
    // Without noise the curved structure is found from afar.
    let exact = Decay(6).coefficients(&[2.0, 0.4]).unwrap();
    let sample = Sample::new(Array2::eye(6), exact.clone()).unwrap();
    let w = SmoothFit::new(Decay(6), &[1.0, 1.0]).estimate(&sample, &mut || 0.0).unwrap();
    assert!((&w - &exact).iter().all(|d| d.abs() < 1e-8));
}

#[test]
fn the_toolkits_structures_pass_their_theory() {
    let structure = cnn();
    let factors = structure.generic_point();
    let truth = structure.coefficient_matrix(&factors).unwrap();
    let estimator = StructureFit { truth: Some(factors.clone()), ..StructureFit::new(&structure) };
    let (sigma, n) = (0.05, 300);
    let simulation = Simulation::of_geometry(&geometry(), truth, sigma, estimator).unwrap().seed(3);
    let risk = TangentRisk::new(&structure, &factors, &root()).unwrap();
    let exact = |n: f64| risk.prediction(sigma, risk.finite_n(n).unwrap());
    let v = assert_matches_risk!(simulation, ErrorNorm::Prediction, n, exact(n as f64));
    assert!(v.replicates < 2000 && (v.estimate / v.claimed - 1.0).abs() < 0.05, "{v}");
    let frobenius = risk.frobenius(sigma, risk.finite_n(n as f64).unwrap());
    assert_matches_risk!(simulation, ErrorNorm::Frobenius, n, frobenius, margin = 0.1);
    let ns = [100, 300, 900];
    assert_rate!(simulation, ErrorNorm::Prediction, ns, slope_of(&ns, exact).unwrap(), false_alarm = 1e-3);
    // δ of the doubled structure is at most its coefficients.
    let explicit = Explicit {
        bound: ExplicitBound { width: 36f64.sqrt(), t: ExplicitBound::t_for(0.95).unwrap() },
        sigma,
    };
    let v = assert_bound!(simulation, explicit, n);
    assert_eq!((v.estimate, v.decision), (0.0, Decision::Holds));
    let quantile = Bound::new("quantile", |n| {
        let value = risk.quantile(ErrorNorm::Prediction, sigma, n, 0.9)?.ok_or("n is below df")?;
        Ok(Claim::Probable { value, probability: 0.9 })
    });
    assert_bound!(simulation, quantile, n);
}

#[test]
fn a_curved_structure_has_its_first_order_risk() {
    let risk = Decay(6).risk(&[2.0, 0.4], &Array2::eye(6)).unwrap();
    let claimed = risk.prediction(0.5, risk.finite_n(400.0).unwrap());
    let v = assert_matches_risk!(
        decay_simulation(1),
        ErrorNorm::Prediction,
        400,
        claimed,
        budget = 20_000,
        margin = 0.04
    );
    println!("{v}");
    assert_rate!(decay_simulation(1), ErrorNorm::Frobenius, [200, 800, 3200, 12_800], margin = 0.06);
}

#[test]
fn replicates_stand_alone_and_do_not_depend_on_threads() {
    let simulation = decay_simulation(5);
    let risk = Decay(6).risk(&[2.0, 0.4], &Array2::eye(6)).unwrap().prediction(0.5, 97.0);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            matches_risk(&simulation, ErrorNorm::Prediction, 100, risk, &Options::default()).unwrap()
        })
    };
    assert_eq!(run(1), run(3));
    let error = |s: &Simulation, r| s.error(ErrorNorm::Prediction, 100, r).unwrap();
    assert_eq!(error(&simulation, 17), error(&decay_simulation(5), 17));
    assert_ne!(error(&simulation, 17), error(&simulation, 18));
    assert_ne!(error(&simulation, 17), error(&decay_simulation(6), 17));
}

#[test]
fn all_designs_have_one_law() {
    // Rows of covariance CᵀC of rank 2 in 3 features, two responses: E‖C(Ŵ − W)‖² = 2 · 2 σ²/(n − 3).
    let c = array![[1.0, 0.5, 0.2], [0.0, 1.0, -0.3]];
    let w = array![[1.0, 0.0], [0.5, -1.0], [2.0, 1.0]];
    let ols = |s: &Sample| Ok(lstsq(&s.z.view(), &s.y.view())?);
    let simulation = || Simulation::new(c.clone(), w.clone(), 0.5, ols).unwrap();
    let own = simulation().drawing(|n, rng| {
        use rand_distr::{Distribution, StandardNormal};
        let mut normal = || -> f64 { StandardNormal.sample(rng) };
        let z = Array2::from_shape_simple_fn((n as usize, 2), &mut normal).dot(&c);
        let y = z.dot(&w) + Array2::from_shape_simple_fn((n as usize, 2), || 0.5 * normal());
        Ok(Sample::new(z, y)?)
    });
    for s in [simulation(), simulation().drawing_rows(), own] {
        assert_matches_risk!(s, ErrorNorm::Prediction, 23, 4.0 * 0.25 / 20.0, margin = 0.1);
        // n − 2 in place of n − 3 in the second power: wrong by 12 %.
        let v = matches_risk(
            &s,
            ErrorNorm::Prediction,
            23,
            0.8 * 0.05,
            &Options { margin: 0.01, budget: 20_000, ..Options::default() },
        );
        assert_eq!(v.unwrap().decision, Decision::Violated);
    }
}

#[test]
fn what_cannot_be_tested_is_said() {
    let simulation = decay_simulation(0);
    let claim = |value, probability| Bound::new("own", move |_| Ok(Claim::Probable { value, probability }));
    let say = |b: &Bound<_>, options: Options| bound(&simulation, b, 50, &options).unwrap_err().to_string();
    let default = Options::default();
    for (text, found) in [
        ("own claims nothing at n = 50: its value is NaN", say(&claim(f64::NAN, 0.9), default)),
        ("its probability is 0", say(&claim(1.0, 0.0), default)),
        (
            "false_alarm = 0; it has to be above 0",
            say(&claim(1.0, 0.9), Options { false_alarm: 0.0, ..default }),
        ),
        ("budget = 0", say(&claim(1.0, 0.9), Options { budget: 0, ..default })),
        (
            "budget = 3; so few replicates cannot tell",
            say(&claim(1.0, 0.9), Options { budget: 3, ..default }),
        ),
        ("margin = 2", say(&claim(1.0, 0.9), Options { margin: 2.0, ..default })),
        (
            "detectable = 0.05",
            say(&claim(1.0, 0.9), Options { detectable: Detectable::Probability(0.05), ..default }),
        ),
        (
            "detectable factor = 11",
            say(&claim(1.0, 0.9), Options { detectable: Detectable::Factor(11.0), ..default }),
        ),
        (
            "risk = -1",
            matches_risk(&simulation, ErrorNorm::Prediction, 50, -1.0, &default).unwrap_err().to_string(),
        ),
        (
            "ns = [50, 50]",
            rate(&simulation, ErrorNorm::Prediction, &[50, 50], -0.5, &default).unwrap_err().to_string(),
        ),
        (
            "ns = [0, 50]",
            rate(&simulation, ErrorNorm::Prediction, &[0, 50], -0.5, &default).unwrap_err().to_string(),
        ),
        (
            "exponent = 0",
            rate(&simulation, ErrorNorm::Prediction, &[20, 50], 0.0, &default).unwrap_err().to_string(),
        ),
    ] {
        assert!(found.contains(text), "{text}: {found}");
    }
    // The explicit bound where its condition fails.
    let explicit = Explicit { bound: ExplicitBound { width: 6.0, t: 3.0 }, sigma: 1.0 };
    let found = bound(&simulation, &explicit, 20, &default).unwrap_err();
    assert!(
        matches!(found, AssertError::NoClaim { n: 20, .. }) && found.to_string().contains("condition"),
        "{found}"
    );
    // Replicates that fail are named.
    let failing = |_: ErrorNorm, _: u64, r: u64| if r == 20 { Err("no luck".into()) } else { Ok(1.0) };
    let found = matches_risk(&failing, ErrorNorm::Prediction, 9, 1.0, &default).unwrap_err().to_string();
    assert!(found.contains("replicate 20 at n = 9 failed: no luck"), "{found}");
    for (value, text) in
        [(f64::NAN, "its error norm is NaN"), (-1.0, "its error norm is -1"), (1e200, "not finite")]
    {
        let found = matches_risk(
            &move |_: ErrorNorm, _: u64, _: u64| Ok(value),
            ErrorNorm::Prediction,
            9,
            1.0,
            &default,
        );
        assert!(found.unwrap_err().to_string().contains(text), "{text}");
    }
    // Sizes.
    let ols = |_: &Sample| Ok(Array2::zeros((3, 1)));
    let wrong = Simulation::new(Array2::eye(2), Array2::ones((2, 1)), 1.0, ols).unwrap();
    let found = wrong.error(ErrorNorm::Prediction, 9, 0).unwrap_err().to_string();
    assert!(found.contains("the estimate is (3, 1), the truth (2, 1)"), "{found}");
    assert!(wrong.sample(0, 0).is_err());
    for (root, truth, sigma) in [
        (Array2::eye(2), Array2::ones((3, 1)), 1.0),
        (Array2::eye(2), Array2::ones((2, 1)), -1.0),
        (array![[f64::NAN]], array![[1.0]], 1.0),
    ] {
        assert!(Simulation::new(root, truth, sigma, ols).is_err());
    }
    assert!(Decay(3).jacobian(&[1.0]).unwrap_err().to_string().contains("1 parameters are given"));
}

#[test]
fn verdicts_without_spread() {
    let constant = |_: ErrorNorm, n: u64, _: u64| Ok((n as f64).powf(-0.5));
    let default = Options::default();
    assert_eq!(
        matches_risk(&constant, ErrorNorm::Prediction, 4, 0.25, &default).unwrap().decision,
        Decision::Holds
    );
    assert_eq!(
        matches_risk(&constant, ErrorNorm::Prediction, 4, 0.2, &default).unwrap().decision,
        Decision::Violated
    );
    assert_eq!(
        rate(&constant, ErrorNorm::Prediction, &[4, 9], -0.5, &default).unwrap().decision,
        Decision::Holds
    );
    assert_eq!(
        rate(&constant, ErrorNorm::Prediction, &[4, 9], -0.6, &default).unwrap().decision,
        Decision::Violated
    );
    // No error at all has no slope, and no positive risk.
    let none = |_: ErrorNorm, _: u64, _: u64| Ok(0.0);
    assert_eq!(
        rate(&none, ErrorNorm::Prediction, &[4, 9], -0.5, &default).unwrap().decision,
        Decision::Undecided
    );
    assert_eq!(
        matches_risk(&none, ErrorNorm::Prediction, 4, 0.2, &default).unwrap().decision,
        Decision::Violated
    );
    // A bound that always holds is broken by one exceedance, and believed without any.
    let sure = Bound::new("sure", |_| Ok(Claim::Probable { value: 0.5, probability: 1.0 }));
    assert_eq!(bound(&constant, &sure, 4, &default).unwrap().decision, Decision::Holds);
    let v = bound(&constant, &sure, 3, &default).unwrap();
    assert_eq!((v.decision, v.replicates), (Decision::Violated, 1));
}

#[test]
fn undecided_says_what_would_decide() {
    let small = Options { budget: 40, detectable: Detectable::Factor(1.5), ..Options::default() };
    let b = Bound::new("own", |_| Ok(Claim::Probable { value: 0.6, probability: 0.9 }));
    let v = bound(&decay_simulation(2), &b, 50, &small).unwrap();
    assert_eq!((v.decision, v.replicates, v.holds()), (Decision::Undecided, 40, false), "{v}");
    assert!(v.line.contains("raise budget"), "{v}");
    let v = matches_risk(&decay_simulation(2), ErrorNorm::Prediction, 50, 0.25 * 2.0 / 47.0, &small).unwrap();
    assert_eq!(v.decision, Decision::Undecided, "{v}");
    assert!(v.line.contains("raise budget to about"), "{v}");
}

#[test]
#[should_panic(expected = "half: violated at n = 50")]
fn macros_panic_with_the_line() {
    let half =
        Bound::new("half", |n| Ok(Claim::Probable { value: 0.5 * (0.5 / n).sqrt(), probability: 0.95 }));
    assert_bound!(decay_simulation(2), half, 50, budget = 500);
}

#[test]
#[should_panic(expected = "not tested: ns = [50]")]
fn macros_panic_with_errors() {
    assert_rate!(decay_simulation(2), ErrorNorm::Prediction, [50]);
}
