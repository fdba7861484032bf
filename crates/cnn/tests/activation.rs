//! Networks with an activation against naive loops, the linear network and finite differences.

#![cfg(test)]

use convstat_cnn::{ActivatedNetwork, Activation, Geometry, GeometrySpec, Structure, StructureSpec};
use ndarray::{Array2, ArrayD, IxDyn};

fn geometry() -> Geometry {
    Geometry::new(&GeometrySpec {
        input: vec![7, 6, 2],
        kernel: vec![3, 2, 2],
        stride: Some(vec![1, 2, 1]),
        padding: Some(vec![1, 0, 0]),
        pool: Some(vec![3, 2, 1]),
        pool_stride: Some(vec![2, 1, 1]),
        ..GeometrySpec::default()
    })
    .unwrap()
}

fn structure(geometry: &Geometry, text: &str) -> Structure {
    let spec = StructureSpec::parse(text).unwrap();
    spec.build(&geometry.output_modes(spec.outputs().unwrap())).unwrap()
}

const STRUCTURES: [&str; 5] = [
    "{ kind = \"cnn\", kernels = 3 }",
    "{ kind = \"cnn\", kernels = 2, outputs = 2 }",
    "{ kind = \"tucker\", ranks = [2, 2, 1], r = 2, kernels = 4 }",
    "{ kind = \"cp\", rank = 2, kernels = 3 }",
    "{ kind = \"tensor-train\", ranks = [2, 2, 2], kernels = 3 }",
];

/// Numbers of a fixed sequence in (-1, 1).
fn numbers(seed: u64, count: usize) -> Vec<f64> {
    let mut state = seed;
    (0..count)
        .map(|_| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
        })
        .collect()
}

fn inputs(geometry: &Geometry, n: usize) -> Array2<f64> {
    Array2::from_shape_vec((n, geometry.inputs()), numbers(7, n * geometry.inputs())).unwrap()
}

#[test]
fn the_identity_gives_the_linear_network() {
    let geometry = geometry();
    let x = inputs(&geometry, 5);
    for text in STRUCTURES {
        let structure = structure(&geometry, text);
        let network = ActivatedNetwork::new(&geometry, &structure, Activation::Identity).unwrap();
        let factors = structure.generic_point();
        let parameters = structure.flatten(&factors).unwrap();
        let found = network.predict(&parameters, &network.windows(&x.view()).unwrap().view()).unwrap();
        let z = geometry.windows().apply(&x.t());
        let expected = z.t().dot(&structure.coefficient_matrix(&factors).unwrap());
        let size = expected.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() <= 1e-13 * size, "{text}: {a} {b}");
        }
    }
}

#[test]
fn relu_agrees_with_naive_loops() {
    let geometry = geometry();
    let x = inputs(&geometry, 3);
    let spec = structure(&geometry, STRUCTURES[0]);
    let network = ActivatedNetwork::new(&geometry, &spec, Activation::Relu).unwrap();
    let factors = spec.generic_point();
    let (b, a) = (&factors[0], &factors[1]);
    let parameters = spec.flatten(&factors).unwrap();
    let found = network.predict(&parameters, &network.windows(&x.view()).unwrap().view()).unwrap();
    // conv 7 x 3 x 1, pooled 3 x 2 x 1.
    for (i, x) in x.outer_iter().enumerate() {
        let at = |r: i64, c: usize, h: usize| {
            if (0..7).contains(&r) { x[(r as usize * 6 + c) * 2 + h] } else { 0.0 }
        };
        let mut y = 0.0;
        for k in 0..3 {
            let conv = |u: usize, v: usize| {
                let mut sum = 0.0;
                for (p, q, h) in (0..3).flat_map(|p| (0..2).flat_map(move |q| (0..2).map(move |h| (p, q, h))))
                {
                    sum += a[IxDyn(&[k, p, q, h])] * at(u as i64 + p as i64 - 1, 2 * v + q, h);
                }
                f64::max(sum, 0.0)
            };
            for (u, v) in (0..3).flat_map(|u| (0..2).map(move |v| (u, v))) {
                let mean: f64 = (0..3)
                    .flat_map(|r| (0..2).map(move |s| (r, s)))
                    .map(|(r, s)| conv(2 * u + r, v + s))
                    .sum::<f64>()
                    / 6.0;
                y += b[IxDyn(&[u * 2 + v, k])] * mean;
            }
        }
        assert!((found[[i, 0]] - y).abs() <= 1e-13 * y.abs().max(1.0), "{} {y}", found[[i, 0]]);
    }
}

