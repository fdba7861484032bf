//! Numerical ranks against exact ones: matrices of whole numbers, eliminated modulo a prime.

#![cfg(test)]

use convstat_cnn::{Geometry, GeometrySpec, LayerSpec, OutputModes, Structure, StructureSpec};
use ndarray::{Array2, ArrayD, IxDyn};

/// 2^31 − 1.
const PRIME: i64 = 2_147_483_647;

/// Rank modulo the prime: at most the rank, and equal unless the prime divides a minor.
fn exact_rank(a: &Array2<f64>) -> usize {
    assert!(a.iter().all(|v| v.fract() == 0.0 && v.abs() < 9e15), "entries are whole numbers");
    let mut a = a.mapv(|v| (v as i64).rem_euclid(PRIME));
    let power = |mut base: i64, mut exponent: i64| {
        let mut result = 1;
        while exponent > 0 {
            if exponent % 2 == 1 {
                result = result * base % PRIME;
            }
            base = base * base % PRIME;
            exponent /= 2;
        }
        result
    };
    let (rows, cols) = a.dim();
    let mut rank = 0;
    for column in 0..cols {
        let Some(pivot) = (rank..rows).find(|&i| a[[i, column]] != 0) else { continue };
        for k in 0..cols {
            a.swap([rank, k], [pivot, k]);
        }
        let inverse = power(a[[rank, column]], PRIME - 2);
        for i in rank + 1..rows {
            let share = a[[i, column]] * inverse % PRIME;
            if share != 0 {
                for k in column..cols {
                    a[[i, k]] = (a[[i, k]] - share * a[[rank, k]]).rem_euclid(PRIME);
                }
            }
        }
        rank += 1;
    }
    rank
}

/// Whole numbers of a linear congruential generator in −9 … 9, none 0.
fn whole(state: &mut u64) -> f64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    let v = ((*state >> 33) % 18) as f64 - 9.0;
    if v >= 0.0 { v + 1.0 } else { v }
}

#[test]
fn feature_ranks_of_geometries() {
    convstat_tensor::blas::single_thread().unwrap();
    let mut state = 1;
    let mut draw =
        |most: usize| 1 + (whole(&mut state).abs() as usize * 31 + whole(&mut state).abs() as usize) % most;
    let (mut seen, mut singular) = (0, 0);
    while seen < 400 {
        let (input, kernel) = (4 + draw(60), draw(9));
        let layer = [draw(3), draw(2) - 1, draw(2), draw(6), draw(6)];
        let mut spec = GeometrySpec {
            input: vec![input],
            kernel: vec![kernel],
            stride: Some(vec![layer[0]]),
            padding: Some(vec![layer[1]]),
            dilation: Some(vec![layer[2]]),
            pool: Some(vec![layer[3]]),
            pool_stride: Some(vec![layer[4]]),
            ..GeometrySpec::default()
        };
        if draw(3) == 1 {
            spec.deeper = vec![LayerSpec {
                kernel: vec![draw(4)],
                pool: Some(vec![draw(4)]),
                pool_stride: Some(vec![draw(3)]),
                ..LayerSpec::default()
            }];
        }
        let Ok(geometry) = Geometry::new(&spec) else { continue };
        let mode = &geometry.modes()[0];
        // Entries are multiples of the weight.
        let u = mode.factor().mapv(|v| (v / mode.weight()).round());
        let exact = exact_rank(&u);
        assert_eq!(geometry.feature_rank().unwrap(), exact, "{spec:?}");
        seen += 1;
        singular += usize::from(exact < geometry.features());
    }
    assert!(singular > 50 && singular < 350, "{singular} of {seen} are singular");
}

#[test]
fn dimensions_of_structures() {
    convstat_tensor::blas::single_thread().unwrap();
    let build = |text: &str, positions: &[usize], taps: &[usize], layers: usize| -> Structure {
        let modes = OutputModes { positions: positions.to_vec(), taps: taps.to_vec(), layers, outputs: 1 };
        StructureSpec::parse(text).unwrap().build(&modes).unwrap()
    };
    let structures = [
        build("{ kind = \"cnn\", kernels = 7 }", &[5], &[3, 4], 1),
        build("{ kind = \"cp\", rank = 4, kernels = 4 }", &[3], &[3, 3], 1),
        build("{ kind = \"cp\", rank = 5, kernels = 3 }", &[4], &[3, 3], 1),
        build("{ kind = \"cp\", rank = 3, kernels = 3 }", &[3], &[2, 2, 2, 2, 2], 1),
        build("{ kind = \"cp\", rank = 8, kernels = 9 }", &[6], &[4, 4, 3], 1),
        build("{ kind = \"tucker\", ranks = [3, 3, 2], r = 4, kernels = 6 }", &[6], &[4, 4, 3], 1),
        build("{ kind = \"tucker\", ranks = [2, 2, 2, 2], r = 9, kernels = 9 }", &[3], &[3, 3, 2, 2], 1),
        build("{ kind = \"tensor-train\", ranks = [4, 6, 9], kernels = 5 }", &[4], &[3, 3, 3], 1),
        build("{ kind = \"deep\", kernels = [2, 3] }", &[3], &[3, 4], 2),
        build("{ einsum = \"ar,br,cr,dr,er,fr->abcdef\", sizes = { r = 3 } }", &[2], &[2, 2, 2, 2, 2], 1),
        build("{ einsum = \"ar,br->ab\", sizes = { r = 2 }, shared = [[0, 1]] }", &[6], &[6], 1),
    ];
    let mut state = 7;
    for structure in &structures {
        let factors: Vec<ArrayD<f64>> = structure
            .factor_shapes()
            .iter()
            .map(|s| ArrayD::from_shape_simple_fn(IxDyn(s), || whole(&mut state)))
            .collect();
        let exact = exact_rank(&structure.jacobian(&factors).unwrap());
        assert_eq!(structure.df().unwrap(), exact, "{}", structure.name());
    }
}
