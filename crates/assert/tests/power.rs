//! How often assertions pass right claims and fail wrong ones, over thousands of runs.

#![cfg(test)]

use convstat_assert::{
    Bound, BoxError, Claim, Decision, Detectable, ErrorNorm, Options, Sample, Simulation, Verdict, bound,
    matches_risk, rate, ratio_test, slope_of,
};
use convstat_tensor::linalg::lstsq;
use ndarray::Array2;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand_distr::{ChiSquared, Distribution};
use rayon::prelude::*;
use statrs::distribution::{Beta, ChiSquared as ChiSquaredLaw, ContinuousCDF};

const RUNS: u64 = 1000;
/// Degrees of freedom of the squared errors.
const DF: f64 = 30.0;

/// Of a replicate at n in a run; without a digest, as there are millions.
fn stream(run: u64, n: u64, replicate: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(run);
    rng.set_stream(n << 32 | replicate);
    rng
}

/// Errors `√(χ²_df/df) n^power` of run `run`: mean square `n^{2 power}`.
fn errors(run: u64, power: f64) -> impl Fn(ErrorNorm, u64, u64) -> Result<f64, BoxError> + Sync {
    move |_, n, replicate| {
        let square: f64 = ChiSquared::new(DF)?.sample(&mut stream(run, n, replicate));
        Ok((square / DF).sqrt() * (n as f64).powf(power))
    }
}

/// Counts of a decision, and the mean number of replicates.
struct Tally {
    holds: u64,
    violated: u64,
    undecided: u64,
    replicates: f64,
    runs: u64,
}

fn tally(what: &str, runs: u64, run: impl Fn(u64) -> Verdict + Sync + Send) -> Tally {
    let all: Vec<Verdict> = (0..runs).into_par_iter().map(run).collect();
    let count = |d: Decision| all.iter().filter(|v| v.decision == d).count() as u64;
    let replicates = all.iter().map(|v| v.replicates as f64).sum::<f64>() / runs as f64;
    let t = Tally {
        holds: count(Decision::Holds),
        violated: count(Decision::Violated),
        undecided: count(Decision::Undecided),
        replicates,
        runs,
    };
    println!(
        "{what}: {} hold, {} violated, {} undecided of {runs}; {replicates:.0} replicates on average",
        t.holds, t.violated, t.undecided
    );
    t
}

impl Tally {
    /// A probability of at most `level` is compatible with `count`: its lower Clopper–Pearson limit at 1e-6 is not above.
    fn at_most(&self, count: u64, level: f64) {
        if count > 0 {
            let law = Beta::new(count as f64, (self.runs - count + 1) as f64).unwrap();
            let limit = law.inverse_cdf(1e-6);
            assert!(
                limit <= level,
                "{count} of {} where at most {level} may: lower limit {limit}",
                self.runs
            );
        }
    }
}

/// Error probabilities that leave the test of them some power; the budget is the default one.
fn loose() -> Options {
    Options { false_alarm: 1e-2, miss: 1e-2, ..Options::default() }
}

/// The quantile of the errors times a factor, with its probability.
fn quantile(probability: f64, factor: f64) -> f64 {
    factor * (ChiSquaredLaw::new(DF).unwrap().inverse_cdf(probability) / DF).sqrt()
}

#[test]
fn bounds() {
    for (name, options) in [("1e-2", loose()), ("default", Options::default())] {
        for probability in [0.9, 0.95, 0.99] {
            let test = |factor: f64| {
                tally(&format!("bound {probability} {name}, {factor} of the quantile"), RUNS, |run| {
                    let value = quantile(probability, factor);
                    let b = Bound::new("own", |_| Ok(Claim::Probable { value, probability }));
                    bound(&errors(run, 0.0), &b, 100, &options).unwrap()
                })
            };
            // The exact quantile is the hardest right bound.
            let right = test(1.0);
            right.at_most(right.runs - right.holds, options.false_alarm);
            let wrong = test(0.9);
            wrong.at_most(wrong.holds, options.miss);
            // Within the budget.
            wrong.at_most(wrong.runs - wrong.violated, options.miss);
            let ample = test(1.5);
            assert!(ample.holds == RUNS && ample.replicates < right.replicates);
        }
    }
}

