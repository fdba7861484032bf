//! The exact risk against 60 digits (`data/make_risk.py`), within bounds from each case's own condition numbers.

#![cfg(test)]

use convstat_cnn::{Factors, Geometry, GeometrySpec, StructureSpec};
use convstat_tensor::linalg::psd_root;
use convstat_theory::TangentRisk;
use ndarray::{ArrayD, IxDyn};
use serde_json::Value;

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> Vec<T> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn ill_conditioned_geometries_and_points() {
    convstat_tensor::blas::single_thread().unwrap();
    let all: Value = serde_json::from_str(include_str!("data/risk.json")).unwrap();
    for case in all["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let geometry = Geometry::new(&GeometrySpec {
            input: list(&case["input"]),
            kernel: list(&case["kernel"]),
            pool: Some(list(&case["pool"])),
            pool_stride: Some(list(&case["pool_stride"])),
            ..GeometrySpec::default()
        })
        .unwrap();
        let sizes: Vec<String> = case["sizes"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(label, size)| format!("{label} = {size}"))
            .collect();
        let text = format!("{{ einsum = {}, sizes = {{ {} }} }}", case["einsum"], sizes.join(", "));
        let structure = StructureSpec::parse(&text).unwrap().build(&geometry.output_modes(1)).unwrap();
        let factors: Factors = case["factors"]
            .as_array()
            .unwrap()
            .iter()
            .zip(structure.factor_shapes())
            .map(|(f, shape)| ArrayD::from_shape_vec(IxDyn(&shape), list(f)).unwrap())
            .collect();
        let root = psd_root(&geometry.second_moment().unwrap().view()).unwrap();
        let of = |key: &str| case[key].as_f64().unwrap();
        let whole = |key: &str| case[key].as_u64().unwrap() as usize;
        assert_eq!(
            (root.nrows(), geometry.feature_rank().unwrap()),
            (whole("rank"), whole("rank")),
            "{name}"
        );
        let risk = TangentRisk::new(&structure, &factors, &root).unwrap();
        assert_eq!((risk.tangent_dimension, risk.df), (whole("tangent"), whole("df")), "{name}");
        // A singular value s of Σ^{1/2}Q is off by η‖Σ^{1/2}‖ for the product, κ(J) times as much for Q; its square by
        // D ε‖Σ‖ for the root of Σ. In traces of s⁻² all count relative to the smallest.
        let of_jacobian = of("condition_of_jacobian");
        let (d, p) = (geometry.features() as f64, structure.naive_parameters() as f64);
        let unit = f64::EPSILON / 2.0;
        let (_, largest) = geometry.factor_spectrum().unwrap();
        // ‖Σ^{1/2}‖ over the smallest singular value of Σ^{1/2}Q, which no sum of inverse squares can hide.
        let tangent = largest.sqrt() * risk.trace.sqrt();
        let bound = 2.0 * d * p * unit * tangent * (1.0 + of_jacobian) + 2.0 * d * unit * tangent * tangent;
        for (what, found, expected, times) in [
            ("trace", risk.trace, of("trace"), 1.0),
            ("trace of square", risk.trace_of_square, of("trace_of_square"), 2.0),
        ] {
            let error = (found / expected - 1.0).abs();
            println!("{name}: {what} off by {error:.1e}, bound {:.1e}", times * bound);
            assert!(error <= times * bound, "{name}: {what} {found} for {expected}");
        }
    }
}
