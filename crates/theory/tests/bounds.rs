//! The registry of bounds: no number where an assumption fails, and closed forms where all hold.

#![cfg(test)]

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use convstat_cnn::{Geometry, GeometrySpec, StructureSpec};
use convstat_theory::bounds::{Effect, Kind, find};
use convstat_theory::{
    BOUNDS, BoundOptions, DesignLaw, ErrorNorm, ExplicitBound, Identification, LazyDimension,
    LiteratureBound, SettingTheory, Sizes, TangentRisk, explicit_bound, literature_bound,
};

/// A geometry with a nonsingular second moment, one with windows that share taps, and one with a single pooled position.
fn geometries() -> [Geometry; 3] {
    [
        (vec![7, 2], vec![2, 2], vec![3, 1]),
        (vec![6, 2], vec![3, 2], vec![2, 1]),
        (vec![4, 2], vec![3, 2], vec![2, 1]),
    ]
    .map(|(input, kernel, pool)| {
        Geometry::new(&GeometrySpec { input, kernel, pool: Some(pool), ..GeometrySpec::default() }).unwrap()
    })
}

const STRUCTURES: [&str; 6] = [
    "{ kind = \"dense\" }",
    "{ kind = \"cnn\", kernels = 1 }",
    "{ kind = \"cnn\", kernels = 1, outputs = 2 }",
    "{ kind = \"tucker\", ranks = [2, 2], r = 2, kernels = 2 }",
    "{ kind = \"cp\", rank = 2, kernels = 2 }",
    "{ kind = \"tensor-train\", ranks = [2, 2], kernels = 2 }",
];

/// Independent and dependent Gaussian rows, independent rows that are not Gaussian, and neither.
fn laws() -> [DesignLaw; 4] {
    [(true, true), (true, false), (false, true), (false, false)].map(|(gaussian, independent)| DesignLaw {
        gaussian,
        independent,
        spectrum: if independent { (1.0, 1.0) } else { (1.0 / 3.0, 3.0) },
    })
}

fn setting(geometry: &Geometry, text: &str, law: DesignLaw) -> Option<SettingTheory<'static>> {
    let spec = StructureSpec::parse(text).unwrap();
    // Not every structure is over every number of modes.
    let structure = spec.build(&geometry.output_modes(spec.outputs().unwrap())).ok()?;
    let risk = TangentRisk::of_windows(&structure, &structure.generic_point(), &geometry.windows()).unwrap();
    let identification = Identification::new(&risk, structure.features(), geometry.feature_rank().unwrap());
    Some(SettingTheory {
        sizes: Sizes::new(geometry, &structure),
        tangent: risk.tangent(),
        is_regular: None,
        is_identified: identification.is_identified(),
        spectrum: geometry.factor_spectrum().unwrap(),
        law,
        sigma: 0.7,
        options: BoundOptions::default(),
        dimension: Arc::new(LazyDimension::new(Cow::Owned(structure), Cow::Owned(geometry.clone()), 3, 1, 1)),
    })
}

