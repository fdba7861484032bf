//! THEORY §1: `<X, W_X>` equals a network computed by nested loops, for random geometries.

#![cfg(test)]

use convstat_cnn::{Geometry, GeometrySpec, StructureSpec};
use ndarray::{Array2, ArrayD, IxDyn};
use proptest::prelude::*;

/// All index vectors of a shape.
fn indices(shape: &[usize]) -> Vec<Vec<usize>> {
    shape.iter().fold(vec![vec![]], |all, &d| {
        all.iter().flat_map(|i| (0..d).map(move |v| [i.clone(), vec![v]].concat())).collect()
    })
}

/// Convolution, average pooling and inner product by their definitions, knowing nothing of `U_F`.
fn network(
    spec: &GeometrySpec,
    x: &ArrayD<f64>,
    kernels: &[ArrayD<f64>],
    weights: &[ArrayD<f64>],
) -> Vec<f64> {
    let n = spec.input.len();
    let get = |v: &Option<Vec<usize>>, j: usize, d: usize| v.as_ref().map_or(d, |v| v[j]);
    let stride: Vec<usize> = (0..n).map(|j| get(&spec.stride, j, 1)).collect();
    let padding: Vec<usize> = (0..n).map(|j| get(&spec.padding, j, 0)).collect();
    let dilation: Vec<usize> = (0..n).map(|j| get(&spec.dilation, j, 1)).collect();
    let pool: Vec<usize> = (0..n).map(|j| get(&spec.pool, j, 1)).collect();
    let pool_stride: Vec<usize> = (0..n).map(|j| get(&spec.pool_stride, j, pool[j])).collect();
    let conv: Vec<usize> = (0..n)
        .map(|j| (spec.input[j] + 2 * padding[j] - dilation[j] * (spec.kernel[j] - 1) - 1) / stride[j] + 1)
        .collect();
    let pooled: Vec<usize> = (0..n).map(|j| (conv[j] - pool[j]) / pool_stride[j] + 1).collect();
    let outputs = weights[0].len() / pooled.iter().product::<usize>();
    let mut y = vec![0.0; outputs];
    for (a, b) in kernels.iter().zip(weights) {
        let feature = |at: &[usize]| -> f64 {
            indices(&spec.kernel)
                .iter()
                .map(|tap| {
                    let row: Option<Vec<usize>> = (0..n)
                        .map(|j| {
                            (at[j] * stride[j] + dilation[j] * tap[j])
                                .checked_sub(padding[j])
                                .filter(|&r| r < spec.input[j])
                        })
                        .collect();
                    row.map_or(0.0, |row| x[IxDyn(&row)] * a[IxDyn(tap)])
                })
                .sum()
        };
        for p in indices(&pooled) {
            let offsets = indices(&pool);
            let mean = offsets
                .iter()
                .map(|r| feature(&(0..n).map(|j| p[j] * pool_stride[j] + r[j]).collect::<Vec<_>>()))
                .sum::<f64>()
                / offsets.len() as f64;
            for (o, y) in y.iter_mut().enumerate() {
                let mut at = p.clone();
                if b.ndim() > n {
                    at.push(o);
                }
                *y += mean * b[IxDyn(&at)];
            }
        }
    }
    y
}

/// Sizes of one mode that fit together.
fn mode() -> impl Strategy<Value = [usize; 7]> {
    (1usize..4, 1usize..3, 0usize..3, 1usize..3, 1usize..4, 1usize..4, 0usize..4).prop_map(
        |(kernel, stride, padding, dilation, pool, pool_stride, extra)| {
            let span = dilation * (kernel - 1) + 1;
            let needed = span + (pool - 1) * stride;
            let input = (needed + extra).saturating_sub(2 * padding).max(1);
            [input, kernel, stride, padding, dilation, pool, pool_stride]
        },
    )
}

fn spec(modes: &[[usize; 7]]) -> GeometrySpec {
    let column = |k: usize| modes.iter().map(|m| m[k]).collect::<Vec<_>>();
    GeometrySpec {
        input: column(0),
        kernel: column(1),
        stride: Some(column(2)),
        padding: Some(column(3)),
        dilation: Some(column(4)),
        pool: Some(column(5)),
        pool_stride: Some(column(6)),
        deeper: vec![],
    }
}