#[test]
fn the_exact_characteristic_is_what_runs_show() {
    let options = Options { budget: 300, detectable: Detectable::Factor(2.0), ..loose() };
    let exact = ratio_test(0.9, &options).unwrap().characteristic(0.1, 300);
    let t = tally("bound, small budget", RUNS, |run| {
        let b = Bound::new("own", |_| Ok(Claim::Probable { value: quantile(0.9, 1.0), probability: 0.9 }));
        bound(&errors(run, 0.0), &b, 100, &options).unwrap()
    });
    for (count, p) in [(t.violated, exact.above), (t.holds, exact.below), (t.undecided, exact.open)] {
        let sd = (p * (1.0 - p) * t.runs as f64).sqrt();
        // 4.9 standard deviations: 1e-6; the count of a rare event by one more.
        assert!((count as f64 - p * t.runs as f64).abs() <= 4.9 * sd + 1.0, "{count} {p}");
    }
    // The variance of a stopping time is below budget · mean.
    let error = (300.0 * exact.trials / t.runs as f64).sqrt();
    assert!((t.replicates - exact.trials).abs() < 4.9 * error, "{} {}", t.replicates, exact.trials);
}

#[test]
fn bounds_on_the_mean_square() {
    for (name, options) in [("1e-2", loose()), ("default", Options::default())] {
        let test = |value: f64| {
            tally(&format!("mean square {name}, {value} of the root risk"), RUNS, |run| {
                let b = Bound::new("own", |_| Ok(Claim::MeanSquare { value }));
                bound(&errors(run, 0.0), &b, 100, &options).unwrap()
            })
        };
        let right = test(1.0);
        right.at_most(right.runs - right.holds, options.false_alarm);
        let wrong = test(0.9);
        wrong.at_most(wrong.holds, options.miss);
        wrong.at_most(wrong.runs - wrong.violated, options.miss);
        // At the edge of the margin: a miss.
        let edge = test(1.0 / 1.05);
        edge.at_most(edge.holds, options.miss);
    }
}

#[test]
fn risks() {
    for (name, options) in [("1e-2", loose()), ("default", Options::default())] {
        let test = |ratio: f64| {
            tally(&format!("risk {name}, {ratio} of the root risk"), RUNS, |run| {
                matches_risk(&errors(run, 0.0), ErrorNorm::Prediction, 100, ratio * ratio, &options).unwrap()
            })
        };
        let right = test(1.0);
        right.at_most(right.violated, options.false_alarm);
        right.at_most(right.undecided, options.miss);
        for ratio in [0.9, 1.1] {
            let wrong = test(ratio);
            wrong.at_most(wrong.holds, options.miss);
            wrong.at_most(wrong.undecided, options.miss);
        }
    }
    // At the edges of the margin both error probabilities are at their largest; few runs end before the budget.
    let options = Options { budget: 500, ..loose() };
    for ratio in [1.0 / 0.95, 1.0 / 1.05] {
        let edge = tally(&format!("risk 1e-2, {ratio:.3} of the root risk"), RUNS, |run| {
            matches_risk(&errors(run, 0.0), ErrorNorm::Prediction, 100, ratio * ratio, &options).unwrap()
        });
        edge.at_most(edge.violated, options.false_alarm);
        edge.at_most(edge.holds, options.miss);
    }
}