#[test]
fn no_bound_has_a_number_where_an_assumption_fails() {
    convstat_tensor::blas::single_thread().unwrap();
    let (mut refused, mut stated, mut marked) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for geometry in geometries() {
        for text in STRUCTURES {
            let Some(base) = setting(&geometry, text, DesignLaw::STANDARD) else { continue };
            let variants = laws().into_iter().flat_map(|law| {
                let truths =
                    [(None, base.is_identified), (Some(false), base.is_identified), (Some(true), false)];
                truths.map(|(is_regular, is_identified)| SettingTheory {
                    law,
                    is_regular,
                    is_identified,
                    ..base.clone()
                })
            });
            for theory in variants {
                for bound in BOUNDS {
                    for norm in ErrorNorm::BOTH {
                        for n in [2.0, 40.0, 5000.0, 1e9] {
                            let case = format!("{bound:?} {norm:?} {text} {theory:?} n = {n}");
                            let assumptions = bound.assumptions(&theory, n).unwrap();
                            let value = bound.evaluate(&theory, norm, n).unwrap();
                            let mut failing = assumptions.list.iter().filter(|a| a.fails_in(norm));
                            if assumptions.refusal(norm).is_some() {
                                assert!(value.error.is_nan() && !value.condition_holds, "{case}");
                                assert!(value.probability.is_nan(), "{case}");
                                assert_eq!(bound.plan(&theory, norm, 0.1).unwrap().n, None, "{case}");
                                refused.insert(bound.name());
                            } else if failing.any(|a| a.effect == Effect::InFormula) {
                                let shows = !value.error.is_finite()
                                    || !value.condition_holds
                                    || value.probability == 0.0;
                                assert!(shows, "{case} {value:?}");
                                marked.insert(bound.name());
                            } else if bound.norms().contains(&norm) && bound.kind() != Kind::Order {
                                assert!(value.error.is_finite() && value.error > 0.0, "{case} {value:?}");
                                stated.insert(bound.name());
                            } else {
                                assert!(value.error.is_nan(), "{case}");
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(refused, ["explicit", "first_order", "literature", "risk", "risk_quantile"].into());
    assert_eq!(stated, refused);
    assert_eq!(marked, ["explicit", "literature", "risk", "risk_quantile"].into());
}

#[test]
fn names_and_columns_are_distinct() {
    let names: BTreeSet<&str> = BOUNDS.iter().map(|b| b.name()).collect();
    assert_eq!(names.len(), BOUNDS.len());
    let columns: BTreeSet<String> =
        BOUNDS.iter().flat_map(|b| ErrorNorm::BOTH.map(|norm| b.column(norm))).collect();
    assert_eq!(columns.len(), 2 * BOUNDS.len());
    assert!(BOUNDS.iter().all(|b| !b.source().is_empty() && !b.title().is_empty()));
    assert!(find(BOUNDS, "no such").is_none());
}

#[test]
fn the_numbers_are_those_of_the_formulas() {
    convstat_tensor::blas::single_thread().unwrap();
    let geometry = &geometries()[0];
    let theory = setting(geometry, "{ kind = \"dense\" }", DesignLaw::STANDARD).unwrap();
    let (sigma, n) = (theory.sigma, 500.0);
    let value = |name: &str, norm| find(BOUNDS, name).unwrap().evaluate(&theory, norm, n).unwrap();
    let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 1e-12, "{a} {b}");
    // Least squares over all D features: σ² D/(n − D − 1) and σ² tr Σ_Z^{-1}/(n − D − 1).
    let moment = geometry.second_moment().unwrap();
    let d = moment.nrows() as f64;
    let (values, _) = convstat_tensor::linalg::eigh(&moment.view()).unwrap();
    let trace: f64 = values.iter().map(|v| 1.0 / v).sum();
    for (norm, moment) in [(ErrorNorm::Prediction, d), (ErrorNorm::Frobenius, trace)] {
        close(value("risk", norm).error.powi(2), sigma * sigma * moment / (n - d - 1.0));
        close(value("first_order", norm).error.powi(2), sigma * sigma * moment / n);
    }
    let explicit = explicit_bound(&ExplicitBound { width: d.sqrt(), t: 60f64.ln() }, sigma, n).unwrap();
    close(value("explicit", ErrorNorm::Prediction).error, explicit.error);
    close(value("explicit", ErrorNorm::Frobenius).error, explicit.error / theory.spectrum.0.sqrt());
    let literature = literature_bound(&LiteratureBound::of(&theory), sigma, n).unwrap();
    close(value("literature", ErrorNorm::Frobenius).error, literature.error);
    let quantile = theory.tangent.quantile(ErrorNorm::Prediction, sigma, n, 0.95).unwrap().unwrap();
    close(value("risk_quantile", ErrorNorm::Prediction).error, quantile);
    // Each planned n is the smallest that meets the target.
    for name in ["risk", "risk_quantile", "explicit"] {
        let bound = find(BOUNDS, name).unwrap();
        let at = |n| bound.evaluate(&theory, ErrorNorm::Prediction, n).unwrap().error;
        let n = bound.plan(&theory, ErrorNorm::Prediction, 0.2).unwrap().n.unwrap();
        assert!(at(n) <= 0.2 && (at(n - 1.0) > 0.2 || at(n - 1.0).is_nan()), "{name} {n}");
    }
}

#[test]
fn why_there_is_no_n_is_said() {
    convstat_tensor::blas::single_thread().unwrap();
    let [regular, singular, _] = geometries();
    let note = |geometry: &Geometry, law, name: &str, norm| {
        let theory = setting(geometry, STRUCTURES[1], law).unwrap();
        let planned = find(BOUNDS, name).unwrap().plan(&theory, norm, 0.1).unwrap();
        assert_eq!(planned.n, None);
        planned.note
    };
    let [gaussian, _, tails, _] = laws();
    let (prediction, frobenius) = (ErrorNorm::Prediction, ErrorNorm::Frobenius);
    assert_eq!(
        note(&regular, tails, "risk", prediction),
        "given for independent Gaussian rows and one response only"
    );
    assert_eq!(
        note(&regular, tails, "literature", frobenius),
        "given for Gaussian rows and one response only"
    );
    assert_eq!(note(&regular, gaussian, "literature", prediction), "a bound in Frobenius norm");
    assert_eq!(
        note(&singular, gaussian, "explicit", frobenius),
        "fails: for the Frobenius norm: the second moment of Z is nonsingular"
    );
}