/// Deterministic entries without a generator.
fn filled(shape: &[usize], seed: u64) -> ArrayD<f64> {
    let mut state = seed;
    ArrayD::from_shape_simple_fn(IxDyn(shape), || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn linear_network_is_an_inner_product(
        modes in prop::collection::vec(mode(), 1..=4),
        kernels in 1usize..4,
        outputs in 1usize..3,
        seed in 0u64..1000,
    ) {
        let spec = spec(&modes);
        let geometry = Geometry::new(&spec).unwrap();
        prop_assume!(geometry.features() <= 5000 && geometry.inputs() <= 3000);
        let a: Vec<ArrayD<f64>> = (0..kernels).map(|k| filled(&geometry.kernel_shape(), seed + k as u64)).collect();
        let mut b_shape = geometry.positions_shape();
        if outputs > 1 {
            b_shape.push(outputs);
        }
        let b: Vec<ArrayD<f64>> = (0..kernels).map(|k| filled(&b_shape, seed + 77 + k as u64)).collect();
        let x = filled(&geometry.input_shape(), seed + 999);
        let expected = network(&spec, &x, &a, &b);

        // W = Σ_k B_k ∘ A_k as the structure builds it.
        let structure = StructureSpec::parse(&format!("{{ kind = \"cnn\", kernels = {kernels} }}"))
            .unwrap()
            .build(&geometry.output_modes(outputs))
            .unwrap();
        let (p, l) = (geometry.positions(), geometry.taps());
        let weights = Array2::from_shape_fn((p * outputs, kernels), |(i, k)| b[k].as_slice().unwrap()[i]);
        let taps = Array2::from_shape_fn((kernels, l), |(k, i)| a[k].as_slice().unwrap()[i]);
        let shapes = structure.factor_shapes();
        let factors = vec![
            weights.into_shape_with_order(IxDyn(&shapes[0])).unwrap(),
            taps.into_shape_with_order(IxDyn(&shapes[1])).unwrap(),
        ];
        let w = structure.coefficient_matrix(&factors).unwrap();

        let windows = geometry.windows();
        let flat = x.to_shape((geometry.inputs(), 1)).unwrap();
        let z = windows.apply(&flat.view());
        let w_x = windows.pull_back(&w.view());
        let w_x = w_x.to_shape((geometry.inputs(), outputs)).unwrap();
        for o in 0..outputs {
            let by_z = z.column(0).dot(&w.column(o));
            let by_x = flat.column(0).dot(&w_x.column(o));
            let scale = expected[o].abs().max(1.0);
            prop_assert!((by_z - expected[o]).abs() <= 1e-10 * scale, "{by_z} {}", expected[o]);
            prop_assert!((by_x - expected[o]).abs() <= 1e-10 * scale, "{by_x} {}", expected[o]);
        }
    }

    /// Two layers: the pooled feature maps of the first are the input of the second.
    #[test]
    fn deep_linear_network_is_an_inner_product(
        first in prop::collection::vec(mode(), 1..=3),
        kernels in (1usize..3, 1usize..3),
        seed in 0u64..1000,
    ) {
        let mut all = spec(&first);
        let below = Geometry::new(&all).unwrap();
        let n = first.len();
        // A second layer that fits: kernel 2 (or 1), padding 1 in the first mode, pool 2 where there is room.
        let size = below.positions_shape();
        let kernel: Vec<usize> = size.iter().map(|&d| d.min(2)).collect();
        let padding: Vec<usize> = (0..n).map(|j| usize::from(j == 0)).collect();
        let pool: Vec<usize> = (0..n).map(|j| if size[j] + 2 * padding[j] > kernel[j] { 2 } else { 1 }).collect();
        let second = convstat_cnn::LayerSpec {
            kernel: kernel.clone(),
            padding: Some(padding.clone()),
            pool: Some(pool.clone()),
            pool_stride: Some(vec![1; n]),
            ..Default::default()
        };
        all.deeper.push(second);
        let geometry = Geometry::new(&all).unwrap();
        prop_assume!(geometry.features() <= 20_000 && geometry.inputs() <= 2000);
        let (k1, k2) = kernels;
        let a: Vec<ArrayD<f64>> = (0..k1).map(|k| filled(&below.kernel_shape(), seed + k as u64)).collect();
        let top: Vec<Vec<ArrayD<f64>>> =
            (0..k2).map(|k| (0..k1).map(|m| filled(&kernel, seed + 50 + (k * k1 + m) as u64)).collect()).collect();
        let b: Vec<ArrayD<f64>> = (0..k2).map(|k| filled(&geometry.positions_shape(), seed + 77 + k as u64)).collect();
        let x = filled(&geometry.input_shape(), seed + 999);

        // The direct network: feature maps of layer 1 by unit weights, then layer 2 on each of them.
        let maps: Vec<ArrayD<f64>> = (0..k1)
            .map(|m| ArrayD::from_shape_fn(IxDyn(&size), |at| {
                let mut unit = ArrayD::zeros(IxDyn(&size));
                unit[&at] = 1.0;
                network(&spec(&first), &x, &a[m..=m], &[unit])[0]
            }))
            .collect();
        let upper = GeometrySpec {
            input: size, kernel, padding: Some(padding), pool: Some(pool), pool_stride: Some(vec![1; n]),
            ..GeometrySpec::default()
        };
        let expected: f64 = (0..k2)
            .flat_map(|k| (0..k1).map(move |m| (k, m)))
            .map(|(k, m)| network(&upper, &maps[m], &top[k][m..=m], &b[k..=k])[0])
            .sum();

        let structure = StructureSpec::parse(&format!("{{ kind = \"deep\", kernels = [{k1}, {k2}] }}"))
            .unwrap()
            .build(&geometry.output_modes(1))
            .unwrap();
        let shapes = structure.factor_shapes();
        let stack = |shape: &[usize], f: &dyn Fn(&[usize]) -> f64| {
            ArrayD::from_shape_fn(IxDyn(shape), |i| f(&(0..shape.len()).map(|d| i[d]).collect::<Vec<_>>()))
        };
        let factors = vec![
            stack(&shapes[0], &|i| b[i[1]].as_slice().unwrap()[i[0]]),
            stack(&shapes[1], &|i| top[i[0]][i[1]][IxDyn(&i[2..])]),
            stack(&shapes[2], &|i| a[i[0]][IxDyn(&i[1..])]),
        ];
        let w = structure.coefficient_matrix(&factors).unwrap();
        let windows = geometry.windows();
        let z = windows.apply(&x.to_shape((geometry.inputs(), 1)).unwrap().view());
        let found = z.column(0).dot(&w.column(0));
        prop_assert!((found - expected).abs() <= 1e-10 * expected.abs().max(1.0), "{found} {expected}");
        let u = geometry.factors().unwrap();
        prop_assert_eq!(u[0].ncols(), geometry.modes()[0].feature_shape().iter().product::<usize>());
    }

    #[test]
    fn second_moment_is_that_of_the_windows(modes in prop::collection::vec(mode(), 1..=3)) {
        let geometry = Geometry::new(&spec(&modes)).unwrap();
        prop_assume!(geometry.features() <= 400 && geometry.inputs() <= 400);
        let u = geometry.windows().apply(&Array2::eye(geometry.inputs()).view());
        let direct = u.dot(&u.t());
        let sigma = geometry.second_moment().unwrap();
        prop_assert!((&direct - &sigma).iter().all(|d| d.abs() < 1e-12));
        let (low, high) = geometry.factor_spectrum().unwrap();
        let (values, _) = convstat_tensor::linalg::eigh(&sigma.view()).unwrap();
        let (first, last) = (values[0].max(0.0), values[values.len() - 1]);
        prop_assert!((high - last).abs() <= 1e-10 * last);
        prop_assert!((low - first).abs() <= 1e-10 * last, "{low} {first}");
    }
}