#[test]
fn rates() {
    let ns = [100, 400, 1600];
    for (name, options) in [("1e-2", loose()), ("default", Options::default())] {
        let test = |power: f64| {
            tally(&format!("rate {name}, errors of slope {power}"), RUNS, |run| {
                rate(&errors(run, power), ErrorNorm::Prediction, &ns, -0.5, &options).unwrap()
            })
        };
        let right = test(-0.5);
        right.at_most(right.violated, options.false_alarm);
        right.at_most(right.undecided, options.miss);
        for power in [-0.45, -0.55] {
            let wrong = test(power);
            wrong.at_most(wrong.holds, options.miss);
            wrong.at_most(wrong.undecided, options.miss);
        }
    }
    // At the edges of the margin both error probabilities are at their largest; few runs end before the budget.
    let options = Options { budget: 200, ..loose() };
    for power in [-0.475, -0.525] {
        let edge = tally(&format!("rate 1e-2, errors of slope {power}"), RUNS, |run| {
            rate(&errors(run, power), ErrorNorm::Prediction, &ns, -0.5, &options).unwrap()
        });
        edge.at_most(edge.violated, options.false_alarm);
        edge.at_most(edge.holds, options.miss);
    }
}

/// Ordinary least squares over all features: `‖Σ^{1/2}(Ŵ − W*)‖²` has mean `σ² D/(n − D − 1)` and law `σ² χ²_D/χ²_{n−D+1}`.
fn ordinary(seed: u64, sigma: f64) -> Simulation<'static> {
    let root = Array2::from_shape_fn((4, 4), |(i, j)| if j >= i { 1.0 / (1 + i + j) as f64 } else { 0.0 });
    let ols = |s: &Sample| Ok(lstsq(&s.z.view(), &s.y.view())?);
    Simulation::new(root, Array2::ones((4, 1)), sigma, ols).unwrap().seed(seed)
}

#[test]
fn ordinary_least_squares() {
    let (sigma, n) = (0.5, 40);
    let risk = |n: f64| sigma * sigma * 4.0 / (n - 5.0);
    // Squared errors of 4 degrees of freedom spread too far for 5 %: the margins scale.
    let options = Options { margin: 0.1, ..loose() };
    let runs = RUNS;
    let test = |ratio: f64| {
        tally(&format!("OLS risk, {ratio} of the root risk"), runs, |run| {
            let claimed = ratio * ratio * risk(n as f64);
            matches_risk(&ordinary(run, sigma), ErrorNorm::Prediction, n, claimed, &options).unwrap()
        })
    };
    let right = test(1.0);
    right.at_most(right.violated, options.false_alarm);
    right.at_most(right.undecided, options.miss);
    let wrong = test(1.2);
    wrong.at_most(wrong.holds, options.miss);
    wrong.at_most(wrong.undecided, options.miss);
    // The slope of the exact risk, steeper than −1/2.
    let ns = [20, 80, 320, 1280];
    let exact = slope_of(&ns, risk).unwrap();
    let test = |what: &str, exponent: f64| {
        tally(what, runs / 4, |run| {
            let options = Options { margin: 0.05, ..loose() };
            rate(&ordinary(run, sigma), ErrorNorm::Prediction, &ns, exponent, &options).unwrap()
        })
    };
    let right = test("OLS rate of the exact risk", exact);
    right.at_most(right.violated, options.false_alarm);
    right.at_most(right.undecided, options.miss);
    let wrong = test("OLS rate, wrong by 12 %", exact * 0.88);
    wrong.at_most(wrong.holds, options.miss);
    wrong.at_most(wrong.undecided, options.miss);
}

#[test]
fn a_right_mean_bound_is_safe_under_heavy_tails() {
    // Squared errors u^{-1/2.2}: no second moment; the false alarm is exact all the same.
    let options = Options { false_alarm: 0.05, ..loose() };
    let mean: f64 = 2.2 / 1.2;
    let t = tally("mean square, Pareto errors", RUNS, |run| {
        let source = |_: ErrorNorm, n: u64, replicate: u64| -> Result<f64, BoxError> {
            let square: f64 = rand_distr::Pareto::new(1.0, 2.2)?.sample(&mut stream(run, n, replicate));
            Ok(square.sqrt())
        };
        let b = Bound::new("own", |_| Ok(Claim::MeanSquare { value: mean.sqrt() }));
        bound(&source, &b, 100, &options).unwrap()
    });
    t.at_most(t.violated, options.false_alarm);
}