#[test]
fn derivatives_agree_with_differences() {
    let geometry = geometry();
    let x = inputs(&geometry, 4);
    for text in STRUCTURES {
        let structure = structure(&geometry, text);
        let network = ActivatedNetwork::new(&geometry, &structure, Activation::Relu).unwrap();
        let parameters = structure.flatten(&structure.generic_point()).unwrap();
        let windows = network.windows(&x.view()).unwrap();
        let output = |p: &[f64]| network.predict(p, &windows.view()).unwrap();
        let jacobian = network.jacobian(&parameters, &windows.view()).unwrap();
        // The step is so small that no response changes its sign, the ratio exact to about 1e-9.
        let step = 1e-6;
        for j in 0..parameters.len() {
            let moved = |by: f64| {
                let mut p = parameters.clone();
                p[j] += by;
                output(&p)
            };
            let difference = (moved(step) - moved(-step)) / (2.0 * step);
            for (a, b) in jacobian.column(j).iter().zip(&difference) {
                assert!((a - b).abs() <= 1e-7 * b.abs().max(1.0), "{text}, parameter {j}: {a} {b}");
            }
        }
        let cotangent =
            Array2::from_shape_vec(output(&parameters).dim(), numbers(3, 4 * structure.outputs())).unwrap();
        let mut gradient = vec![0.0; parameters.len()];
        let mut pass = network.pass(4).unwrap();
        pass.set(&parameters).unwrap();
        pass.respond(&windows.view());
        pass.add_gradient(&windows.view(), &cotangent.view(), &mut gradient);
        let flat = ndarray::Array1::from_iter(cotangent.iter().copied());
        let expected = jacobian.t().dot(&flat);
        for (a, b) in gradient.iter().zip(&expected) {
            assert!((a - b).abs() <= 1e-12 * b.abs().max(1.0), "{text}: {a} {b}");
        }
    }
}

#[test]
fn a_larger_network_holds_a_smaller_one() {
    let geometry = geometry();
    let x = inputs(&geometry, 4);
    let pairs = [
        (STRUCTURES[0], "{ kind = \"cnn\", kernels = 5 }"),
        (STRUCTURES[2], "{ kind = \"tucker\", ranks = [2, 2, 2], r = 3, kernels = 8 }"),
        (STRUCTURES[3], "{ kind = \"cp\", rank = 2, kernels = 6 }"),
    ];
    for (small, large) in pairs {
        let (small, large) = (structure(&geometry, small), structure(&geometry, large));
        let network = |s| ActivatedNetwork::new(&geometry, s, Activation::Relu).unwrap();
        let (teacher, student) = (network(&small), network(&large));
        let factors = small.generic_point();
        let mut next = numbers(5, 1000).into_iter();
        let embedded = student.embed(&teacher, &factors, || next.next().unwrap()).unwrap();
        let output = |n: &ActivatedNetwork, s: &Structure, f: &[ArrayD<f64>]| {
            n.predict(&s.flatten(f).unwrap(), &n.windows(&x.view()).unwrap().view()).unwrap()
        };
        let (a, b) = (output(&teacher, &small, &factors), output(&student, &large, &embedded));
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() <= 1e-12 * a.abs().max(1.0)), "{a} {b}");
        assert!(
            teacher.embed(&student, &embedded, || 0.0).unwrap_err().to_string().contains("at least as large")
        );
    }
}

#[test]
fn what_has_no_channels_is_refused() {
    let geometry = geometry();
    let refused = |text: &str| {
        ActivatedNetwork::new(&geometry, &structure(&geometry, text), Activation::Relu)
            .unwrap_err()
            .to_string()
    };
    assert!(refused("{ kind = \"dense\" }").contains("no output channels"));
    assert!(refused("{ kind = \"cnn\", kernels = 2, head_ranks = [2, 2, 1] }").contains("head_ranks"));
    let wrong =
        ActivatedNetwork::new(&geometry, &structure(&geometry, STRUCTURES[0]), Activation::Relu).unwrap();
    assert!(wrong.windows(&Array2::zeros((2, 3)).view()).is_err());
}
